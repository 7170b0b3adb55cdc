"""Heads whose beats wait at a gate for credits: of a ring, of queues and registers, or of a stage that serves vectors in turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Mux, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.contracts.response import CreditResponse, LoopResponse, PairResponse, ReplayResponse, settled_credit
from softstream.hw.modes.hardmax import OneHot
from softstream.hw.modes.inverse_cdf import InverseCdf
from softstream.hw.options.floor import Remainder
from softstream.hw.plan.modes.top_k import FILL_CYCLES, JOIN_LATENCY
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Hold, Queue, Spacing
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between, observed
from softstream.sim.proofs.requests import requested
from softstream.sim.proofs.response.bound import (
    RETURN,
    TAKES,
    Bound,
    all_of,
    name_of,
    parts_of,
    uncovered,
)
from softstream.sim.proofs.response.front_list import FrontList, ListSearchBound, front_list_of
from softstream.sim.proofs.response.lists import served_list
from softstream.sim.proofs.response.search import draw_loop, state_search
from softstream.sim.proofs.response.surroundings import Surroundings, check_tag_latency, surroundings_of
from softstream.sim.proofs.rooms import READ_OUTS, Link, room_links, state_rooms

__all__ = ["GatedHead"]


@dataclass(frozen=True)
class _Registers:
    """Winners in a row of registers."""

    credit: int
    """Number of their credit."""
    chain: tuple[int, ...]
    """Numbers of the places of the registers."""
    steps: tuple[Any, ...]
    """The steps to the registers."""
    leaves: int
    """Cycles from an end that enters to the departure of its winner, where that is taken."""

    @property
    def drains(self) -> int:
        """Cycles without an end after which the credit is available."""
        return self.leaves + RETURN


@dataclass(frozen=True)
class _Ring:
    """What a simulation suggests of the ring."""

    behind: int
    """Number of the credit that each element takes as it leaves the ring."""
    complete: int
    """Cycles from an end that enters to its announcement to the ring."""
    factor: int
    """Cycles from a vector's first element at the output of the ring to the return of the credit of its factor."""


@dataclass(frozen=True)
class _Survey:
    """What a simulation suggests of a head, by the numbers of its credits, because each elaboration has parts of its own."""

    surroundings: Surroundings
    front_list: FrontList | None
    """The list before the gate, whose elements the gate takes instead of the beats of a frame."""
    of_elements: tuple[int, ...]
    """Credits that each beat takes as it enters."""
    of_vectors: tuple[int, ...]
    """Credits that the last beat of each vector takes as it enters."""
    ring: _Ring | None
    registers: tuple[_Registers, ...]
    spacing: int | None
    """Number of the spacing of the gate."""


