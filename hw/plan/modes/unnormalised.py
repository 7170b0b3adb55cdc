"""Plan of unnormalised exponentials: the code of each element as it comes, the winner, and the sum of the codes."""

from dataclasses import dataclass, replace
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.config.limits import DIRECT_WIDTH
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.unnormalised import exponential_bound, exponential_codes, sum_format
from softstream.hw.plan.fields import Field, Output, overlong_flag, winner_output
from softstream.hw.plan.records import Cycles, ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, maximum_row, serial_term
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, maximum_latency
from softstream.hw.plan.texts import each_cycle, method_text

__all__ = ["UNNORMALISED", "ExponentialSchedule", "exponential_schedule"]


@dataclass(frozen=True)
class ExponentialSchedule:
    """Cycles of a head of unnormalised exponentials."""

    lookup: int
    """From a framed element to its code."""
    element: int
    """From the transfer of an element to that of its code, whatever its place in the vector."""
    vector: int
    """From the transfer of a vector's last element to that of its winner and sum."""
    interval: int
    """Between the last elements of two vectors, at the least."""
    room: int
    """Vectors whose results may be under way or wait."""


@lru_cache(maxsize=256)
def exponential_schedule(config: Config) -> ExponentialSchedule:
    """The schedule of a head of unnormalised exponentials."""
    cycles = schedule(config.replace(normaliser="none", lanes=1))
    lookup = cycles.memory
    if config.score_width > DIRECT_WIDTH:
        # A cycle cuts scores above the reference to it.
        clip = config.reference_offset > 0
        lookup = clip + cycles.probability
    both = max(lookup + ceil_log2(config.lanes) + 1, maximum_latency(config))
    return ExponentialSchedule(
        lookup=lookup,
        element=cycles.frame + lookup + QUEUE_LATENCY,
        vector=cycles.frame + both + cycles.winners,
        # The registers of a result are in use so long, and credits are counted in three cycles.
        interval=1 if cycles.pipelined else max(4, -(-(both + cycles.winners + 3) // cycles.winners)),
        room=both + QUEUE_LATENCY + 4 if cycles.pipelined else cycles.winners,
    )


def _plan(config: Config) -> Plan:
    codes = exponential_codes(config)
    limits, cycles, each = exponential_bound(codes), exponential_schedule(config), each_cycle(config)
    narrow = codes.codes is not None
    difference = "c − x" if config.selects_smallest else "x − c"
    tables = codes.widths.tables
    lookup = (
        f"min(1, e^(s({difference}))), one table of {1 << config.score_width} entries"
        if narrow
        else f"min(1, e^(s({difference}))), {method_text(codes.widths)}, shift and rounding"
    )
    stages = (
        frame_row(config),
        maximum_row(config, maximum_latency(config)),
        StagePlan(
            "unnormalised",
            lookup,
            f"UQ{config.score_width}.0",
            f"{config.probability_qformat}",
            cycles.lookup + QUEUE_LATENCY,
            each,
            config.lanes * ((1 << config.score_width) * config.output_width if narrow else tables.bits),
            float(limits.total),
            f"with the output queue; the winner comes with Σ of the codes, {sum_format(config)}",
        ),
    )
    return Plan(
        config=config,
        stages=stages,
        fixed_latency_cycles=cycles.element,
        best_latency_cycles=cycles.vector - 1,
        interval_terms=(Cycles(1), *serial_term(cycles.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
        passes=0,
    )


def _outputs(config: Config) -> tuple[Output, ...]:
    code = Field(
        "exponential", "exponentials", config.output_width, "exponential code", form=str(config.probability_qformat)
    )
    form = sum_format(config)
    total = Field("sum", "sums", form.width, "the exact sum of the vector's codes", form=str(form))
    winner = winner_output(config, "m_axis_best", "o_best")
    return (
        Output("m_axis", "o", (code,), "element", "exponential", (overlong_flag(config),), flags_at_last=True),
        replace(winner, fields=(*winner.fields, total), noun="winner and sum"),
    )


UNNORMALISED = ModePlan(_plan, _outputs)
