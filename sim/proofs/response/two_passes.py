"""Heads of softmax in two passes, which take one vector after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.contracts.two_passes import TwoPassResponse, closed_cycles
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.plan.modes.two_pass import TwoPassSchedule, two_pass_schedule
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import Skid
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead
from softstream.sim.proofs.response.bound import OPENS, uncovered
from softstream.sim.proofs.response.surroundings import Surroundings, rows_of

__all__ = ["PassesBound", "TwoPassHead"]

_WAY = 3
"""Cycles from the input through the stage that drops null beats and the skid buffer, if both are empty and the head is open."""


@dataclass(frozen=True)
class PassesBound:
    """The cycles within which a head of two passes answers, and what they are made of."""

    longest: int
    """C(N): in which the input of the passes is closed behind a vector of max_length elements."""
    single: int
    """C(1): behind a vector of one element."""
    clear: int
    """c: from the last result of a vector to the opening of the input."""
    front: int = 0
    """F: beats between the input and the passes at most."""

    @property
    def input(self) -> int:
        """Cycles within which a beat is taken that waits: in the one behind those in which the input is closed."""
        return self.longest + (OPENS if self.front else 1)

    @property
    def cycles(self) -> int:
        """Cycles within which a complete vector is answered."""
        front = self.front * (self.single + 1) + _WAY if self.front else 0
        return front + self.longest - self.clear + 1


class TwoPassHead:
    """A head of softmax in two passes, alone or behind null beats. Raises `UserError` for one with other parts on a path."""

    def __init__(self, config: Config, paths: Sequence[Sequence[Any]]) -> None:
        self.config, self.head = config, InsideHead(config)
        self.places = counting.places_of(self.head)
        for path in paths:
            for step in path[:-1]:
                if type(self.places[step.target].part) not in (NullBeats, Skid, TwoPass):
                    raise uncovered(config, f"no contract states when the {self.places[step.target].name} answers")
            if any(step.cycles for step in path):
                raise uncovered(config, "stages stand before or behind the two passes")
        *front, passes = [step.target for step in paths[0][:-1]]
        self.passes = self.places[passes].part
        self.surroundings = Surroundings(passes, rows_of(config, self.places, front))

    @property
    def _schedule(self) -> TwoPassSchedule:
        return two_pass_schedule(self.passes.config)

    @property
    def bound(self) -> PassesBound:
        """The cycles of the response, of the longest vector and of those that wait in front."""
        longest, single = (closed_cycles(self._schedule, length) for length in (self.passes.config.max_length, 1))
        return PassesBound(longest, single, self._schedule.clear, self.surroundings.beats(self.places))

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """What the response relies on: title → (component, its contract)."""
        return {TwoPassResponse(self.passes).title: (self.passes, TwoPassResponse)}

    def state(self) -> None:
        """States that the input and the outputs are those of the two passes."""
        head, passes = self.head, self.passes
        self.surroundings.state(head, self.places, {})
        prefixes = {output.port: output.prefix for output in outputs(self.config)}
        for name, port in (("o", passes.o), ("o_best", passes.o_best)):
            prefix = prefixes.get(name)
            # Without winners at the outputs each one is taken at once.
            same = port.ready if prefix is None else port.ready == getattr(head.top, f"{prefix}_tready")
            what = "the winner is taken" if prefix is None else f"what {prefix} takes is taken"
            head.after(SETTLING, f"two passes: {what}", same)
