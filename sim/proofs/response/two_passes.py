"""Heads of softmax in two passes, which take one vector after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from amaranth import Cat

from softstream.hw.config.config import Config
from softstream.hw.contracts.two_passes import TwoPassResponse, closed_cycles
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.plan.modes.two_pass import TwoPassSchedule, two_pass_schedule
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import Skid
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead
from softstream.sim.proofs.response.bound import OPENS, parts_of, uncovered

__all__ = ["PassesBound", "TwoPassHead"]

_FRONT = 4
"""Beats in the stage that drops null beats and in the skid buffer behind it."""

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

    def __init__(self, config: Config) -> None:
        places = counting.places_of(InsideHead(config))
        for path in counting.paths_of(config):
            for step in path[:-1]:
                if type(places[step.target].part) not in (NullBeats, Skid, TwoPass):
                    raise uncovered(config, f"no contract states when the {places[step.target].name} answers")
            if any(step.cycles for step in path):
                raise uncovered(config, "stages stand before or behind the two passes")
        self.config, self.head = config, InsideHead(config)
        self.front = _front_of(counting.places_of(self.head))
        [self.passes] = parts_of(self.head, TwoPass)

    @property
    def _schedule(self) -> TwoPassSchedule:
        return two_pass_schedule(self.passes.config)

    @property
    def bound(self) -> PassesBound:
        """The cycles of the response, of the longest vector and of those that wait in front."""
        longest, single = (closed_cycles(self._schedule, length) for length in (self.passes.config.max_length, 1))
        return PassesBound(longest, single, self._schedule.clear, _FRONT if self.front else 0)

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """What the response relies on: title → (component, its contract)."""
        return {TwoPassResponse(self.passes).title: (self.passes, TwoPassResponse)}

    def state(self) -> None:
        """States that the input and the outputs are those of the two passes."""
        head, passes = self.head, self.passes
        if self.front is None:
            head.after(SETTLING, "input: it is that of the two passes", head.top.s_axis_tready == passes.i.ready)
        else:
            _state_front(head, self.front, passes)
        prefixes = {output.port: output.prefix for output in outputs(self.config)}
        for name, port in (("o", passes.o), ("o_best", passes.o_best)):
            prefix = prefixes.get(name)
            # Without winners at the outputs each one is taken at once.
            taken = port.ready if prefix is None else port.ready == getattr(head.top, f"{prefix}_tready")
            what = "the winner is taken" if prefix is None else f"what {prefix} takes is taken"
            head.after(SETTLING, f"two passes: {what}", taken)


class _Front(NamedTuple):
    """The places in front of the frame."""

    stage: Any
    """The stage that drops null beats."""
    skid: Any
    """The skid buffer behind it, whose ready is the clock enable of the stage."""


def _front_of(places: Sequence[Any]) -> _Front | None:
    """The stage that drops null beats and its skid buffer, where there is one."""
    stage = next((place for place in places if isinstance(place.part, NullBeats)), None)
    if stage is None:
        return None
    skids = (place for place in places if isinstance(place.part, Skid))
    return _Front(stage, next(skid for skid in skids if skid.part.i.ready is stage.enable))


def _state_front(head: InsideHead, front: _Front, passes: TwoPass) -> None:
    """The stage that drops null beats moves while the skid buffer is open, and the two passes take from the skid buffer."""
    skid = front.skid.part
    open_input = Cat(head.top.s_axis_tready, front.stage.enable).all() | ~skid.i.ready
    closed = ~Cat(head.top.s_axis_tready, front.stage.enable).any() | skid.i.ready
    same = Cat(skid.o.valid, skid.o.ready) == Cat(passes.i.valid, passes.i.ready)
    offered = skid.i.valid == front.stage.part.o.valid
    head.after(SETTLING, "input: it and the null beats move while the skid buffer is open", open_input & closed)
    head.after(SETTLING, "skid buffer: the null beats are before it and the two passes behind it", same & offered)
    opens = ~head.before(skid.o.ready) | skid.i.ready
    head.after(SETTLING, "skid buffer: it is open behind a cycle in which the two passes take", opens)
