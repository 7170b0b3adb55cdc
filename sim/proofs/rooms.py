"""Proof that the stores of a head have room for whatever arrives, at the head's full size.

The contract of a queue, a ring, a store of factors or a ranked store assumes room, which a credit elsewhere has to assure. With
L the latency of the stages between, this follows from three statements about the head, each proved for all inputs and all time:

* a payload arrives at the store if and only if its credit was taken L cycles before;
* the credit comes back if and only if a payload leaves the store;
* the credit is taken as the contract of the credit assumes, so that never more than its limit is out.

The payloads in the store and the ones on the way are those that are out, so the store never holds more than the limit. Those of
a ranked store are vectors: one arrives with its order, and leaves when its last element is read. Its contract says that the queue
of orders inside has room then.

The draw of a vector takes its credit with the vector's first element that leaves the ring, because no other one may leave without
room for the draw; it arrives L cycles after the last element. The first element is the one behind a last one, or behind a reset.
So no more draws have arrived than vectors have begun to leave, and a queue of draws never holds more than the limit either. A
search among all elements of a vector gives the draw as soon as its element is known. By the contracts of the search and of its
sum (`hw/contracts/draws.py`) it gives at most one for each vector, and none before the vector's first element.

A queue may be read on request: its credit comes back with the request, whether the queue offers a payload or not. That it does
so depends on the order of events in two parts of the head, and no induction over a few cycles shows it. For such a queue the
second statement is that requests alone bring the credit back, and a fourth one says that a request finds a payload. A search of
the cycles from a reset until after the first result decides the fourth one for these cycles; it stays open for later ones.

A short simulation tells which credit belongs to which store, and L. The proof assumes nothing of the head's state: it shows that
the statements hold from a reset on, and some cycles after any contents at all, because the stages between lose theirs in L
cycles.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from amaranth import Cat, Const, Mux, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of, has_contract
from softstream.hw.contracts.flow import credit_obeyed, credit_reach
from softstream.hw.modes.inverse_cdf import InverseCdf
from softstream.hw.plan.derive import plan
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Queue
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between
from softstream.sim.proofs.proof import Proof

__all__ = [
    "Link",
    "Vectors",
    "credit_history",
    "has_stores",
    "prove_rooms",
    "prove_store_rooms",
    "room_links",
    "state_rooms",
    "stores_with_room",
]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Elements of vectors in a row, the first of which takes a credit for what follows the last."""

    valid: Value
    last: Value
    starts: Value
    """Register of the head: the next element is a vector's first."""


@dataclass(frozen=True)
class Link:
    """A credit, the store whose room it assures, and the cycles from a take to the arrival."""

    credit: Credit
    store: Any
    cycles: int
    on_request: bool = False
    """Whether the store is a queue that is read on request."""
    vectors: Vectors | None = None
    """Where a vector's first element takes the credit, and the cycles are those from its last one."""
    search: CdfSearch | None = None
    """Where the payload is the draw of a search among the vector's elements, and the cycles are those from the draw."""

    @property
    def ends(self) -> Value:
        """What arrives `cycles` later."""
        if self.search is not None:
            return self.search.o.valid
        return self.credit.take if self.vectors is None else self.vectors.valid & self.vectors.last

    @property
    def name(self) -> str:
        """As a person reads it."""
        store = f"{_kind(self.store)} for {_capacity(self.store)}"
        arrivals = f"{store}: arrivals took a credit of {self.credit.limit}, margin {self.credit.margin}"
        if self.search is not None:
            return f"{arrivals}, with their vector's first element, and are the draws of a search"
        if self.vectors is not None:
            return f"{arrivals}, with their vector's first element, and come {self.cycles} cycles after its last"
        return f"{arrivals}, {self.cycles} cycles before"


def _kind(store: Any) -> str:
    return {Queue: "queue", Replay: "ring", FactorStore: "store of factors", RankedStore: "ranked store"}[type(store)]


def _capacity(store: Any) -> int:
    """Payloads for which a store has room."""
    if isinstance(store, (Queue, RankedStore)):
        return store.room
    return int(store.beats if isinstance(store, Replay) else store.needed)


def _arrives(store: Any) -> Value:
    """Whether a payload arrives at a store."""
    return store.order.valid if isinstance(store, RankedStore) else store.i.valid


def _leaves(store: Any) -> Value:
    """Whether a payload leaves a store."""
    if isinstance(store, RankedStore):
        return store.ends
    if isinstance(store, Queue):
        return store.o.valid & store.o.ready
    return store.leaves if isinstance(store, Replay) else store.next


