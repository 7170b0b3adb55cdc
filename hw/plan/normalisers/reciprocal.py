"""Reciprocal: once per vector 1/m, bit by bit or by chords; each element takes one product."""

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, NormaliserPlan
from softstream.hw.plan.normalisers.quotient import quotient_rows, quotient_steps
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.plan.texts import once

__all__ = ["RECIPROCAL"]


def _cycles(config: Config, widths: Numerics) -> NormaliserCycles:
    if widths.reciprocals is not None:
        steps = quotient_steps(config, widths, "reciprocal", 3)
        return NormaliserCycles(memory_cycles(config) + 2, steps, holds_sum=True)
    steps, bits = quotient_steps(config, widths, "reciprocal", 2), widths.reciprocal_width + 1
    if config.per_vector == "pipelined":
        return NormaliserCycles(bits - 1, steps)
    return NormaliserCycles(bits, steps, factor_interval=bits)


def _format(widths: Numerics) -> str:
    return f"{QFormat(0, widths.reciprocal_width)}"


def _factor_rows(config: Config, widths: Numerics, cycles: NormaliserCycles) -> list[StagePlan]:
    chords = widths.reciprocals
    method = "one bit a step" if chords is None else f"by {len(chords.start)} chords"
    return [
        StagePlan(
            "reciprocal",
            f"r = 1/m, {method}",
            f"{widths.divisor_format}",
            _format(widths),
            cycles.factor,
            once(cycles.factor_interval),
            0 if chords is None else chords.bits,
        )
    ]


def _rows(config: Config, widths: Numerics, cycles: NormaliserCycles, limits: Bound) -> list[StagePlan]:
    row = ("reciprocal", "M · r, one multiplier", _format(widths))
    return quotient_rows(config, widths, cycles, limits, row)


RECIPROCAL = NormaliserPlan(_cycles, _factor_rows, _rows)