class GatedHead:
    """A head of which everything is known that its response depends on. Raises `UserError` where it is not."""

    def __init__(self, config: Config, paths: Sequence[Sequence[Any]]) -> None:
        self.config = config
        self.survey = survey = _survey(config, paths)
        self.head = head = InsideHead(config)
        self.places = counting.places_of(head)
        self.surroundings, self.front_list = survey.surroundings, survey.front_list
        self.frame = self.places[self.surroundings.frame].part
        self.ring = next(iter(parts_of(head, Replay)), None)
        self.spacings = parts_of(head, Spacing)
        self.spacing = None if survey.spacing is None else self.spacings[survey.spacing]
        self.credits = credits = parts_of(head, Credit)
        by_credit: dict[int, Link] = {}
        self.pairs: dict[int, Link] = {}
        links = room_links(config, head)
        self.list = served_list(config, head, links)
        for link in sorted((link for link in links if link.ranked is None), key=lambda link: -link.cycles):
            number = credits.index(link.credit)
            later = by_credit.setdefault(number, link)
            if later is not link and not (_is_pair(link, later) and self.pairs.setdefault(number, link) is link):
                raise uncovered(config, f"two stores wait for each other under the {contract_of(link.credit).title}")
        own = {row.credit for row in survey.registers}
        self.gate = [*survey.of_elements, *survey.of_vectors]
        self.entries = {entry.credit: entry for entry in self.surroundings.entries}
        for number, credit in enumerate(credits):
            store = by_credit.get(number)
            known = [*self.gate, *self.entries, *(row.behind for row in (survey.ring, self.list) if row)]
            known += [] if self.front_list is None else [self.front_list.credit]
            if number not in known:
                raise uncovered(config, f"no event is known at which the {contract_of(credit).title} is taken")
            strange = store is None or store.ranked or store.on_request
            if number not in own and strange:
                raise uncovered(config, f"no store is known whose room the {contract_of(credit).title} assures")
        self.links = {number: link for number, link in by_credit.items() if number not in own}
        for number, entry in self.entries.items():
            check_tag_latency(config, entry, self.links[number])
            # A draw set asks for bounds, whether they are offered or not.
            self.links[number] = next(iter(requested(head, [self.links[number]], [])), self.links[number])
        servers = [part for kind in (OneHot, *READ_OUTS) for part in parts_of(head, kind)]
        self.server = next(iter(servers), None) if self.list is None and self.front_list is None else None
        if self.server is not None and (len(credits) != 1 or 0 not in survey.of_vectors or self.spacings or own):
            raise uncovered(config, "more than one credit leads to its results")
        for number in self.pairs:
            if number not in self.loops:
                raise uncovered(
                    config, f"two stores wait for each other under the {contract_of(credits[number]).title}"
                )
        self.elements = self._link(Replay)
        self.factors = self._link(FactorStore)
        if self.ring is not None and (survey.ring is None or self.elements is None or self.factors is None):
            raise uncovered(config, "not all credits of the ring are known")

    def _link(self, kind: type) -> Link | None:
        return next((link for link in self.links.values() if isinstance(link.store, kind)), None)

    @property
    def loops(self) -> dict[int, LoopResponse]:
        """The contracts of the credits of queues."""
        return {
            number: draw_loop(link)
            if link.vectors is not None
            else LoopResponse(link.credit, link.cycles, self._take_interval(number))
            for number, link in self.links.items()
            if isinstance(link.store, Queue) and self.server is None and number not in self.entries
        }

    def _take_interval(self, number: int) -> int:
        """Cycles by which the takes of a credit are apart at least."""
        return self.spacing.interval if self.spacing is not None and number in self.survey.of_vectors else 1

    @property
    def bound(self) -> Bound | ListSearchBound:
        """The cycles of the response. Raises `UserError` where a credit is too small for the head to answer."""
        if self.front_list is not None:
            return self.front_list.bound(self._own_bound, self.links, self.places)
        # A vector takes a credit until its first element has left the ring; then it is on its way to the output.
        vectors = sum(self.credits[number].limit for number in self.survey.of_vectors)
        if self.survey.ring is not None:
            vectors += self.credits[self.survey.ring.behind].limit + 1
        return self.surroundings.total_bound(self._own_bound, self.places, vectors)

    @property
    def _own_bound(self) -> Bound:
        """The cycles without what stands around the head."""
        if self.server is not None:
            return self._server_bound(self.server)
        loops, survey = self.loops, self.survey
        spacing = 0 if self.spacing is None else self.spacing.interval
        if self.list is not None:
            return self.list.bound(loops[self.list.behind], spacing)
        waits = [0, *(row.drains for row in survey.registers)]
        waits += [loops[number].drains for number in self.gate if number in loops and not loops[number].wide]
        leaves = [row.leaves for row in survey.registers]
        leaves += [loop.leaves + self._read_latency(number) for number, loop in loops.items()]
        takes = TAKES + max((loop.opens for loop in loops.values() if loop.wide), default=0)
        # The spacing counts from the last end on, whether the outputs are taken or not.
        gate, reopening, last = max(*waits, spacing - takes) + RETURN, max(*waits, spacing) + RETURN, max(leaves)
        if survey.ring is None or self.elements is None:
            return Bound(takes, 0, 0, 0, gate, last, reopening=reopening)
        if not loops[survey.ring.behind].wide:
            raise uncovered(self.config, "the queue behind the ring is shorter than the way to it")
        if settled_credit(self.elements.credit) < self.config.beats(self.config.drawn_length) - 1:
            raise uncovered(self.config, "the ring is shorter than a vector, so it may fill before one is complete")
        ring = self.elements.store
        complete = survey.ring.complete + RETURN
        back = ring.memory + survey.ring.factor + RETURN + 1
        limit = self.elements.credit.limit
        return Bound(takes, complete, limit, ring.interval, max(complete + back, reopening), last)

    def _read_latency(self, number: int) -> int:
        """Cycles from an element that leaves the ring to the event from which the cycles of a loop are counted."""
        return 0 if self.ring is None or self.links[number].vectors is None else self.ring.memory

    def _server_bound(self, server: Any) -> Bound:
        """The cycles where a stage gives the results of one vector after the other."""
        [link], [credit] = self.links.values(), self.credits
        one_hot, merge = isinstance(server, OneHot), isinstance(server, LaneMerge)
        beats = self.config.beats(self.config.max_length) if one_hot else self.config.top_k
        # A queue offers two cycles after an arrival; the one-hot stage may be empty for a cycle between two vectors.
        complete = link.cycles + QUEUE_LATENCY
        if merge:
            # The orders of the lanes are joined first, and the heads of a vector's lists fill before its first element.
            complete, beats = complete + JOIN_LATENCY, beats + FILL_CYCLES
        return Bound(
            TAKES,
            complete,
            credit.limit + one_hot,  # the vector in the one-hot stage has given its credit back
            beats + one_hot,
            complete + RETURN + 1,
            1 if one_hot or merge else server.cycles,
            credit.margin + 2,
        )

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """What the response relies on: title → (component, its contract)."""
        loops = self.loops
        rows: list[tuple[Any, Any]] = [(self.frame, contract_of)]
        if self.front_list is not None:
            places = (self.front_list.surroundings.frame, *self.front_list.row.stages)
            rows += [(part, contract_of) for part in map(self._part, places)]
        rows += [(part, contract_of) for part in parts_of(self.head, Remainder)]
        for number, credit in enumerate(self.credits):
            if number in loops:
                loop = loops[number]
                rows.append((credit, lambda part, loop=loop: type(loop)(part, loop.cycles, loop.interval)))
            elif number in self.links:
                rows.append((credit, CreditResponse))
        rows += [(link.store, contract_of) for link in (*self.links.values(), *self.pairs.values())]
        rows += [(pair.store, PairResponse) for pair in self.pairs.values()]
        rows += [(spacing, contract_of) for spacing in self.spacings]
        rows += [] if self.server is None else [(self.server, contract_of)]
        rows += [] if self.list is None else [(self.list.factors.store, contract_of)]
        rows += [(part, contract_of) for row in self.survey.registers for part in map(self._part, row.chain)]
        if self.ring is not None:
            rows.append((self.ring, ReplayResponse))
        return {contract(part).title: (part, contract) for part, contract in rows}

    def _ready(self, cycles: int) -> Value:
        """Whether all outputs were taken in this cycle and in some before, without a reset."""
        return self.surroundings.ready(self.head, self.places, self.links, cycles)

    def _part(self, place: int) -> Any:
        return self.places[place].part

    def state(self) -> None:
        """States what is between the parts."""
        if self.front_list is None:
            self.surroundings.state(self.head, self.places, self.links)
        else:
            self.front_list.state(self.head, self.places)
        self._state_gate()
        self._state_sinks()
        if self.server is not None:
            self._state_server(self.server)
        for row in self.survey.registers:
            self._state_registers(row)
        links = [*self.links.values(), *self.pairs.values()]
        if self.list is not None:
            links.append(self.list.factors)
            self.list.state()
        state_rooms(self.head, links)
        if self.survey.ring is not None and self.factors is not None:
            self._state_ring(self.ring, self.survey.ring, self.factors.credit)

    def _state_gate(self) -> None:
        """The input, the gate behind the frame, and its spacing."""
        head, frame, credits = self.head, self.frame, self.credits
        enters = frame.o.valid & frame.o.ready
        ends = enters & frame.o.payload.last
        for number in self.survey.of_elements:
            head.after(SETTLING, f"gate: each beat takes {name_of(credits[number])}", credits[number].take == enters)
        for number in self.survey.of_vectors:
            head.after(SETTLING, f"gate: each end takes {name_of(credits[number])}", credits[number].take == ends)
        available = all_of(credits[number].available for number in self.gate)
        # The gate may have a register.
        opens = available & head.before(available)
        if (spacing := self.spacing) is not None:
            allowed = all_of(credits[number].available for number in self.survey.of_vectors)
            opens &= spacing.free
            head.after(SETTLING, "gate: the spacing counts ends", spacing.take == ends)
            if spacing.interval > 1:  # else it keeps nothing apart
                head.after(SETTLING, "gate: an end enters where the spacing is free", ~ends | spacing.free)
            head.after(SETTLING, "gate: the spacing waits for the credits of vectors", spacing.allowed == allowed)
        head.after(SETTLING, "gate: it opens where all credits are available", ~opens | frame.o.ready)

    def _state_server(self, server: Any) -> None:
        """What gives the results of a vector takes the next one, and its results are taken."""
        head, [link] = self.head, self.links.values()
        name = counting.PART_NAMES[type(server)]
        served = ~self._ready(TAKES - 1) | server.o.ready | ~server.o.valid
        head.after(SETTLING + TAKES, f"{name}: what it offers is taken, {TAKES} cycles after the outputs", served)
        if isinstance(server, READ_OUTS):
            head.after(SETTLING, f"{name}: a vector may always begin", server.free)
        else:
            queue: Any = link.store
            same = Cat(server.i.valid, server.i.ready) == Cat(queue.o.valid, queue.o.ready)
            head.after(SETTLING, f"{name}: it takes what the queue offers", same)

    def _state_sinks(self) -> None:
        """What waits in a queue is taken, because the outputs are."""
        for number in self.loops:
            queue: Any = self.links[number].store
            served = ~self._ready(TAKES - 1) | queue.o.ready | ~queue.o.valid
            name = f"queue of {queue.room}: what it offers is taken, {TAKES} cycles after the outputs"
            if number in self.pairs:
                # Its contract says that the earlier one offers where this one does; their room, that they are taken together.
                served |= ~self.pairs[number].store.o.valid
                name = f"{name}, with the earlier one"
            self.head.after(SETTLING + TAKES, name, served)

    def _state_registers(self, row: _Registers) -> None:
        """Winners leave their registers at once, and their credit is available when there are none."""
        head, credit = self.head, self.credits[row.credit]
        for step in row.steps:
            counting.state_step(head, self.places, step)
        counting.state_registers(head, self.places, row.credit, row.chain, row.steps[0])
        name = f"{len(row.chain)} registers behind {contract_of(credit).title}"
        ready = self._ready(row.leaves + TAKES)
        source, last = self.places[row.steps[0].source], self.places[row.chain[-1]]
        head.after(
            SETTLING + row.leaves + TAKES,
            f"{name}: a winner leaves {row.leaves} cycles after its end, where the outputs are taken",
            ~ready | (last.leaves == head.before(source.vectors, row.leaves)),
        )
        none = all_of(~head.before(source.vectors, cycle) for cycle in range(1, row.drains + 1))
        head.after(
            SETTLING + row.drains + TAKES,
            f"{name}: it is available {row.drains} cycles after the last end, where the outputs are taken",
            ~(self._ready(row.drains + TAKES) & none) | credit.available,
        )

    def _state_ring(self, ring: Any, trace: _Ring, factors: Credit) -> None:
        """The ring learns of complete vectors, has room, and its elements give the credits back."""
        head, frame = self.head, self.frame
        ends = frame.o.valid & frame.o.ready & frame.o.payload.last
        head.after(
            SETTLING + trace.complete,
            f"ring: it learns of a complete vector {trace.complete} cycles after its end has entered",
            ring.complete.valid == head.before(ends, trace.complete),
        )
        behind = self.credits[trace.behind]
        head.after(SETTLING, f"ring: it has room if {name_of(behind)} is available", ring.room == behind.available)
        link = self.links[trace.behind]
        if link.vectors is not None:  # what a vector's first element takes is stated with the room of the draws
            starts = link.vectors.starts
            if link.search is not None:
                state_search(head, link)
        else:
            starts = self._state_starts(ring, behind)
        head.after(
            SETTLING + trace.factor,
            f"ring: the credit of a factor comes back {trace.factor} cycles after a vector's first element",
            factors.give == head.before(ring.o.valid & starts, trace.factor),
        )

    def _state_starts(self, ring: Any, behind: Credit) -> Any:
        """Each element takes the credit behind the ring; the register that tells that the next one is a vector's first."""
        head = self.head
        head.after(SETTLING, f"ring: each element takes {name_of(behind)}", behind.take == ring.leaves)
        # Each lane has its own, and that of the first one asks for the factor. That of a draw belongs to the mode.
        starts = next(
            registers["starts"]
            for part in head.parts
            if "starts" in (registers := head.probes.registers(part))
            and (isinstance(part, InverseCdf) or hasattr(part, "next"))
        )
        last = ring.o.payload.last
        due = Mux(head.before(ring.o.valid), head.before(last), head.before(starts))
        head.after(SETTLING, "ring: the first element is the one behind a last one, or behind a reset", starts == due)
        return starts


