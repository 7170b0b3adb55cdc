"""Proof that the stores of a head have room for whatever arrives, at the head's full size.

The contract of a queue, a ring or a store of factors assumes room, which a credit elsewhere has to assure. With L the latency of
the stages between, this follows from three statements about the head, each proved for all inputs and all time:

* a payload arrives at the store if and only if its credit was taken L cycles before;
* the credit comes back if and only if a payload leaves the store;
* the credit is taken as the contract of the credit assumes, so that never more than its limit is out.

The payloads in the store and the ones on the way are those that are out, so the store never holds more than the limit. A short
simulation tells which credit belongs to which store, and L. The proof assumes nothing of the head's state: it shows that the
statements hold from a reset on, and some cycles after any contents at all, because the stages between lose theirs in L cycles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Queue
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between

__all__ = ["Link", "prove_rooms", "room_links", "state_rooms"]


@dataclass(frozen=True)
class Link:
    """A credit, the store whose room it assures, and the cycles from a take to the arrival."""

    credit: Credit
    store: Any
    cycles: int

    @property
    def name(self) -> str:
        """As a person reads it."""
        credit = f"a credit of {self.credit.limit}, margin {self.credit.margin}"
        return f"{_kind(self.store)} for {_capacity(self.store)}: arrivals took {credit}, {self.cycles} cycles before"


def _kind(store: Any) -> str:
    return {Queue: "queue", Replay: "ring", FactorStore: "store of factors"}[type(store)]


def _capacity(store: Any) -> int:
    """Payloads for which a store has room."""
    return int(store.room if isinstance(store, Queue) else store.beats if isinstance(store, Replay) else store.needed)


def _leaves(store: Any) -> Value:
    """Whether a payload leaves a store."""
    if isinstance(store, Queue):
        return store.o.valid & store.o.ready
    return store.leaves if isinstance(store, Replay) else store.next


def _credits(head: InsideHead) -> list[Credit]:
    return [part for part in head.parts if isinstance(part, Credit)]


def _stores(head: InsideHead) -> list[Any]:
    return [part for part in head.parts if isinstance(part, (Queue, Replay, FactorStore))]


def _numbers(config: Config) -> list[tuple[int, int, int]]:
    """(number of a credit, number of the store whose room it seems to assure, cycles): candidates for a proof."""
    head = InsideHead(config)
    credits, stores = _credits(head), _stores(head)
    signals = [
        *(signal for credit in credits for signal in (credit.take, credit.give)),
        *(signal for store in stores for signal in (store.i.valid, _leaves(store))),
    ]
    if not credits or not stores:
        return []
    columns = head.traces(signals)
    pairs = [*zip(columns[::2], columns[1::2], strict=True)]
    candidates = []
    for number, (credit, (takes, gives)) in enumerate(zip(credits, pairs, strict=False)):
        for place, (store, (arrivals, departures)) in enumerate(zip(stores, pairs[len(credits) :], strict=True)):
            cycles = cycles_between(takes, arrivals) if gives == departures and any(gives) else None
            if cycles is not None and credit.limit <= _capacity(store):
                candidates.append((number, place, cycles))
    return candidates


def room_links(config: Config, head: InsideHead) -> list[Link]:
    """The credits of a head and the stores whose room they seem to assure: candidates for a proof."""
    credits, stores = _credits(head), _stores(head)
    return [Link(credits[number], stores[place], cycles) for number, place, cycles in _numbers(config)]


def state_rooms(head: InsideHead, links: Sequence[Link]) -> None:
    """States that the credits assure the room of their stores."""
    for link in links:
        head.after(link.cycles + SETTLING, link.name, link.store.i.valid == head.before(link.credit.take, link.cycles))
        comes_back = link.credit.give == _leaves(link.store)
        head.after(SETTLING, f"{link.name}; and it comes back as they leave", comes_back)
    for credit in dict.fromkeys(link.credit for link in links):
        take_before, available_before = head.before(credit.take), head.before(credit.available)
        uncounted = take_before + (head.before(credit.take, 2) & ~credit.available)
        late = credit.take & ~credit.available & ~available_before
        obeyed = ~late & (~credit.take | (uncounted <= credit.margin))
        head.after(SETTLING, f"{contract_of(credit).title}: taken as its contract assumes", obeyed)


def prove_rooms(config: Config, *, seconds: float = 60.0) -> list[Verdict]:
    """The verdicts on the room of the stores of a head, for each credit and store that belong together.

    Nothing is said of a store whose credit comes back at another time than a payload leaves it.
    """
    head = InsideHead(config)
    state_rooms(head, room_links(config, head))
    return head.prove(seconds) if head.statements else []
