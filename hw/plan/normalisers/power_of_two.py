"""Power of two: each element is shifted by the exponent of its vector's sum, without a division."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, NormaliserPlan
from softstream.hw.plan.normalisers.quotient import quotient_rows, quotient_steps
from softstream.hw.plan.records import StagePlan

__all__ = ["POWER_OF_TWO"]


def _cycles(config: Config, widths: Numerics) -> NormaliserCycles:
    return NormaliserCycles(0, quotient_steps(config, widths, "power_of_two", 0))


def _rows(config: Config, widths: Numerics, cycles: NormaliserCycles, limits: Bound) -> list[StagePlan]:
    row = ("power_of_two", "M / 2: over a power of two, no divider", "–")
    return quotient_rows(config, widths, cycles, limits, row)


POWER_OF_TWO = NormaliserPlan(_cycles, lambda config, widths, cycles: [], _rows)