def _is_pair(early: Link, late: Link) -> bool:
    """Whether two stores are queues whose payloads take a credit in turn, arrive one after the other, and leave together."""
    both = early, late
    plain = all(isinstance(link.store, Queue) and link.vectors is None and not link.on_request for link in both)
    return plain and early.cycles < late.cycles


def _survey(config: Config, paths: Sequence[Sequence[Any]]) -> _Survey:
    """Looks for what is between the parts in a simulation."""
    front_list = front_list_of(config, paths)
    surroundings = surroundings_of(config, paths) if front_list is None else front_list.second
    head = observed(config)
    frame, credits = counting.places_of(head)[surroundings.frame].part, parts_of(head, Credit)
    enters = frame.o.valid & frame.o.ready
    rings, spacings = parts_of(head, Replay), parts_of(head, Spacing)
    signals = [spacing.take for spacing in spacings]
    signals += [enters, enters & frame.o.payload.last]
    signals += [value for credit in credits for value in (credit.take, credit.give)]
    signals += [
        value for ring in rings for value in (ring.leaves, ring.complete.valid, ring.o.valid, ring.o.payload.last)
    ]
    columns = head.traces(signals)
    spaced = columns[: len(spacings)]
    elements, ends, *columns = columns[len(spacings) :]
    takes, gives = columns[: 2 * len(credits) : 2], columns[1 : 2 * len(credits) : 2]
    ring = None
    if rings:
        leaves, announced, offered, last = columns[2 * len(credits) :]
        complete, firsts = cycles_between(ends, announced), _firsts(offered, last)
        # Each element takes it as it leaves, or a vector's first one takes that of a draw.
        behind = [number for number, take in enumerate(takes) if take in (leaves, firsts)]
        back = [cycles for give in gives if (cycles := cycles_between(firsts, give)) is not None]
        if behind and back and complete is not None:
            ring = _Ring(behind[0], complete, back[0])
    of_elements = tuple(number for number, take in enumerate(takes) if take == elements)
    of_vectors = tuple(number for number, take in enumerate(takes) if take == ends)
    if elements == ends:  # each vector is a single beat
        of_elements = _of_beats(config, head, of_elements)
        of_vectors = tuple(number for number in of_vectors if number not in of_elements)
    return _Survey(
        surroundings,
        front_list,
        of_elements,
        of_vectors,
        ring,
        _register_rows(config),
        next((number for number, take in enumerate(spaced) if take == ends), None),
    )


