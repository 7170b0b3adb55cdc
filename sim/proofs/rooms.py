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

The factor of a vector that an ordered list gives waits for the vector's first element, and the credit comes back earlier, as the
store of the list reads the vector's last one. By the contract of that store a few vectors at most, `held`, have had their last
element read and have not left. A factor arrives later after its take than a request comes after the first element has left. So
the factors inside are never more than the limit and `held` together. And a vector begins to leave only if its factor has arrived.

A queue may be read on request: its credit comes back with the request, whether the queue offers a payload or not. For such a
queue the second statement is that requests alone bring the credit back. That each one finds a payload depends on the order of
events in two parts of the head; `requests` proves it from the path of the beats.

A short simulation tells which credit belongs to which store, and L. The proof assumes nothing of the head's state: it shows that
the statements hold from a reset on, and some cycles after any contents at all, because the stages between lose theirs in L
cycles.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from amaranth import Cat, Const, Mux, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of, has_contract
from softstream.hw.contracts.flow import credit_obeyed, credit_reach
from softstream.hw.modes.inverse_cdf import InverseCdf
from softstream.hw.modes.softmax_top_k import SoftmaxTopK
from softstream.hw.normalisers.interface import EmissionInterface
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Queue
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between, observed
from softstream.sim.proofs.proof import Proof

