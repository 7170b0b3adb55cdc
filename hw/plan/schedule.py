"""How many clock cycles each stage takes: facts of the schedule that the plan states and the hardware is built to.

Schedules never change a bit of the result. Nothing here knows of the hardware description; tests measure every stage
against these figures.
"""

from dataclasses import dataclass
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.config.limits import DIRECT_WIDTH
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics, numerics

__all__ = [
    "DIGIT",
    "QUEUE_LATENCY",
    "VECTORS",
    "PassSchedule",
    "Schedule",
    "TwoPassSchedule",
    "exponential_schedule",
    "longest_segment",
    "loss_schedule",
    "align_cycles",
    "cleared",
    "comparison",
    "direct_cycles",
    "maximum_latency",
    "memory_cycles",
    "normalise_digits",
    "normalise_levels",
    "round_cycles",
    "sample_latency",
    "schedule",
    "segments",
    "sigmoid_latency",
    "skewed",
    "two_pass_schedule",
]

QUEUE_LATENCY = 2
"""From the cycle in which an entry is written to an empty queue to the cycle in which it can be taken."""

DIGIT = 4
"""Bits by which the normaliser moves the sum up in a cycle."""

VECTORS = 256
"""Vectors on their way at once, where they may follow each other at one per cycle: as many as the entries of a block RAM."""

SEGMENT = {"small": 22, "fast": 11, "fastest": 11}
"""Longest carry chain of the absolute accumulator, in bits, by profile; see `longest_segment`."""

COMPARED = {"fast": 9, "fastest": 2}
"""Most bits that the maximum compares in a cycle, by profile."""


def memory_cycles(config: Config) -> int:
    """From an address to the entry of a memory, registers behind it included."""
    return {"small": 1, "fast": 2, "fastest": 3}[config.profile]


def direct_cycles(config: Config) -> int:
    """The same of a memory with no logic behind it, where its own output register is enough."""
    return min(memory_cycles(config), 2)


def cleared(config: Config, widths: Numerics) -> bool:
    """Whether the absolute accumulator is cleared behind each vector, and its sum kept in a second register per bit.

    That is off the path of the sum, and less than a multiplexer where terms are long. Otherwise a vector's first term takes
    the place of the sum, which on some fabrics costs nothing.
    """
    return widths.absolute and (config.lanes > 1 or widths.tables.low_width > 0 or config.profile == "fastest")


def sigmoid_latency(config: Config) -> int:
    """From an element's transfer to that of its sigmoid: framing, the memory, and a register that may stop."""
    return 1 + memory_cycles(config) + (config.profile != "small")


def sample_latency(config: Config) -> int:
    """From the transfer of a vector's last element to that of its draw.

    Framing, the word, its octave, the memory, product, sum, comparison, and a register that may stop.
    """
    return 6 + memory_cycles(config) + (config.profile != "small")


def longest_segment(config: Config) -> int:
    """Longest carry chain of the absolute accumulator, in bits: shorter where no other stage of the fastest is slower."""
    return 9 if config.profile == "fastest" and config.division == "logarithm" else SEGMENT[config.profile]


