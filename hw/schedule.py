"""How many clock cycles each stage takes: facts of the schedule that the plan states and the hardware is built to.

Schedules never change a bit of the result. Nothing here knows of the hardware description; tests measure every stage
against these figures.
"""

from dataclasses import dataclass
from functools import lru_cache

from .config import Config
from .numerics import Numerics, numerics

__all__ = [
    "LEVELS_PER_CYCLE",
    "QUEUE_LATENCY",
    "Schedule",
    "normalise_cycles",
    "schedule",
    "serial_steps",
    "shift_levels",
]

QUEUE_LATENCY = 2
"""From the cycle in which an entry is written to an empty queue to the cycle in which it can be taken."""

LEVELS_PER_CYCLE = 2
"""Shifter levels between two registers of the pipelined normaliser."""


def _shift_maximum(widths: Numerics) -> int:
    # The sum is at least 2^A, so its leading one is never below.
    return widths.accumulator_width - 1 - widths.accumulator_fraction


def shift_levels(widths: Numerics) -> int:
    """Levels of the sum's shifter: powers of two up to the largest shift that the leading one may need."""
    return _shift_maximum(widths).bit_length()


def normalise_cycles(widths: Numerics) -> int:
    """Latency of the pipelined normaliser of the sum."""
    return max(1, -(-shift_levels(widths) // LEVELS_PER_CYCLE))


def serial_steps(widths: Numerics) -> tuple[int, int]:
    """Cycles that the serial normaliser spends on shifts by four and on shifts by one: together any shift is reached."""
    return _shift_maximum(widths) // 4, min(3, _shift_maximum(widths))


@dataclass(frozen=True)
class Schedule:
    """Latencies in clock cycles, and the intervals of the parts that do not take a payload in every cycle."""

    frame: int
    maximum: int
    lookup: int
    """From a framed element to its aligned term, or to its exponent and significand where the sum takes no shift."""
    align: int
    accumulate: int
    normalise: int
    factor: int
    fetch: int
    """From the queues of elements and vectors to the emission pipe."""
    exponential: int
    distance: int
    quotient: int
    round: int
    queue: int
    serial: bool
    """Whether the parts that work once per vector, and the divider, are serial."""
    normalise_interval: int
    factor_interval: int
    quotient_interval: int

    @property
    def sum_latency(self) -> int:
        """From the transfer of a vector's last element to its sum."""
        return self.frame + self.lookup + self.align + self.accumulate

    @property
    def vector_latency(self) -> int:
        """From the transfer of a vector's last element to its n and factor at the end of their queue."""
        return self.sum_latency + self.normalise + self.factor + self.queue

    def replay_entries(self, max_length: int) -> int:
        """Scores that the replay holds: one vector, and what comes in before the first of it leaves."""
        return max_length + self.vector_latency + 4

    @property
    def emission_latency(self) -> int:
        """From an element's leaving its queue to its probability at the output."""
        return self.fetch + self.exponential + self.distance + self.quotient + self.round + self.queue


@lru_cache(maxsize=256)
def schedule(config: Config) -> Schedule:
    """The schedule of a softmax head."""
    widths = numerics(config)
    serial = config.profile == "small"
    split = widths.tables.low_width > 0
    exponential = 5 if split else 2
    by_four, by_one = serial_steps(widths)
    factor, factor_interval = {
        "divider": (0, 1),
        "reciprocal": (widths.reciprocal_width + serial, widths.reciprocal_width + 2 if serial else 1),
        "none": (0, 1),
    }[config.normaliser]
    quotient, quotient_interval = {
        "divider": (widths.quotient_width + serial, widths.quotient_width + 2 if serial else 1),
        "reciprocal": (2, 1),
        "none": (0, 1),
    }[config.normaliser]
    return Schedule(
        frame=1,
        maximum=1,
        lookup=exponential,
        # A narrow score's table of terms for the absolute accumulator is already shifted.
        align=0 if widths.absolute and not split else 2,
        accumulate=1,
        normalise=by_four + by_one + 1 if serial else normalise_cycles(widths),
        factor=factor,
        fetch=2,
        exponential=exponential,
        distance=1,
        quotient=quotient,
        round=2,
        queue=QUEUE_LATENCY,
        serial=serial,
        normalise_interval=by_four + by_one + 2 if serial else 1,
        factor_interval=factor_interval,
        quotient_interval=quotient_interval,
    )
