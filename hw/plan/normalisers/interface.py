"""The facts that the plan needs of a normaliser: the cycles of its stages, and their rows."""

from collections.abc import Callable
from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.texts import each_cycle

__all__ = ["NormaliserCycles", "NormaliserPlan", "Step", "element_interval"]


@dataclass(frozen=True)
class Step:
    """One step from a stored element to its probability."""

    row: str
    """Row of the plan that contains the step."""
    name: str
    cycles: int


@dataclass(frozen=True)
class NormaliserCycles:
    """Clock cycles of a normaliser for one configuration."""

    factor: int
    """From the normalised sum of a vector to its factor."""
    emission: tuple[Step, ...]
    """From a stored element to its probability, in data-path order."""
    factor_interval: int = 1
    """Between two factors, at the least."""
    quotient_interval: int = 1
    """Between two elements, at the least."""
    holds_sum: bool = False
    """Whether a serial head must hold the normalised sum until the factor is complete, because tables are still read by it."""

    late: int = 0
    """From a stored element to the request for its vector's factor, where that comes later than with the exponential."""

    @property
    def probability(self) -> int:
        """From a stored element to its probability."""
        return sum(step.cycles for step in self.emission)

    def row(self, name: str) -> int:
        """Cycles of the steps that a row of the plan contains."""
        return sum(step.cycles for step in self.emission if step.row == name)

    def step(self, name: str) -> int:
        """Cycles of one step."""
        return next(step.cycles for step in self.emission if step.name == name)


@dataclass(frozen=True)
class NormaliserPlan:
    """One normaliser: the row of `NORMALISER_PLANS`."""

    cycles: Callable[[Config, Numerics], NormaliserCycles]
    factor_rows: Callable[[Config, Numerics, NormaliserCycles], list[StagePlan]]
    """Rows of the stages that work once per vector, behind the leading-one detector."""
    emission_rows: Callable[[Config, Numerics, NormaliserCycles, Bound], list[StagePlan]]
    """Rows of the stages from the stored element to the probability."""
    fastest_segment: int = 11
    """Longest carry chain of the accumulator in the profile `fastest`, in bits: that of the normaliser's slowest stage."""


def element_interval(config: Config, cycles: NormaliserCycles) -> str:
    """How often the quotient takes an element, as rows state it."""
    if cycles.quotient_interval == 1:
        return each_cycle(config)
    return f"{cycles.quotient_interval} cycles/{'element' if config.lanes == 1 else 'beat'}"