def _credits(head: InsideHead) -> list[Credit]:
    return [part for part in head.parts if isinstance(part, Credit)]


def _stores(head: InsideHead) -> list[Any]:
    """The stores of a head, without the queues inside of ranked stores."""
    inner = [part.queue for part in head.parts if isinstance(part, RankedStore)]
    return [
        part
        for part in head.parts
        if isinstance(part, (Queue, Replay, FactorStore, RankedStore)) and not any(part is queue for queue in inner)
    ]


def _vectors(head: InsideHead) -> list[Vectors]:
    """The elements that leave the rings of heads which draw once per vector."""
    heads = [part for part in head.parts if isinstance(part, InverseCdf)]
    rings = [part for part in head.parts if isinstance(part, Replay)] if heads else []
    return [
        Vectors(ring.o.valid, ring.o.payload.last, head.probes.registers(part)["starts"])
        for part, ring in zip(heads, rings, strict=True)
    ]


def _searches(head: InsideHead) -> list[CdfSearch]:
    """The searches of a head that have a contract: those among all elements of a vector."""
    return [part for part in head.parts if isinstance(part, CdfSearch) and has_contract(part)]


def _requests(store: Any) -> Value:
    """Whether a payload of a queue is asked for, whether the queue offers one or not."""
    return store.o.ready if isinstance(store, Queue) else Const(0, 1)


@dataclass(frozen=True)
class _Candidate:
    """A link by the numbers of its credit and its store, because each elaboration of a head has parts of its own."""

    credit: int
    store: int
    cycles: int
    may_be_requested: bool
    """Whether the store is a queue whose requests agree with what the credit gets back, as a simulation shows."""
    on_request: bool = False
    vectors: int | None = None
    """Number of the elements whose first one takes the credit."""
    search: int | None = None
    """Number of the search whose draws arrive."""


def _candidates(config: Config) -> list[_Candidate]:
    """The credits and the stores whose room they seem to assure."""
    head = InsideHead(config)
    credits, stores, rows, searches = _credits(head), _stores(head), _vectors(head), _searches(head)
    signals = [
        *(search.o.valid for search in searches),
        *(signal for row in rows for signal in (row.valid & row.starts, row.valid & row.last)),
        *(signal for credit in credits for signal in (credit.take, credit.give)),
        *(signal for store in stores for signal in (_arrives(store), _leaves(store), _requests(store))),
    ]
    if not credits or not stores:
        return []
    columns = head.traces(signals)
    draws = columns[: len(searches)]
    del columns[: len(searches)]
    edges = [*zip(columns[: 2 * len(rows) : 2], columns[1 : 2 * len(rows) : 2], strict=True)]
    del columns[: 2 * len(rows)]
    first = 2 * len(credits)  # column of the stores
    changes = zip(columns[:first:2], columns[1:first:2], strict=True)
    events = [*zip(columns[first::3], columns[first + 1 :: 3], columns[first + 2 :: 3], strict=True)]
    candidates = []
    for number, (credit, (takes, gives)) in enumerate(zip(credits, changes, strict=True)):
        for place, (store, (arrivals, departures, requests)) in enumerate(zip(stores, events, strict=True)):
            if gives != departures or not any(gives) or credit.limit > _capacity(store):
                continue
            # A short simulation may have draws that all come as late as their credits.
            searched = [
                _Candidate(number, place, cycles, requests == gives, vectors=row, search=search)
                for row, (starts, _) in enumerate(edges)
                for search, drawn in enumerate(draws)
                if takes == starts and (cycles := cycles_between(drawn, arrivals)) is not None
            ]
            if searched:
                candidates += searched
                continue
            cycles = cycles_between(takes, arrivals)
            if cycles is not None:
                candidates.append(_Candidate(number, place, cycles, requests == gives))
                continue
            for row, (starts, ends) in enumerate(edges):
                cycles = cycles_between(ends, arrivals) if takes == starts else None
                if cycles is not None:
                    candidates.append(_Candidate(number, place, cycles, requests == gives, vectors=row))
    return candidates


def room_links(config: Config, head: InsideHead) -> list[Link]:
    """The credits of a head and the stores whose room they seem to assure: candidates for a proof."""
    return _links(head, _candidates(config))


def _links(head: InsideHead, candidates: Sequence[_Candidate]) -> list[Link]:
    credits, stores, rows, searches = _credits(head), _stores(head), _vectors(head), _searches(head)
    return [
        Link(
            credits[link.credit],
            stores[link.store],
            link.cycles,
            link.on_request,
            None if link.vectors is None else rows[link.vectors],
            None if link.search is None else searches[link.search],
        )
        for link in candidates
    ]


