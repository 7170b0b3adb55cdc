"""Draws by a search among a list: the list gives its elements to a gate of their own, in front of the ring.

    frame ─► gate ─► list ─► ranked store ─► draw set ─► skid buffer ─► second gate ─► ring ─► search

What is behind the second gate is a head that draws by a search; its frame is the skid buffer. Before it up to L beats wait:
those that the store has read, those of the draw set and of the skid buffer. The store reads an element in each cycle in which its
output is free, if a vector is there that is complete, and the stages behind it move in the same cycles: while the skid buffer is
open. It opens as soon as the second gate has let a beat pass. Cycles in which nothing is offered to an open gate move the stages
as well. Behind an end the next opening may take a cycles, behind any other beat those in which an element leaves the ring, and 2
until the skid buffer is open and offers the next beat. The cycles in which a credit comes back count once, in G or in a, because
further elements leave meanwhile. So a vector of K elements passes within

    p = K · (r + 2) + a    cycles, r those of an element of the ring,

and each of the L beats, which may be an end, within r + 2 + a.

The first gate waits for the credit of the vectors in the store. V cycles after the last end has entered, the first element of
each of them may be read. With G cycles until the second gate opens, and x vectors by which the limit E of the credit exceeds
what may be out while it is available,

    input      V + G + L · (r + 2 + a) + (x + 1) · p + 3
    answer     input + V + (E − x) · p + S

where S is the answer of the second gate to a beat that waits there. Each beat in front of the first frame may end a vector, and
wait until that one is complete and another one has passed: V + p + 5 cycles more for an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.response import settled_credit
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import Replay
from softstream.hw.streams.flow import Credit, Skid
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead, observed
from softstream.sim.proofs.response.bound import OPENS, RETURN, Bound, name_of, parts_of, uncovered
from softstream.sim.proofs.response.clock_enable import last_frame
from softstream.sim.proofs.response.surroundings import (
    Row,
    Surroundings,
    row_beats,
    rows_of,
    state_row,
    tail_of,
)
from softstream.sim.proofs.rooms import READ_OUTS, Link

__all__ = ["FrontList", "ListSearchBound", "front_list_of"]


@dataclass(frozen=True)
class ListSearchBound:
    """The cycles within which a search among a list answers, and what they are made of."""

    second: Bound
    """Of the second gate and what is behind it, for a beat that waits at the gate."""
    complete: int
    """V: from a vector's end that enters to its first element that may be read."""
    vectors: int
    """E: vectors in the store at most."""
    needed: int
    """x: those that must leave at most before the credit is available."""
    elements: int
    """K: elements of a vector at most."""
    between: int
    """L: beats between the store and the second gate at most."""
    front: int = 0
    """F: beats in the stages between the input and the frame at most."""
    buffers: int = 0
    """Skid buffers among these stages."""

    @property
    def _beat(self) -> int:
        return self.second.interval + OPENS

    @property
    def _vector(self) -> int:
        """p: cycles in which a vector passes the second gate."""
        return self.elements * self._beat + self.second.gate

    @property
    def _first(self) -> int:
        """Cycles within which the first gate opens."""
        between = self.between * (self._beat + self.second.gate)
        passes = (self.needed + 1) * self._vector
        return self.complete + self.second.input + between + passes + RETURN + 1

    @property
    def input(self) -> int:
        """Cycles within which a beat is taken that waits."""
        return self._first + OPENS * self.buffers

    @property
    def cycles(self) -> int:
        """Cycles within which a beat is taken and a vector answered."""
        front = self.front * (self.complete + self._vector + RETURN + 1 + OPENS)
        others = (self.vectors - self.needed) * self._vector
        return self._first + front + self.complete + others + self.second.cycles


