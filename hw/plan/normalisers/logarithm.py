"""Logarithm: a difference of logarithms and an antilogarithm, all from tables."""

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, NormaliserPlan, Step
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, direct_cycles, far_lanes, lookup_cycles, memory_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = ["LOGARITHM"]


def _cycles(config: Config, widths: Numerics) -> NormaliserCycles:
    steps = (
        ("position", lookup_cycles(config, widths)),
        ("difference", 2 if config.profile == "fastest" else 1),
        ("shift", 2),
        ("antilogarithm", direct_cycles(config)),
        ("way", int(far_lanes(config))),
    )
    emission = tuple(Step("logarithm", name, cycles) for name, cycles in steps)
    return NormaliserCycles(memory_cycles(config), emission, holds_sum=True)


def _format(widths: Numerics) -> str:
    return f"{QFormat(0, widths.divisor_fraction - 1)}"


def _factor_rows(config: Config, widths: Numerics, cycles: NormaliserCycles) -> list[StagePlan]:
    tables = widths.logarithms
    assert tables is not None
    return [
        StagePlan(
            "logarithm",
            f"log2 m, one table of {1 << tables.fraction} entries",
            f"{widths.divisor_format}",
            _format(widths),
            cycles.factor,
            "1 vector/cycle",
            len(tables.logarithm) * tables.working_fraction,
        )
    ]


def _rows(config: Config, widths: Numerics, cycles: NormaliserCycles, limits: Bound) -> list[StagePlan]:
    tables = widths.logarithms
    assert tables is not None
    positions, codes = tables.position, 2 << tables.fraction
    bits = len(positions) * int(positions.max()).bit_length() + codes * config.output_width
    return [
        StagePlan(
            "logarithm",
            f"2^-(log2 Σ − βx), tables of {len(positions)} and {codes} entries",
            f"UQ{config.score_width}.0, {_format(widths)}",
            config.probability_form,
            cycles.row("logarithm") + QUEUE_LATENCY,
            each_cycle(config),
            config.lanes * bits // (2 if far_lanes(config) else 1),
            float(limits.exponential + limits.normaliser + limits.rounding),
            "with the output queue",
        )
    ]


# A chain of 9 bits is no slower than the tables and the shift.
LOGARITHM = NormaliserPlan(_cycles, _factor_rows, _rows, fastest_segment=9)
