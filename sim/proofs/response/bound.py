"""The cycles within which a head answers, and what the proofs of all kinds of heads share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from amaranth import Cat, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.errors import UserError
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import Credit, Skid
from softstream.sim.proofs.inside import SETTLING, InsideHead

__all__ = [
    "Bound",
    "FRONT",
    "Front",
    "OPENS",
    "RETURN",
    "TAKES",
    "Uncovered",
    "all_of",
    "front_of",
    "name_of",
    "outputs_ready",
    "parts_of",
    "state_front",
    "uncovered",
]

TAKES = 4
"""Cycles in which all outputs are taken, after which what a store on a path offers is taken in every cycle."""

RETURN = 2
"""Cycles from the return of a credit to its use."""

FRONT = 4
"""Beats in the stage that drops null beats and in the skid buffer behind it."""

OPENS = 2
"""Cycles from a beat that the frame takes to the opening of the skid buffer before it, and to the beat that the input takes."""


@dataclass(frozen=True)
class Bound:
    """The cycles within which a head answers, and what they are made of."""

    takes: int
    """δ: until the outputs are taken and the ring has room."""
    complete: int
    """V: from a vector's end that enters to its first element that may leave the ring."""
    elements: int
    """E: elements that are inside at most."""
    interval: int
    """r: cycles for each."""
    gate: int
    """max(V + T, U): until the gate opens, beside the elements."""
    leaves: int
    """Q: from the ring, or from the gate, to the output."""
    needed: int | None = None
    """Elements that must leave at most before the gate opens, where that is not all of them."""
    front: int = 0
    """F: beats between the input and the frame at most."""

    @property
    def input(self) -> int:
        """Cycles within which a beat is taken that waits."""
        needed = self.elements if self.needed is None else self.needed
        return self.takes + self.gate + self.interval * needed + (OPENS if self.front else 0)

    @property
    def cycles(self) -> int:
        """Cycles within which a beat is taken and a vector answered."""
        served = self.interval * (self.elements + 1) if self.elements else 0
        front = self.front * (self.gate + self.interval + 2)
        return self.takes + front + self.gate + self.complete + served + self.leaves


def parts_of(head: InsideHead, kind: type) -> list[Any]:
    """The parts of a head of one kind."""
    return [part for part in head.parts if isinstance(part, kind)]


def all_of(values: Any) -> Value:
    """Whether all of the values are set."""
    return Cat(*values).all()


def name_of(credit: Credit) -> str:
    """A credit, as a statement names it."""
    return f"a {contract_of(credit).title}"


def outputs_ready(head: InsideHead, config: Config, cycles: int) -> Value:
    """Whether all outputs were taken in this cycle and in some before, without a reset."""
    now = all_of(getattr(head.top, f"{output.prefix}_tready") for output in outputs(config))
    return now & all_of(head.before(now, cycle) for cycle in range(1, cycles + 1))


class Front(NamedTuple):
    """The places in front of the frame."""

    stage: Any
    """The stage that drops null beats."""
    skid: Any
    """The skid buffer behind it, whose ready is the clock enable of the stage."""


def front_of(places: Sequence[Any]) -> Front | None:
    """The stage that drops null beats and its skid buffer, where there is one."""
    stage = next((place for place in places if isinstance(place.part, NullBeats)), None)
    if stage is None:
        return None
    skids = (place for place in places if isinstance(place.part, Skid))
    return Front(stage, next(skid for skid in skids if skid.part.i.ready is stage.enable))


def state_front(head: InsideHead, front: Front, stream: Any, name: str) -> None:
    """The stage that drops null beats moves while the skid buffer is open, and a part takes from the skid buffer by `stream`."""
    skid = front.skid.part
    open_input = Cat(head.top.s_axis_tready, front.stage.enable).all() | ~skid.i.ready
    closed = ~Cat(head.top.s_axis_tready, front.stage.enable).any() | skid.i.ready
    same = Cat(skid.o.valid, skid.o.ready) == Cat(stream.valid, stream.ready)
    offered = skid.i.valid == front.stage.part.o.valid
    head.after(SETTLING, "input: it and the null beats move while the skid buffer is open", open_input & closed)
    head.after(SETTLING, f"skid buffer: the null beats are before it and the {name} behind it", same & offered)
    opens = ~head.before(skid.o.ready) | skid.i.ready
    head.after(SETTLING, f"skid buffer: it is open behind a cycle in which the {name} takes", opens)


class Uncovered(UserError):
    """A head that is not covered, and the reason; the remedy is looked for where the error leaves this module."""


def uncovered(config: Config, reason: str) -> Uncovered:
    """The refusal of a head for a reason."""
    return Uncovered(f"prove --response: mode = {config.mode!r}; {reason}")