def _of_beats(config: Config, head: InsideHead, numbers: Sequence[int]) -> tuple[int, ...]:
    """The credits among some whose store holds beats: a ring, or a queue of payloads with the mark of an end."""
    credits = parts_of(head, Credit)
    stores = {credits.index(link.credit): link.store for link in room_links(config, head)}

    def holds_beats(store: Any) -> bool:
        of_queue = isinstance(store, Queue) and "last" in getattr(store.i.payload.shape(), "members", ())
        return isinstance(store, Replay) or of_queue

    return tuple(number for number in numbers if holds_beats(stores.get(number)))


def _register_rows(config: Config) -> tuple[_Registers, ...]:
    """The rows of registers in which winners wait; where there are several, each waits for the others before the output."""
    places = counting.places_of(observed(config))
    steps = [step for step in counting.steps_of(config) if isinstance(places[step.target].part, Hold)]
    inner = {step.target for step in steps if isinstance(places[step.source].part, Hold)}
    firsts: dict[int, Any] = {}
    for step in steps:
        if step.ends and step.target not in inner:
            firsts.setdefault(step.target, step)
    # Rows with the same cycles look alike in a simulation, and each register is in one row.
    members = {*firsts}
    rows = []
    for first in firsts.values():
        row = [first]
        while onward := [step for step in steps if step.source == row[-1].target and step.target not in members]:
            row.append(onward[0])
            members.add(onward[0].target)
        rows.append(tuple(row))
    if not rows:
        return ()
    account = counting.registers_behind(config, rows[0])
    assert account is not None  # the row has a register
    credit, *_ = account
    leaves = max(row[0].cycles + len(row) for row in rows)
    return tuple(_Registers(credit, tuple(step.target for step in row), row, leaves) for row in rows)


def _firsts(valid: Sequence[int], last: Sequence[int]) -> list[int]:
    """Where the first element of each vector is among the elements of a stream."""
    row, starts = [], 1
    for present, ends in zip(valid, last, strict=True):
        row.append(present & starts)
        starts = ends if present else starts
    return row