@dataclass(frozen=True)
class FrontList:
    """The list before the second gate, by numbers, because each elaboration has parts of its own."""

    credit: int
    """Number of the credit of the vectors in the store."""
    store: int
    """Number of the place of the store."""
    row: Row
    """The draw set and the skid buffer behind it."""
    surroundings: Surroundings
    """What stands around the first gate."""

    @property
    def second(self) -> Surroundings:
        """What stands around the second gate: nothing, and the skid buffer is its frame."""
        return Surroundings(self.row.skid, ())

    def bound(self, second: Bound, links: dict[int, Link], places: Sequence[Any]) -> ListSearchBound:
        """The cycles of the response, of those of the second gate."""
        store, link = places[self.store].part, links[self.credit]
        return ListSearchBound(
            second,
            link.cycles + QUEUE_LATENCY + 1,  # an element is read behind the cycle in which its order is offered
            link.credit.limit,
            link.credit.limit - settled_credit(link.credit),
            store.config.top_k,
            store.cycles + row_beats(places, self.row),
            self.surroundings.beats(places),
            len(self.surroundings.rows),
        )

    def state(self, head: InsideHead, places: Sequence[Any]) -> None:
        """States what is before the second gate: the input, the first gate, the store, and the row behind it."""
        self.surroundings.state(head, places, {})
        frame, credit = places[self.surroundings.frame].part, parts_of(head, Credit)[self.credit]
        ends = frame.o.valid & frame.o.ready & frame.o.payload.last
        head.after(SETTLING, f"gate of the list: each end takes {name_of(credit)}", credit.take == ends)
        opens: Value = credit.available & head.before(credit.available)
        head.after(SETTLING, f"gate of the list: it opens where {name_of(credit)} is available", ~opens | frame.o.ready)
        store, first = places[self.store], places[self.row.stages[0]]
        head.after(SETTLING, f"{store.name}: a vector may always begin", store.part.free)
        head.after(SETTLING, f"{store.name}: it is that of the {first.name}", store.part.o.ready == first.enable)
        offered = first.part.i.valid == store.part.o.valid
        head.after(SETTLING, f"{store.name}: its beat is offered to the {first.name}", offered)
        state_row(head, places, self.row, f"{places[self.row.skid].name} behind the {first.name}")


def front_list_of(config: Config, paths: Sequence[Sequence[Any]]) -> FrontList | None:
    """The list before a second gate; None where no list stands before a ring.

    Raises `Uncovered` where no contract says when the list answers.
    """
    head = observed(config)
    places = counting.places_of(head)
    numbers = [step.target for step in paths[0][:-1]]
    kinds = [type(places[number].part) for number in numbers]
    lists = [at for at, kind in enumerate(kinds) if issubclass(kind, READ_OUTS)]
    if not lists or Replay not in kinds[lists[0] :]:
        return None
    [at] = lists
    if kinds[at] is not RankedStore:
        raise uncovered(config, f"no contract states when the {places[numbers[at]].name} answers")
    ring = kinds.index(Replay)
    frame = last_frame(places, numbers[:at])
    if len(paths) > 1 or frame is None or Skid not in kinds[at:ring]:
        raise uncovered(config, "stages stand before or behind the list")
    first = Surroundings(frame, rows_of(config, places, numbers[: numbers.index(frame)]))
    *rest, row = rows_of(config, places, numbers[at + 1 : ring])
    if rest or not row.stages:
        raise uncovered(config, "stages stand behind the list")
    if first.substitutes(places) or tail_of(config, places, numbers[ring:]):
        raise uncovered(config, "sums stand before the list, or stages behind the draws")
    return FrontList(_credit(config, frame), numbers[at], row, first)


def _credit(config: Config, frame_number: int) -> int:
    """Number of the credit that each end takes as it enters the list, as a simulation suggests."""
    head = observed(config)
    frame, credits = counting.places_of(head)[frame_number].part, parts_of(head, Credit)
    ends, *takes = head.traces([frame.o.valid & frame.o.ready & frame.o.payload.last, *(part.take for part in credits)])
    if ends not in takes:
        raise uncovered(config, "no credit is known that each end takes as it enters the list")
    return takes.index(ends)
