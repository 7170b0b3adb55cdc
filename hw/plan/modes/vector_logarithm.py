"""Cycles and rows of the heads that put out the logarithm of a vector's sum less a score."""

from dataclasses import dataclass
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat, ceil_log2
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.plan.normalisers.log_sum import log_sum_row, positions_text
from softstream.hw.plan.records import Cycles, Plan, StagePlan
from softstream.hw.plan.rows import serial_term, sum_rows
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY

__all__ = [
    "VectorLogarithmSchedule",
    "choice_cycles",
    "vector_logarithm_plan",
    "vector_logarithm_schedule",
]


@dataclass(frozen=True)
class VectorLogarithmSchedule:
    """Cycles of a head: those of the sum, its logarithm, and a difference."""

    lookup: int
    """From ln Σ to the result."""
    vector: int
    """From the transfer of a vector's last element to that of its result."""
    interval: int
    """Between the last elements of two vectors, at the least."""


@lru_cache(maxsize=256)
def vector_logarithm_schedule(config: Config) -> VectorLogarithmSchedule:
    """The schedule of a head."""
    cycles, lookup = schedule(config), 2
    return VectorLogarithmSchedule(lookup, cycles.vector_latency + lookup + QUEUE_LATENCY, cycles.vector_interval)


def choice_cycles(config: Config) -> int:
    """From a vector's last framed beat to the position of the element whose score the result lacks.

    It is a cycle but for profile small, and for the largest score one for each level of the tree over the lanes.
    """
    levels = ceil_log2(config.lanes) if config.traits.relative_sum else 0
    return max(levels, int(config.profile != "small"))


def vector_logarithm_plan(config: Config, name: str, element: str, note: str) -> Plan:
    """The plan of a head whose last stage, of this name, is the difference ln Σ − x of the element that the words name."""
    numbers, cycles, times = log_numerics(config, signed=False), schedule(config), vector_logarithm_schedule(config)
    limits = log_bound(config)
    stages = (
        *sum_rows(config, numbers.widths, cycles, limits.accumulator, False),
        log_sum_row(config, numbers, limits),
        StagePlan(
            name,
            f"ln Σ − x of {element}, {positions_text(numbers)}; rounded half up",
            f"UQ{config.score_width}.0, {QFormat(numbers.widths.sum_exponent_width, numbers.tables.working_fraction)}",
            f"{numbers.format}",
            times.lookup + QUEUE_LATENCY,
            "1 vector/cycle",
            numbers.tables.position_bits,
            float(limits.rounding),
            f"with the output queue; {note}",
        ),
    )
    return Plan(
        config=config,
        stages=stages,
        fixed_latency_cycles=times.vector - 1,
        best_latency_cycles=times.vector - 1,
        interval_terms=(Cycles(1), *serial_term(times.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )
