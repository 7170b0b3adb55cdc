"""The cycles within which a head answers, and what the proofs of all kinds of heads share."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.streams.flow import Credit
from softstream.sim.proofs.inside import InsideHead
from softstream.sim.proofs.refusal import Uncovered

__all__ = [
    "Bound",
    "OPENS",
    "RETURN",
    "TAKES",
    "all_of",
    "name_of",
    "parts_of",
    "uncovered",
]

TAKES = 4
"""Cycles in which all outputs are taken, after which what a store on a path offers is taken in every cycle."""

RETURN = 2
"""Cycles from the return of a credit to its use."""

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
    """F: beats in the stages between the input and the frame at most."""
    substitutes: int = 0
    """Beats that these stages give of their own at most, in place of those that a member of an ensemble lacks."""
    buffers: int = 0
    """Skid buffers among the stages."""
    entries: int = 0
    """Places before the frame at which a vector takes a credit that comes back with its result."""
    tail: int = 0
    """Cycles in the stages behind the last queue or register."""
    pause_cycles: int = 0
    """Cycles at most in which the sums of an ensemble pause the queue before them."""
    pause_count: int = 0
    """Number of these pauses at most; behind each one δ begins anew."""
    reopening: int | None = None
    """Until the gate opens anew behind a beat, while the outputs are taken, where it need not be `gate`."""

    @property
    def _reopening(self) -> int:
        """Cycles until the gate opens anew behind a beat, beside the elements."""
        return self.gate if self.reopening is None else self.reopening

    @property
    def _opens(self) -> int:
        """Cycles until the gate opens."""
        needed = self.elements if self.needed is None else self.needed
        return self.takes + self.gate + self.interval * needed

    @property
    def _front(self) -> int:
        """Cycles for which the beats in front of the frame wait for the gate anew.

        Behind an end that enters, the gate may be closed until its vector is complete; behind any other beat until one leaves.
        """
        return self._ends * self._reopening + (self.front + self.substitutes) * (self.interval + OPENS)

    @property
    def _ends(self) -> int:
        """Ends of vectors among the beats in front of the frame at most, and among the substitutes."""
        return self.front + bool(self.substitutes)

    @property
    def _pauses(self) -> int:
        return self.pause_cycles + self.pause_count * self.takes

    @property
    def _inside(self) -> int:
        """Cycles within which a vector that has passed the credits of entry gives them back."""
        served = self.interval * (self.elements + 1) if self.elements else 0
        return self.takes + self._front + self.gate + self.complete + served + self.leaves + self.tail + self._pauses

    @property
    def _entry(self) -> int:
        """Cycles until the credits of entry are available, if nothing passes them. They are until the next end passes.

        Vectors that have passed one place may wait for the next one, if there are several.
        """
        others = (self.entries - 1) * self._ends * self._next_entry if self.entries else 0
        return self.entries * (self._inside + RETURN) + others

    @property
    def _next_entry(self) -> int:
        """The same behind such an end, but for the cycles in which elements leave that were inside before."""
        return self._reopening + self.complete + self.leaves + self.tail + RETURN if self.entries else 0

    @property
    def input(self) -> int:
        """Cycles within which a beat is taken that waits."""
        # All that is in front of the frame may have to enter before a stage that gives beats of its own takes one.
        substitutes = self._front + self._ends * self._next_entry if self.substitutes else 0
        return self._opens + self._entry + OPENS * self.buffers + substitutes + self._pauses

    @property
    def cycles(self) -> int:
        """Cycles within which a beat is taken and a vector answered."""
        return self._inside + (self._entry + self._ends * self._next_entry if self._ends else 0)


def parts_of(head: InsideHead, kind: type) -> list[Any]:
    """The parts of a head of one kind."""
    return [part for part in head.parts if isinstance(part, kind)]


def all_of(values: Any) -> Value:
    """Whether all of the values are set."""
    return Cat(*values).all()


def name_of(credit: Credit) -> str:
    """A credit, as a statement names it."""
    return f"a {contract_of(credit).title}"


def uncovered(config: Config, reason: str) -> Uncovered:
    """The refusal of a head for a reason."""
    return Uncovered(f"prove --response: mode = {config.mode!r}; {reason}")
