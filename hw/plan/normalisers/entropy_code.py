"""The entropy of a vector from its two sums: a quotient, a logarithm and a difference, once per vector."""

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.entropy import EntropyNumerics, entropy_numerics
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, NormaliserPlan
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.plan.texts import once

__all__ = ["ENTROPY_CODE", "entropy_code_cycles", "entropy_code_row"]


def entropy_code_cycles(config: Config, numbers: EntropyNumerics) -> int:
    """From the normalised sums to the code, and between two vectors: a cycle per bit, load, weight and difference, and in `fast`
    one for the upper half of the mean."""
    return numbers.steps + 3 + (config.profile == "fast")


def _cycles(config: Config, widths: Numerics) -> NormaliserCycles:
    cycles = entropy_code_cycles(config, entropy_numerics(config))
    return NormaliserCycles(cycles, (), factor_interval=cycles)


def entropy_code_row(config: Config, numbers: EntropyNumerics, limits: Bound) -> StagePlan:
    cycles = entropy_code_cycles(config, numbers)
    mean = QFormat(numbers.position_bits, numbers.quotient_fraction)
    return StagePlan(
        "entropy_code",
        f"log2 Σ − (β·Σ 2^(β·i)·i) / Σ: {numbers.steps} bits of a quotient, a table of {1 << numbers.fraction} entries; "
        "rounded half up",
        f"n {numbers.widths.sum_exponent_width} bits, m {numbers.widths.divisor_format}, {mean}",
        f"{numbers.format}",
        cycles + QUEUE_LATENCY,
        once(cycles),
        numbers.table_bits,
        float(limits.exponential + limits.normaliser + limits.rounding),
        "with the output queue",
    )


# The mode that uses it states its rows: their bound and formats are those of `entropy_numerics`.
ENTROPY_CODE = NormaliserPlan(_cycles, lambda config, widths, cycles: [], lambda config, widths, cycles, limits: [])
