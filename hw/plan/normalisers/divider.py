"""Divider: each element is divided by its vector's sum, one quotient bit a step."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, NormaliserPlan
from softstream.hw.plan.normalisers.quotient import quotient_rows, quotient_steps
from softstream.hw.plan.records import StagePlan

__all__ = ["DIVIDER"]


def _cycles(config: Config, widths: Numerics) -> NormaliserCycles:
    serial = config.profile == "small"
    quotient = widths.quotient_width + serial
    steps = quotient_steps(config, widths, "divider", quotient)
    return NormaliserCycles(0, steps, quotient_interval=widths.quotient_width + 1 if serial else 1)


def _rows(config: Config, widths: Numerics, cycles: NormaliserCycles, limits: Bound) -> list[StagePlan]:
    row = ("divider", "M / m, one bit a step", f"{widths.divisor_format}")
    return quotient_rows(config, widths, cycles, limits, row)


DIVIDER = NormaliserPlan(_cycles, lambda config, widths, cycles: [], _rows)