__all__ = [
    "ON_REQUEST",
    "READ_OUTS",
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

READ_OUTS = (RankedStore, LaneMerge)
"""What stores the elements of lists and gives them in their order."""

ON_REQUEST = "as they are asked for"
"""End of the statement about a queue that is read on request."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Elements of vectors in a row, the first of which takes a credit for what follows the last."""

    valid: Value
    last: Value
    starts: Value
    """Register of the head: the next element is a vector's first."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """Elements that an ordered list gives, each first one of which asks for a factor."""

    store: RankedStore | LaneMerge
    emission: EmissionInterface
    starts: Value
    """Register of the emission: the next element is a vector's first."""
    due: Value
    """Register of the head: vectors whose factor has arrived and that have not begun to leave."""
    passing: int
    """Cycles from the store to the emission."""
    asking: int
    """Cycles from there to the request."""


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
    ranked: Ranked | None = None
    """Where the payloads are the factors of an ordered list, whose credit comes back with the read of a vector's last element."""

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
        if self.ranked is not None:
            return f"{arrivals}, {self.cycles} cycles before, and are those of a list"
        return f"{arrivals}, {self.cycles} cycles before"


def _kind(store: Any) -> str:
    return {
        Queue: "queue",
        Replay: "ring",
        FactorStore: "store of factors",
        RankedStore: "ranked store",
        LaneMerge: "lane merge",
    }[type(store)]


def _capacity(store: Any) -> int:
    """Payloads for which a store has room."""
    if isinstance(store, (Queue, *READ_OUTS)):
        return store.room
    return int(store.beats if isinstance(store, Replay) else store.needed)


def _arrives(store: Any) -> Value:
    """Whether a payload arrives at a store."""
    return store.order.valid if isinstance(store, READ_OUTS) else store.i.valid


def _leaves(store: Any) -> Value:
    """Whether a payload leaves a store."""
    if isinstance(store, READ_OUTS):
        return store.ends
    if isinstance(store, Queue):
        return store.o.valid & store.o.ready
    return store.leaves if isinstance(store, Replay) else store.next


def _credits(head: InsideHead) -> list[Credit]:
    return [part for part in head.parts if isinstance(part, Credit)]


def _stores(head: InsideHead) -> list[Any]:
    """The stores of a head, without the queues inside of ranked stores."""
    inner = [part.queue for part in head.parts if isinstance(part, READ_OUTS)]
    return [
        part
        for part in head.parts
        if isinstance(part, (Queue, Replay, FactorStore, *READ_OUTS)) and not any(part is queue for queue in inner)
    ]


def _vectors(head: InsideHead) -> list[Vectors]:
    """The elements that leave the rings of heads which draw once per vector."""
    heads = [part for part in head.parts if isinstance(part, InverseCdf)]
    rings = [part for part in head.parts if isinstance(part, Replay)] if heads else []
    return [
        Vectors(ring.o.valid, ring.o.payload.last, head.probes.registers(part)["starts"])
        for part, ring in zip(heads, rings, strict=True)
    ]


def _lists(head: InsideHead) -> list[tuple[RankedStore | LaneMerge, FactorStore, EmissionInterface, Value]]:
    """(store of the list, store of the factors, emission, register of the vectors due) of a head that ranks probabilities."""
    kinds = (READ_OUTS, FactorStore, EmissionInterface, SoftmaxTopK)
    parts = [[part for part in head.parts if isinstance(part, kind)] for kind in kinds]
    return [
        (ranked, factors, emission, head.probes.registers(mode)["due"])
        for ranked, factors, emission, mode in zip(*parts, strict=False)
        if parts[-1]
    ]


def _list_events(
    head: InsideHead, ranked: RankedStore | LaneMerge, factors: FactorStore, emission: EmissionInterface, due: Value
) -> list[Value]:
    """A vector's last element is read, an element leaves the list, arrives at the emission, is a vector's first there."""
    starts, arrives = head.probes.registers(emission)["starts"], emission.i.valid
    return [ranked.ends, ranked.o.valid & ranked.o.ready, arrives, arrives & starts]


def _asking(events: Sequence[Sequence[int]], requests: Sequence[int]) -> tuple[int, int] | None:
    """Cycles from a list to the emission, and from there to the request of a factor; None where they vary."""
    _, leaves, arrives, firsts = events
    passing, asking = cycles_between(leaves, arrives), cycles_between(firsts, requests)
    return None if passing is None or asking is None else (passing, asking)


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
    ranked: tuple[int, int] | None = None
    """(cycles from the store of a list to the emission, cycles from there to the request of a factor)."""


@lru_cache(maxsize=8)
def _candidates(config: Config) -> tuple[_Candidate, ...]:
    """The credits and the stores whose room they seem to assure."""
    head = observed(config)
    credits, stores, rows, searches = _credits(head), _stores(head), _vectors(head), _searches(head)
    lists = _lists(head)
    signals = [
        *(signal for row in lists for signal in _list_events(head, *row)),
        *(search.o.valid for search in searches),
        *(signal for row in rows for signal in (row.valid & row.starts, row.valid & row.last)),
        *(signal for credit in credits for signal in (credit.take, credit.give)),
        *(signal for store in stores for signal in (_arrives(store), _leaves(store), _requests(store))),
    ]
    if not credits or not stores:
        return ()
    columns = head.traces(signals)
    listed = [columns[4 * row : 4 * row + 4] for row in range(len(lists))]
    del columns[: 4 * len(lists)]
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
            if not any(gives) or credit.limit > _capacity(store):
                continue
            if gives != departures:
                candidates += [
                    _Candidate(number, place, cycles, False, ranked=steps)
                    for (ranked, factors, *_), rows in zip(lists, listed, strict=True)
                    if factors is store and gives == rows[0] and credit.limit + ranked.held <= _capacity(store)
                    if (cycles := cycles_between(takes, arrivals)) is not None
                    if (steps := _asking(rows, departures)) is not None and sum(steps) < cycles
                ]
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
            # Where each vector has one element, the credit is taken a fixed number of cycles before, too.
            listed_draws = [
                _Candidate(number, place, cycles, requests == gives, vectors=row)
                for row, (starts, ends) in enumerate(edges)
                if takes == starts and (cycles := cycles_between(ends, arrivals)) is not None
            ]
            if listed_draws:
                candidates += listed_draws
            elif (cycles := cycles_between(takes, arrivals)) is not None:
                candidates.append(_Candidate(number, place, cycles, requests == gives))
    return tuple(candidates)


def room_links(config: Config, head: InsideHead) -> list[Link]:
    """The credits of a head and the stores whose room they seem to assure: candidates for a proof."""
    return _links(head, _candidates(config))


def _ranked(head: InsideHead, store: FactorStore, passing: int, asking: int) -> Ranked:
    """The list for which a store holds the factors."""
    [(ranked, emission, due)] = [(ranked, *rest) for ranked, factors, *rest in _lists(head) if factors is store]
    return Ranked(ranked, emission, head.probes.registers(emission)["starts"], due, passing, asking)


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
            None if link.ranked is None else _ranked(head, stores[link.store], *link.ranked),
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
        returns = f"{link.name}; and it comes back"
        if link.ranked is not None:
            ends = link.credit.give == link.ranked.store.ends
            head.after(SETTLING, f"{returns} as the last element of its vector is read", ends)
            continue
        when, event = (ON_REQUEST, _requests) if link.on_request else ("as they leave", _leaves)
        head.after(SETTLING, f"{returns} {when}", link.credit.give == event(link.store))
    for link in links:
        if link.vectors is not None:
            _state_firsts(head, link, link.vectors)
        if link.ranked is not None:
            _state_list(head, link, link.ranked)
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


def _state_list(head: InsideHead, link: Link, ranked: Ranked) -> None:
    """States that each vector of a list asks for its factor with its first element, and begins to leave when it is there."""
    name = f"{_kind(link.store)} for {_capacity(link.store)}"
    left, arrives = ranked.store.o, ranked.emission.i
    passing, starts = ranked.passing, ranked.starts
    leaves = left.valid & left.ready
    last: Any = arrives.payload.last
    head.after(
        SETTLING + passing,
        f"{name}: each element of the list arrives, {passing} cycles later, and nothing else",
        (arrives.valid == head.before(leaves, passing))
        & (~arrives.valid | (last == head.before(left.payload.last, passing))),
    )
    behind = Mux(head.before(arrives.valid), head.before(last), head.before(starts))
    head.after(SETTLING, f"{name}: the first element is the one behind a last one, or behind a reset", starts == behind)
    head.after(
        SETTLING + ranked.asking,
        f"{name}: a vector's first element asks for one, {ranked.asking} cycles later, and nothing else",
        _leaves(link.store) == head.before(arrives.valid & starts, ranked.asking),
    )
    # The sum does not wrap: no more factors wait than credits are out.
    due: Any = ranked.due
    waiting = head.before(due) + head.before(_arrives(link.store)) - head.before(ranked.store.begins)
    head.after(
        SETTLING,
        f"{name}: a vector begins to leave if its factor has arrived",
        (due == waiting[: len(due)]) & (~ranked.store.begins | (due != 0)),
    )


def prove_rooms(config: Config, *, seconds: float = 60.0) -> list[Verdict]:
    """The verdicts on the room of the stores of a head, for each credit and store that belong together.

    Nothing is said of a store whose credit comes back at another time than a payload leaves it, or that the requests to a
    queue find a payload.
    """
    candidates = _candidates(config)
    verdicts = _prove(config, candidates, seconds)
    returns = verdicts[1 : 2 * len(candidates) : 2]
    requested = tuple(
        replace(link, on_request=link.may_be_requested and verdict.answer == "refuted")
        for link, verdict in zip(candidates, returns, strict=True)
    )
    return _prove(config, requested, seconds) if requested != candidates else verdicts


def has_stores(config: Config) -> bool:
    """Whether a head has a store whose room there is something to say of."""
    return bool(_stores(observed(config)))


def stores_with_room(config: Config) -> tuple[int, int]:
    """(stores of a head, those of which `prove_rooms` says that they have room)."""
    return len(_stores(observed(config))), len({candidate.store for candidate in _candidates(config)})


def prove_store_rooms(config: Config, *, seconds: float = 60.0, reading_seconds: float | None = None) -> Proof:
    """What `prove_rooms` says of a head, as a proof; `reading_seconds` is not used."""
    began = time.monotonic()
    verdicts = prove_rooms(config, seconds=seconds)
    return Proof(config, tuple(verdicts), time.monotonic() - began)


def _prove(config: Config, candidates: Sequence[_Candidate], seconds: float) -> list[Verdict]:
    """The verdicts on links: two for each one, and those on their credits."""
    head = InsideHead(config)
    state_rooms(head, _links(head, candidates))
    return head.prove(seconds) if head.statements else []