def segments(config: Config, widths: Numerics) -> tuple[int, ...]:
    """Widths of the accumulator's segments, lowest first."""
    width = widths.accumulator_width
    count = -(-width // longest_segment(config)) if widths.absolute else 1
    return tuple(width * (j + 1) // count - width * j // count for j in range(count))


def align_cycles(widths: Numerics) -> int:
    """From an exponent and a significand to the aligned term."""
    return 3 if widths.absolute else 2


def skewed(config: Config) -> bool:
    """Whether the comparison of the maximum is skewed: where it has to be no slower than all else."""
    return config.profile != "small"


def comparison(config: Config) -> tuple[int, ...]:
    """Bits of a contender that the skewed comparison compares in each of its steps, the highest first.

    A bit at a time where nothing else is slower, in argmax and hardmax.
    """
    width = config.contender_width
    count = -(-width // (1 if config.traits.order_only else COMPARED[config.profile]))
    return tuple(width * (j + 1) // count - width * j // count for j in range(count))


def maximum_latency(config: Config) -> int:
    """From a vector's last framed beat to its winner: a cycle for each level of the tree over the lanes, and one for the loop;
    with the skewed comparison also one for each of its steps."""
    return ceil_log2(config.lanes) + 1 + (len(comparison(config)) if skewed(config) else 0)


def normalise_digits(widths: Numerics) -> tuple[int, int, int]:
    """(K, first, z): cycles until the leading one is among the top `DIGIT` bits at the latest; number of the first digit;
    zeros above the sum.

    The sum is at least 2^A, so its leading one lies in one of span = width − A positions. Digits are numbered such that
    2^b − 1 − position, b the bits of a position, is digit·DIGIT + a remainder.
    """
    span = widths.accumulator_width - 1 - widths.accumulator_fraction
    above = (1 << max(2, span.bit_length())) - 1 - span
    return (span + above % DIGIT) // DIGIT + 1, above // DIGIT, above % DIGIT


def normalise_levels(widths: Numerics) -> tuple[int, int]:
    """(b, z): bits of a leading one's position, as many shifts find it; zeros above the sum.

    The leading one lies in one of span = width − A positions, as in `normalise_digits`; with z zeros above, there are 2^b.
    """
    span = widths.accumulator_width - 1 - widths.accumulator_fraction
    bits = max(1, span.bit_length())
    return bits, (1 << bits) - 1 - span


def round_cycles(config: Config) -> int:
    """From a quotient to the rounded probability: two cycles for the shift where clocks are the fastest."""
    return 3 if config.profile == "fastest" else 2


@dataclass(frozen=True)
class Schedule:
    """Latencies in clock cycles, and the intervals of the parts that do not take a payload in every cycle."""

    memory: int
    """From an address to the entry of a memory, registers behind it included."""
    direct: int
    """The same of the table of probabilities, behind which there is no logic but another memory."""
    ring: int
    """The same of the ring: what it gives spreads over the lanes, so several have a register more in `fastest`."""
    frame: int
    entry: int
    """From a framed element's being let in to its being there for the stages behind."""
    maximum: int
    winners: int
    """From a winner to the output: registers in which winners wait, one for the vector that comes in, another for the one that
    goes out; or a queue, where several vectors may be on their way."""
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
    quotient, and the last table the rounding. Of a log-softmax the position in nats is the exponential."""
    queue: int
    segments: tuple[int, ...]
    normalise_interval: int
    factor_interval: int
    quotient_interval: int
    pipelined: bool
    """Whether what works once per vector takes one in every cycle."""

    @property
    def sum_latency(self) -> int:
        """From the transfer of a vector's last element to its sum."""
        return self.frame + self.entry + self.lookup + self.align + self.merge + self.accumulate

    @property
    def vector_latency(self) -> int:
        """From the transfer of a vector's last element to its factor."""
        return self.sum_latency + self.normalise + self.factor

    @property
    def vector_interval(self) -> int:
        """Cycles between the last elements of two vectors, at the least: the parts that work once per vector may be serial."""
        if self.pipelined:
            return 1
        # The vector's end and flag wait in one register while the sum is on its way; credits are counted in three cycles.
        return max(self.normalise_interval, self.factor_interval, self.sum_latency - self.frame - self.entry, 4)

    @property
    def emission_latency(self) -> int:
        """From an element's leaving the ring to its probability at the output."""
        return self.replay - 2 + self.probability + self.queue

    @property
    def probability(self) -> int:
        """From a stored element to its probability."""
        return self.exponential + self.distance + self.quotient + self.round

    @property
    def fixed_latency(self) -> int:
        """c: an idle pipe's first output beat comes B + c cycles after the first of B input beats."""
        # The last of B input beats comes B − 1 cycles after the first.
        return self.vector_latency + self.replay + self.probability + self.queue - 1

    def replay_entries(self, beats: int) -> int:
        """Beats that the ring holds: a vector of that many, and what comes in before the first of it leaves."""
        return beats + self.vector_latency + 8

    def winner_room(self, beats: int) -> int:
        """Winners that may wait."""
        return self.vectors(beats) if self.pipelined else self.winners

    def vectors(self, beats: int) -> int:
        """Vectors whose beats may be in the ring at once with none waiting: those of `vector_interval` beats.

        Where these are of one beat, `VECTORS` at most, for each of them has a factor: short ones behind a longer one wait
        then, and the output has no bubble all the same, for it takes fewer to fill the pipe.
        """
        if self.pipelined:
            # A vector counts until its factor is asked for, behind the ring.
            return max(min(self.replay_entries(beats), VECTORS), self.vector_latency) + self.emission_latency
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
    memory = memory_cycles(config)
    exponential = memory + 3 if split else memory
    parts = segments(config, widths)
    digits, _, _ = normalise_digits(widths)
    chords = widths.reciprocals is not None
    pipelined = config.per_vector == "pipelined"
    by_bits = widths.reciprocal_width + 1
    factor, factor_interval = {
        "divider": (0, 1),
        "reciprocal": (memory + 2, 1) if chords else (by_bits - 1, 1) if pipelined else (by_bits, by_bits),
        "logarithm": (memory, 1),
        "none": (0, 1),
        "natural": (memory + 2, 1),
    }[config.division]
    serial = config.profile == "small" and config.division == "divider"
    quotient = {
        "divider": widths.quotient_width + serial,
        "reciprocal": 3 if chords else 2,
        "logarithm": 2,
        "none": 0,
        "natural": 0,
    }
    tables = config.division in ("logarithm", "natural")
    logarithm = config.division == "logarithm"
    ring = memory if config.lanes > 1 else direct_cycles(config)
    return Schedule(
        memory=memory,
        direct=direct_cycles(config),
        ring=ring,
        frame=1,
        entry=int(config.profile != "small" and config.traits.stores_scores),
        maximum=maximum_latency(config),
        winners=QUEUE_LATENCY if pipelined else 1 if config.profile == "small" else 2,
        lookup=exponential,
        # A narrow score's table of terms for the absolute accumulator is already shifted.
        align=0 if widths.absolute and not split else align_cycles(widths),
        merge=ceil_log2(config.lanes),
        accumulate=len(parts),
        normalise=normalise_levels(widths)[0] + 1 if pipelined else digits + 2,
        factor=factor,
        replay=2 + ring,
        # Of a natural logarithm the position in nats: one table, or two and a sum.
        exponential=memory + split if config.division == "natural" else exponential,
        distance=2 if logarithm and config.profile == "fastest" else 1,
        quotient=quotient[config.division],
        round={"logarithm": direct_cycles(config), "natural": 1}.get(config.division, round_cycles(config)),
        queue=QUEUE_LATENCY,
        segments=parts,
        # The first segment must not come before the last vector's bits are noted, nor its tag before that is used.
        normalise_interval=1 if pipelined else digits + max(len(parts), 3 + factor if tables or chords else 2),
        factor_interval=factor_interval,
        quotient_interval=widths.quotient_width + 1 if serial else 1,
        pipelined=pipelined,
    )


@dataclass(frozen=True)
class PassSchedule:
    """Cycles of a head that has no second pass."""

    lookup: int
    """Of exponentials, from a framed element to its code; of a cross-entropy, from L to the loss."""
    element: int
    """Of exponentials, from the transfer of an element to that of its code, whatever its place in the vector."""
    vector: int
    """From the transfer of a vector's last element to that of its result."""
    interval: int
    """Between the last elements of two vectors, at the least."""
    room: int = 0
    """Of exponentials, vectors whose results may be on their way or wait."""


@lru_cache(maxsize=256)
def exponential_schedule(config: Config) -> PassSchedule:
    """The schedule of a head of unnormalised exponentials."""
    cycles = schedule(config.replace(normaliser="none", lanes=1))
    lookup = cycles.memory
    if config.score_width > DIRECT_WIDTH:
        # What lies above the constant is cut to it before.
        clip = config.reference_offset > 0
        lookup = clip + cycles.exponential + cycles.distance + cycles.quotient + cycles.round
    both = max(lookup + ceil_log2(config.lanes) + 1, maximum_latency(config))
    return PassSchedule(
        lookup=lookup,
        element=cycles.frame + lookup + QUEUE_LATENCY,
        vector=cycles.frame + both + cycles.winners,
        # So long are the registers of a result in use, and credits are counted in three cycles.
        interval=1 if cycles.pipelined else max(4, -(-(both + cycles.winners + 3) // cycles.winners)),
        room=both + QUEUE_LATENCY + 4 if cycles.pipelined else cycles.winners,
    )


@lru_cache(maxsize=256)
def loss_schedule(config: Config) -> PassSchedule:
    """The schedule of a cross-entropy head: that of the sum, its logarithm, and a difference."""
    cycles, lookup = schedule(config), 2
    return PassSchedule(
        lookup=lookup,
        element=0,
        vector=cycles.vector_latency + lookup + QUEUE_LATENCY,
        interval=cycles.vector_interval,
    )


@dataclass(frozen=True)
class TwoPassSchedule:
    """Cycles of the head in two passes (`two_pass`), which takes a vector only when the one before is out."""

    lookup: int
    """From an address to the exponential of the element that is stored there."""
    element: int
    """Cycles for each division: a quotient bit in each, and one that rounds."""
    output: int
    """From an element's load to its probability."""
    clear: int
    """From the transfer of a vector's last probability to the first in which the next vector's first score is taken."""

    @property
    def first_output(self) -> int:
        """Cycles beyond two per element from a vector's first score to its first probability."""
        # The pass over the exponentials ends with an address beyond the last, and a register stands before the division.
        return 2 + self.lookup + self.output

    @property
    def vector(self) -> int:
        """Cycles beyond two and `element` per element from a vector's first score to the next one's."""
        return self.first_output - self.element + self.clear


def two_pass_schedule(config: Config) -> TwoPassSchedule:
    """The schedule of a softmax head in two passes."""
    element = config.probability_width + 1
    return TwoPassSchedule(lookup=3, element=element, output=element + 1, clear=2)
