"""How many clock cycles each stage takes: facts of the schedule that the plan states and the hardware is built to.

Schedules never change a bit of the result. Nothing here knows of the hardware description; tests measure every stage
against these figures.
"""

from dataclasses import dataclass
from functools import lru_cache

from .config import Config
from .errors import UserError
from .formats import ceil_log2
from .numerics import Numerics, numerics

__all__ = [
    "DIGIT",
    "QUEUE_LATENCY",
    "Schedule",
    "maximum_latency",
    "normalise_digits",
    "schedule",
    "segments",
    "skewed",
]

QUEUE_LATENCY = 2
"""From the cycle in which an entry is written to an empty queue to the cycle in which it can be taken."""

DIGIT = 4
"""Bits by which the normaliser moves the sum up in a cycle."""

SEGMENT = {"small": 22, "fast": 11, "fastest": 11}
"""Longest carry chain of the absolute accumulator, in bits, by profile."""


def segments(config: Config, widths: Numerics) -> tuple[int, ...]:
    """Widths of the accumulator's segments, lowest first."""
    width = widths.accumulator_width
    count = -(-width // SEGMENT[config.profile]) if widths.absolute else 1
    return tuple(width * (j + 1) // count - width * j // count for j in range(count))


def skewed(config: Config) -> bool:
    """Whether the comparison of the maximum is skewed: where nothing is slower, in argmax and hardmax, but for the smallest."""
    return config.profile == "fastest" or (config.mode in ("argmax", "hardmax") and config.profile == "fast")


def maximum_latency(config: Config) -> int:
    """From a vector's last framed beat to its winner: a cycle for each level of the tree over the lanes, and one for the loop;
    with the skewed comparison also one for each bit of a contender."""
    return ceil_log2(config.lanes) + 1 + (config.contender_width if skewed(config) else 0)


def normalise_digits(widths: Numerics) -> tuple[int, int, int]:
    """(K, first, z): cycles until the leading one is among the top `DIGIT` bits at the latest; number of the first digit;
    zeros above the sum.

    The sum is at least 2^A, so its leading one lies in one of span = width − A positions. Digits are numbered such that
    2^b − 1 − position, b the bits of a position, is digit·DIGIT + a remainder.
    """
    span = widths.accumulator_width - 1 - widths.accumulator_fraction
    above = (1 << max(2, span.bit_length())) - 1 - span
    return (span + above % DIGIT) // DIGIT + 1, above // DIGIT, above % DIGIT


@dataclass(frozen=True)
class Schedule:
    """Latencies in clock cycles, and the intervals of the parts that do not take a payload in every cycle."""

    memory: int
    """From an address to the entry of a memory, registers behind it included."""
    frame: int
    maximum: int
    winners: int
    """Registers behind, in which winners wait: one for the vector that comes in, another for the one that goes out."""
    lookup: int
    """From a framed element to its aligned term, or to its exponent and significand where the sum takes no shift."""
    align: int
    merge: int
    """From the terms of a beat to their sum."""
    accumulate: int
    normalise: int
    factor: int
    replay: int
    """From a vector's factor to its first stored element."""
    exponential: int
    distance: int
    quotient: int
    round: int
    """In the logarithmic emission the table of scores is the exponential, the difference the distance, the shift the
    quotient, and the last table the rounding."""
    queue: int
    segments: tuple[int, ...]
    normalise_interval: int
    factor_interval: int
    quotient_interval: int

    @property
    def sum_latency(self) -> int:
        """From the transfer of a vector's last element to its sum."""
        return self.frame + self.lookup + self.align + self.merge + self.accumulate

    @property
    def vector_latency(self) -> int:
        """From the transfer of a vector's last element to its factor."""
        return self.sum_latency + self.normalise + self.factor

    @property
    def vector_interval(self) -> int:
        """Cycles between the last elements of two vectors, at the least: the parts that work once per vector are serial."""
        # The vector's end and flag wait in one register while the sum is on its way; credits are counted in three cycles.
        return max(self.normalise_interval, self.factor_interval, self.sum_latency - self.frame, 4)

    @property
    def emission_latency(self) -> int:
        """From an element's leaving the ring to its probability at the output."""
        return self.replay - 1 + self.exponential + self.distance + self.quotient + self.round + self.queue

    def replay_entries(self, beats: int) -> int:
        """Beats that the ring holds: a vector of that many, and what comes in before the first of it leaves."""
        return beats + self.vector_latency + 6

    def vectors(self, beats: int) -> int:
        """Vectors whose beats may be in the ring at once with none waiting: those of `vector_interval` beats."""
        return self.replay_entries(beats) // self.vector_interval + 3


@lru_cache(maxsize=256)
def schedule(config: Config) -> Schedule:
    """The schedule of a softmax head.

    Raises `UserError` for several lanes with a running reference: its truncated sum depends on the order of additions.
    """
    widths = numerics(config)
    if config.lanes > 1 and not widths.absolute:
        try:
            numerics(config.replace(accumulator="absolute"))
            other = "accumulator = absolute"
        except UserError:
            other = "a smaller score_scale with the absolute accumulator"
        raise UserError(
            f"lanes = {config.lanes}: the sum against a running reference depends on the order of additions and takes one "
            f"element after the other; lanes = 1 would do, or {other}"
        )
    split = widths.tables.low_width > 0
    memory = {"small": 1, "fast": 2, "fastest": 3}[config.profile]
    exponential = memory + 3 if split else memory
    parts = segments(config, widths)
    digits, _, _ = normalise_digits(widths)
    factor, factor_interval = {
        "divider": (0, 1),
        "reciprocal": (widths.reciprocal_width + 1, widths.reciprocal_width + 1),
        "logarithm": (memory, 1),
        "none": (0, 1),
    }[config.normaliser]
    serial = config.profile == "small" and config.normaliser == "divider"
    quotient = {"divider": widths.quotient_width + serial, "reciprocal": 2, "logarithm": 2, "none": 0}
    return Schedule(
        memory=memory,
        frame=1,
        maximum=maximum_latency(config),
        winners=1 if config.profile == "small" else 2,
        lookup=exponential,
        # A narrow score's table of terms for the absolute accumulator is already shifted.
        align=0 if widths.absolute and not split else 2,
        merge=ceil_log2(config.lanes),
        accumulate=len(parts),
        normalise=digits + 2,
        factor=factor,
        replay=1 + memory,
        exponential=exponential,
        distance=1,
        quotient=quotient[config.normaliser],
        round=memory if config.normaliser == "logarithm" else 2,
        queue=QUEUE_LATENCY,
        segments=parts,
        # The first segment must not come before the last vector's bits are noted, nor its tag before that is used.
        normalise_interval=digits + max(len(parts), 3 + factor if config.normaliser == "logarithm" else 2),
        factor_interval=factor_interval,
        quotient_interval=widths.quotient_width + 1 if serial else 1,
    )