def credit_history(head: InsideHead, credit: Credit) -> tuple[list[Value], list[Value]]:
    """(`available`, `take`) of a credit, each in this cycle and in the ones before of which its contract speaks."""
    reach = credit_reach(credit)
    return (
        [head.before(credit.available, cycles) for cycles in range(reach + 1)],
        [head.before(credit.take, cycles) for cycles in range(reach + 2)],
    )


def state_rooms(head: InsideHead, links: Sequence[Link]) -> None:
    """States that the credits assure the room of their stores."""
    for link in links:
        arrives = head.before(link.ends, link.cycles)
        head.after(link.cycles + SETTLING, link.name, _arrives(link.store) == arrives)
        when, event = ("are asked for", _requests) if link.on_request else ("leave", _leaves)
        head.after(SETTLING, f"{link.name}; and it comes back as they {when}", link.credit.give == event(link.store))
    for link in links:
        if link.vectors is not None:
            _state_firsts(head, link, link.vectors)
    for credit in dict.fromkeys(link.credit for link in links):
        obeyed = credit_obeyed(credit, *credit_history(head, credit))
        fill = SETTLING + credit_reach(credit)
        head.after(fill, f"{contract_of(credit).title}: taken as its contract assumes", obeyed)


def _state_firsts(head: InsideHead, link: Link, vectors: Vectors) -> None:
    """States that a credit is taken with the first element of each vector, and with no other."""
    name = f"{_kind(link.store)} for {_capacity(link.store)}"
    starts, valid = vectors.starts, vectors.valid
    head.after(
        SETTLING, f"{name}: each vector's first element takes one, and nothing else", link.credit.take == valid & starts
    )
    behind = Mux(head.before(valid), head.before(vectors.last), head.before(starts))
    head.after(SETTLING, f"{name}: the first element is the one behind a last one, or behind a reset", starts == behind)
    if link.search is not None:
        element: Any = link.search.i.payload
        same = Cat(element.first, element.last) == Cat(starts, vectors.last)
        head.after(
            SETTLING,
            f"{name}: the search takes these elements, and nothing else",
            (link.search.i.valid == valid) & (~valid | same),
        )


def prove_rooms(config: Config, *, seconds: float = 60.0) -> list[Verdict]:
    """The verdicts on the room of the stores of a head, for each credit and store that belong together.

    Nothing is said of a store whose credit comes back at another time than a payload leaves it. That the requests to a queue find
    a payload is refuted or open.
    """
    candidates = _candidates(config)
    verdicts = _prove(config, candidates, seconds)
    returns = verdicts[1 : 2 * len(candidates) : 2]
    requested = [
        replace(link, on_request=link.may_be_requested and verdict.answer == "refuted")
        for link, verdict in zip(candidates, returns, strict=True)
    ]
    return _prove(config, requested, seconds) if requested != candidates else verdicts


def has_stores(config: Config) -> bool:
    """Whether a head has a store whose room there is something to say of."""
    return bool(_stores(InsideHead(config)))


def stores_with_room(config: Config) -> tuple[int, int]:
    """(stores of a head, those of which `prove_rooms` says that they have room)."""
    return len(_stores(InsideHead(config))), len({candidate.store for candidate in _candidates(config)})


def prove_store_rooms(config: Config, *, seconds: float = 60.0, reading_seconds: float | None = None) -> Proof:
    """What `prove_rooms` says of a head, as a proof; `reading_seconds` is not used."""
    began = time.monotonic()
    verdicts = prove_rooms(config, seconds=seconds)
    return Proof(config, tuple(verdicts), time.monotonic() - began)


def _prove(config: Config, candidates: Sequence[_Candidate], seconds: float) -> list[Verdict]:
    """The verdicts on links: two for each one, those on their credits, and one for each queue that is read on request."""
    head = InsideHead(config)
    state_rooms(head, _links(head, candidates))
    verdicts = head.prove(seconds) if head.statements else []
    return verdicts + [_search_requests(config, link, seconds) for link in candidates if link.on_request]


def _search_requests(config: Config, candidate: _Candidate, seconds: float) -> Verdict:
    """Whether each request to the queue of a link finds a payload, from a reset until after the first result."""
    head = InsideHead(config)
    [link] = _links(head, [candidate])
    cycles = plan(config).last_output_cycle(1) + SETTLING
    finds = ~_requests(link.store) | link.store.o.valid
    return head.search(f"{link.name}; and each one that is asked for is there", finds, cycles, seconds)
