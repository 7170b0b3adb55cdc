"""Plan of softmax in two passes: one vector at a time, one table of differences, one divider."""

from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.two_pass import differences
from softstream.hw.plan.records import Cycles, Plan, StagePlan
from softstream.hw.plan.rows import length_warnings, maximum_row
from softstream.hw.plan.stage_cycles import direct_cycles

__all__ = ["TwoPassSchedule", "two_pass_plan", "two_pass_schedule"]


LOOKUP = 3
"""From an address to the exponential: the memory of scores, the difference and the table, without registers behind them."""


@dataclass(frozen=True)
class TwoPassSchedule:
    """Cycles of the head in two passes (`two_pass`), which accepts a vector when the one before has left."""

    registers: int
    """Behind the memory of scores, and as many behind the table."""
    lookup: int
    """From an address to the exponential of the element that is stored there."""
    element: int
    """Cycles for each division: a quotient bit in each, and one that rounds."""
    output: int
    """From an element's load to its probability."""
    clear: int
    """From the transfer of a vector's last probability to the first in which the next vector's first score is accepted."""

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
    # The exponential of the next element must be there when the division of an element ends, two cycles before its load moves
    # the address again.
    registers = min(direct_cycles(config) - 1, (element - 2 - LOOKUP) // 2)
    return TwoPassSchedule(registers, lookup=LOOKUP + 2 * registers, element=element, output=element + 1, clear=2)


def two_pass_plan(config: Config, limits: Bound) -> Plan:
    table, cycles = differences(config), two_pass_schedule(config)
    position, total = f"UQ{config.score_width}.0", f"{QFormat(table.sum_width - table.fraction, table.fraction)}"
    exponential = f"{QFormat(0, table.fraction)}"
    spacing = f"{cycles.element} cycles/element"
    stages = (
        maximum_row(config, 1),
        StagePlan(
            "two_pass",
            f"Σ 2^(−βd), d = maximum − score: one table of {len(table.entries)} entries",
            position,
            total,
            1 + cycles.lookup,
            "1 element/cycle",
            table.bits,
            float(limits.exponential),
            f"with a memory of the scores, {config.max_length * (config.score_width + config.mask)} bits",
            config.max_length * (config.score_width + config.mask),
        ),
        StagePlan(
            "two_pass",
            f"2^(−βd) / Σ, one bit a step, without the lowest {table.dropped} bits",
            f"{exponential}, {total}",
            f"{config.probability_qformat}",
            cycles.output + 2,
            spacing,
            bound_share_ulp=float(limits.normaliser + limits.rounding),
            note="rounded half up, saturated",
        ),
    )
    return Plan(
        config=config,
        stages=stages,
        fixed_latency_cycles=cycles.first_output,
        best_latency_cycles=0,
        interval_terms=(Cycles(cycles.element + 2, cycles.vector),),
        output_spacing=cycles.element,
        bound=limits,
        warnings=tuple(length_warnings(config)),
        passes=2,
    )
