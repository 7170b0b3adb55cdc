"""Natural logarithm of the sum, from tables: what log-softmax and cross-entropy subtract."""

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.log_softmax import LogNumerics
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, NormaliserPlan, Step
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.stage_cycles import memory_cycles

__all__ = ["LOG_SUM", "log_sum_row", "positions_text"]


def _cycles(config: Config, widths: Numerics) -> NormaliserCycles:
    memory = memory_cycles(config)
    # The position in nats comes from one table, or from two tables and a sum.
    nats = memory + (widths.tables.low_width > 0)
    steps = (("nats", nats), ("difference", 1), ("round", 1))
    emission = tuple(Step("log_softmax", name, cycles) for name, cycles in steps)
    return NormaliserCycles(memory + 2, emission, holds_sum=True)


def log_sum_row(config: Config, numbers: LogNumerics, limits: Bound) -> StagePlan:
    tables = numbers.tables
    return StagePlan(
        "log_sum",
        f"ln Σ, tables of {len(tables.octave)} and {1 << tables.fraction} entries",
        f"{numbers.widths.divisor_format}",
        f"{QFormat(numbers.widths.sum_exponent_width, tables.working_fraction)}",
        _cycles(config, numbers.widths).factor,
        "1 vector/cycle",
        tables.sum_bits,
        float(limits.exponential + limits.normaliser),
    )


def positions_text(numbers: LogNumerics) -> str:
    """How a position becomes nats."""
    tables = numbers.tables
    if tables.position_shift is not None:
        return "the position shifted"
    parts = [len(entries) for entries in (tables.position_high, tables.position_low) if len(entries)]
    return f"{'table' if len(parts) == 1 else 'tables'} of {' and '.join(map(str, parts))} entries"


# The modes that use it state its rows: their bounds and formats are those of `log_numerics`.
LOG_SUM = NormaliserPlan(_cycles, lambda config, widths, cycles: [], lambda config, widths, cycles, limits: [])
