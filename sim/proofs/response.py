"""Proof that a head answers in time, at its full size: no deadlock, from any reachable state, without a bound on time.

Proved is: in n cycles in a row in which all outputs are taken and there is no reset, a beat that waits at `s_axis` is taken, and
each vector that is complete has its answer at every output. The number n is printed. It follows from the number and the order of
beats and ends (`counting`), which is proved first, and from these statements, each proved for all inputs and all time:

* from some cycles after the outputs are taken on, what a queue or a register of winners offers is taken in every cycle;
* where the credits of the gate behind the frame are available, and its spacing is free, the beat that the frame offers enters;
* the spacing counts ends and waits for nothing but the credits of vectors; it is free in time, as its contract says;
* a credit is available as soon as enough has come back (`CreditResponse`); a queue behind a credit empties, and while it is
  emptied, its credit stays available if that covers what is on the way (`LoopResponse`); so do registers of winners;
* the ring learns of a complete vector a fixed number of cycles after its end has entered, and has room if and only if the credit
  of the queue behind it is available; it hands out an element as soon as it has room and its spacing is free (`ReplayResponse`);
* the credit of a vector's factor comes back a fixed number of cycles after the vector's first element has left the ring.

While the gate is closed nothing enters, so everything behind it comes to an end: pipes are empty after their cycles, queues and
registers after theirs, and from V cycles on every vector whose end has entered is complete, so that the ring hands out its
elements, each r cycles after the one before, until only those of the unfinished vector are left. Then all is given back but less
than max_length elements, which leave credits over; so the gate opens. With E credits of elements, r cycles for each, x elements
that left meanwhile, and δ cycles until the outputs are taken and the ring has room:

    the gate was closed for    max(V + r·x + T, U)  cycles at most, T from the ring to a credit, U for all other credits
    input                      δ + max(V + r·E + T, U)
    answer                     δ + max(V + T, U) + V + r·(E + 1) + Q, Q from the ring to the output

For the answer, the beat that ends the vector enters behind at most E − x elements, is complete V cycles later, and leaves the
ring at most r·(E − x + 1) cycles after that, in its turn. Heads without a ring have V = r = 0 and T = 0.

The one-hot stage and the store of a list stand in the place of the ring: they give the results of one vector after the other.
Then E counts vectors, r is the number of results of the longest, and the gate opens when so many vectors have left as its credit
has in reserve, and one more.

A head without a credit (argmax, sigmoid, draws with Gumbel noise) is a row of stages under a clock enable. Proved is that it
moves in each cycle, from some cycles after the outputs are taken on, and how many cycles a beat and an end then take.

Where null beats are dropped in front of the frame, the stage that drops them and the skid buffer behind it hold up to F beats.
The skid buffer opens the input as soon as the frame has taken a beat of it. The gate may close anew before each of these beats,
so an answer takes F · (max(V + T, U) + r) cycles more, and two for each beat on its way.

Not covered, and refused: heads in which something else stands on a path, such as groups, ensembles, two passes, searches, lists
under several credits, two queues that wait for each other, and other stages before or behind the head.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from amaranth import Cat, Mux, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import PIPES, contract_of
from softstream.hw.contracts.response import CreditResponse, LoopResponse, ReplayResponse, settled_credit
from softstream.hw.errors import UserError
from softstream.hw.modes.hardmax import OneHot
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Hold, Queue, Skid, Spacing
from softstream.sim.proofs import counting
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between
from softstream.sim.proofs.proof import Progress, Proof
from softstream.sim.proofs.rooms import Link, room_links, state_rooms
from softstream.sim.proofs.stores import prove_contract, summary

__all__ = ["Bound", "is_answered", "prove_response", "response_bound"]

_TAKES = 4
"""Cycles in which all outputs are taken, after which what a store on a path offers is taken in every cycle."""

_RETURN = 2
"""Cycles from the return of a credit to its use."""

_FRONT = 4
"""Beats in the stage that drops null beats and in the skid buffer behind it."""

_OPENS = 2
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
        return self.takes + self.gate + self.interval * needed + (_OPENS if self.front else 0)

    @property
    def cycles(self) -> int:
        """Cycles within which a beat is taken and a vector answered."""
        served = self.interval * (self.elements + 1) if self.elements else 0
        front = self.front * (self.gate + self.interval + 2)
        return self.takes + front + self.gate + self.complete + served + self.leaves


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
        return self.leaves + _RETURN


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

    of_elements: tuple[int, ...]
    """Credits that each beat takes as it enters."""
    of_vectors: tuple[int, ...]
    """Credits that the last beat of each vector takes as it enters."""
    ring: _Ring | None
    registers: tuple[_Registers, ...]
    spacing: int | None
    """Number of the spacing of the gate."""


class _Response:
    """A head of which everything is known that its response depends on. Raises `UserError` where it is not."""

    def __init__(self, config: Config, survey: _Survey) -> None:
        self.config, self.survey = config, survey
        self.head = head = InsideHead(config)
        self.places = counting.places_of(head)
        self.frame = _frame(config, head)
        self.front = _front(self.places)
        self.ring = next(iter(_of(head, Replay)), None)
        self.spacings = _of(head, Spacing)
        self.spacing = None if survey.spacing is None else self.spacings[survey.spacing]
        self.credits = credits = _of(head, Credit)
        by_credit: dict[int, Link] = {}
        for link in room_links(config, head):
            if by_credit.setdefault(credits.index(link.credit), link) is not link:
                raise _uncovered(config, f"two stores wait for each other under the {contract_of(link.credit).title}")
        own = {row.credit for row in survey.registers}
        self.gate = [*survey.of_elements, *survey.of_vectors]
        for number, credit in enumerate(credits):
            store = by_credit.get(number)
            if number not in self.gate and not (survey.ring and number == survey.ring.behind):
                raise _uncovered(config, f"no event is known at which the {contract_of(credit).title} is taken")
            if number not in own and (store is None or store.vectors or store.ranked or store.on_request):
                raise _uncovered(config, f"no store is known whose room the {contract_of(credit).title} assures")
        self.links = {number: link for number, link in by_credit.items() if number not in own}
        self.server = next(iter(_of(head, OneHot) + _of(head, RankedStore)), None)
        if self.server is not None and (len(credits) != 1 or 0 not in survey.of_vectors or self.spacings or own):
            raise _uncovered(config, "more than one credit leads to its results")
        self.elements = self._link(Replay)
        self.factors = self._link(FactorStore)
        if self.ring is not None and (survey.ring is None or self.elements is None or self.factors is None):
            raise _uncovered(config, "not all credits of the ring are known")

    @property
    def _waiting(self) -> int:
        """Beats that may wait in front of the frame."""
        return _FRONT if self.front else 0

    def _link(self, kind: type) -> Link | None:
        return next((link for link in self.links.values() if isinstance(link.store, kind)), None)

    @property
    def loops(self) -> dict[int, LoopResponse]:
        """The contracts of the credits of queues."""
        return {
            number: LoopResponse(link.credit, link.cycles)
            for number, link in self.links.items()
            if isinstance(link.store, Queue) and self.server is None
        }

    @property
    def bound(self) -> Bound:
        """The cycles of the response. Raises `UserError` where a credit is too small for the head to answer."""
        if self.server is not None:
            return self._server_bound(self.server)
        loops, survey = self.loops, self.survey
        waits = [0, *(row.drains for row in survey.registers)]
        waits += [loops[number].drains for number in self.gate if number in loops and not loops[number].wide]
        waits += [] if self.spacing is None else [self.spacing.interval]
        leaves = [row.leaves for row in survey.registers]
        leaves += [loop.leaves for loop in loops.values()]
        takes = _TAKES + max((loop.opens for loop in loops.values() if loop.wide), default=0)
        gate, last = max(waits) + _RETURN, max(leaves)
        if survey.ring is None or self.elements is None:
            return Bound(takes, 0, 0, 0, gate, last, front=self._waiting)
        if not loops[survey.ring.behind].wide:
            raise _uncovered(self.config, "the queue behind the ring is shorter than the way to it")
        if settled_credit(self.elements.credit) < self.config.beats(self.config.max_length) - 1:
            raise _uncovered(self.config, "the ring is shorter than a vector, so it may fill before one is complete")
        ring = self.elements.store
        complete = survey.ring.complete + _RETURN
        back = ring.memory + survey.ring.factor + _RETURN + 1
        limit = self.elements.credit.limit
        return Bound(takes, complete, limit, ring.interval, max(complete + back, gate), last, front=self._waiting)

    def _server_bound(self, server: Any) -> Bound:
        """The cycles where a stage gives the results of one vector after the other."""
        [link], [credit] = self.links.values(), self.credits
        one_hot = isinstance(server, OneHot)
        beats = self.config.beats(self.config.max_length) if one_hot else self.config.top_k
        # A queue offers two cycles after an arrival; the one-hot stage may be empty for a cycle between two vectors.
        complete = link.cycles + QUEUE_LATENCY
        return Bound(
            _TAKES,
            complete,
            credit.limit + one_hot,  # the vector in the one-hot stage has given its credit back
            beats + one_hot,
            complete + _RETURN + 1,
            1 if one_hot else server.cycles,
            credit.margin + 2,
            self._waiting,
        )

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """What the response relies on: title → (component, its contract)."""
        loops = self.loops
        rows: list[tuple[Any, Any]] = [(self.frame, contract_of)]
        for number, credit in enumerate(self.credits):
            if number in loops:
                cycles = loops[number].cycles
                rows.append((credit, lambda part, cycles=cycles: LoopResponse(part, cycles)))
            elif number in self.links:
                rows.append((credit, CreditResponse))
        rows += [(link.store, contract_of) for link in self.links.values()]
        rows += [(spacing, contract_of) for spacing in self.spacings]
        rows += [] if self.server is None else [(self.server, contract_of)]
        rows += [(part, contract_of) for row in self.survey.registers for part in map(self._part, row.chain)]
        if self.ring is not None:
            rows.append((self.ring, ReplayResponse))
        return {contract(part).title: (part, contract) for part, contract in rows}

    def _part(self, place: int) -> Any:
        return self.places[place].part

    def state(self) -> None:
        """States what is between the parts."""
        self._state_gate()
        self._state_sinks()
        if self.server is not None:
            self._state_server(self.server)
        for row in self.survey.registers:
            self._state_registers(row)
        state_rooms(self.head, [*self.links.values()])
        if self.survey.ring is not None and self.factors is not None:
            self._state_ring(self.ring, self.survey.ring, self.factors.credit)

    def _state_gate(self) -> None:
        """The input, the gate behind the frame, and its spacing."""
        head, frame, credits = self.head, self.frame, self.credits
        enters = frame.o.valid & frame.o.ready
        ends = enters & frame.o.payload.last
        if self.front is None:
            head.after(SETTLING, "input: it is that of the frame", head.top.s_axis_tready == frame.i.ready)
        else:
            self._state_front(self.front)
        for number in self.survey.of_elements:
            head.after(SETTLING, f"gate: each beat takes {_name(credits[number])}", credits[number].take == enters)
        for number in self.survey.of_vectors:
            head.after(SETTLING, f"gate: each end takes {_name(credits[number])}", credits[number].take == ends)
        available = _all(credits[number].available for number in self.gate)
        # The gate may have a register.
        opens = available & head.before(available)
        if (spacing := self.spacing) is not None:
            allowed = _all(credits[number].available for number in self.survey.of_vectors)
            opens &= spacing.free
            head.after(SETTLING, "gate: the spacing counts ends", spacing.take == ends)
            if spacing.interval > 1:  # else it keeps nothing apart
                head.after(SETTLING, "gate: an end enters where the spacing is free", ~ends | spacing.free)
            head.after(SETTLING, "gate: the spacing waits for the credits of vectors", spacing.allowed == allowed)
        head.after(SETTLING, "gate: it opens where all credits are available", ~opens | frame.o.ready)

    def _state_front(self, front: "_Front") -> None:
        """The stage that drops null beats moves while the skid buffer is open, and the frame takes from the skid buffer."""
        head, frame, skid = self.head, self.frame, front.skid.part
        open_input = Cat(head.top.s_axis_tready, front.stage.enable).all() | ~skid.i.ready
        closed = ~Cat(head.top.s_axis_tready, front.stage.enable).any() | skid.i.ready
        same = Cat(skid.o.valid, skid.o.ready) == Cat(frame.i.valid, frame.i.ready)
        offered = skid.i.valid == front.stage.part.o.valid
        head.after(SETTLING, "input: it and the null beats move while the skid buffer is open", open_input & closed)
        head.after(SETTLING, "skid buffer: the null beats are before it and the frame behind it", same & offered)
        opens = ~head.before(skid.o.ready) | skid.i.ready
        head.after(SETTLING, "skid buffer: it is open behind a cycle in which the frame takes", opens)

    def _state_server(self, server: Any) -> None:
        """What gives the results of a vector takes the next one, and its results are taken."""
        head, [link] = self.head, self.links.values()
        name = counting.PART_NAMES[type(server)]
        served = ~_outputs_ready(head, self.config, _TAKES - 1) | server.o.ready
        head.after(SETTLING + _TAKES, f"{name}: what it offers is taken, {_TAKES} cycles after the outputs", served)
        if isinstance(server, RankedStore):
            head.after(SETTLING, f"{name}: a vector may always begin", server.free)
        else:
            queue: Any = link.store
            same = Cat(server.i.valid, server.i.ready) == Cat(queue.o.valid, queue.o.ready)
            head.after(SETTLING, f"{name}: it takes what the queue offers", same)

    def _state_sinks(self) -> None:
        """What waits in a queue is taken, because the outputs are."""
        for number in self.loops:
            queue: Any = self.links[number].store
            served = ~_outputs_ready(self.head, self.config, _TAKES - 1) | queue.o.ready
            # A queue beside another one is taken with it.
            name = f"queue of {queue.room}: what it offers is taken, {_TAKES} cycles after the outputs"
            self.head.after(SETTLING + _TAKES, name, served)

    def _state_registers(self, row: _Registers) -> None:
        """Winners leave their registers at once, and their credit is available when there are none."""
        head, credit = self.head, self.credits[row.credit]
        for step in row.steps:
            counting.state_step(head, self.places, step)
        counting.state_registers(head, self.places, row.credit, row.chain, row.steps[0])
        name = f"{len(row.chain)} registers behind {contract_of(credit).title}"
        ready = _outputs_ready(self.head, self.config, row.leaves + _TAKES)
        source, last = self.places[row.steps[0].source], self.places[row.chain[-1]]
        head.after(
            SETTLING + row.leaves + _TAKES,
            f"{name}: a winner leaves {row.leaves} cycles after its end, where the outputs are taken",
            ~ready | (last.leaves == head.before(source.vectors, row.leaves)),
        )
        none = _all(~head.before(source.vectors, cycle) for cycle in range(1, row.drains + 1))
        head.after(
            SETTLING + row.drains + _TAKES,
            f"{name}: it is available {row.drains} cycles after the last end, where the outputs are taken",
            ~(_outputs_ready(self.head, self.config, row.drains + _TAKES) & none) | credit.available,
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
        head.after(SETTLING, f"ring: it has room if {_name(behind)} is available", ring.room == behind.available)
        head.after(SETTLING, f"ring: each element takes {_name(behind)}", behind.take == ring.leaves)
        # Each lane has its own, and that of the first one asks for the factor.
        starts = next(
            registers["starts"]
            for part in head.parts
            if "starts" in (registers := head.probes.registers(part)) and hasattr(part, "next")
        )
        last = ring.o.payload.last
        due = Mux(head.before(ring.o.valid), head.before(last), head.before(starts))
        head.after(SETTLING, "ring: the first element is the one behind a last one, or behind a reset", starts == due)
        head.after(
            SETTLING + trace.factor,
            f"ring: the credit of a factor comes back {trace.factor} cycles after a vector's first element",
            factors.give == head.before(ring.o.valid & starts, trace.factor),
        )


class _Enabled:
    """A head without a credit: stages in a row, each of which moves in the cycles of a clock enable that the outputs decide."""

    def __init__(self, config: Config) -> None:
        paths = counting.paths_of(config)
        trial = InsideHead(config)
        places = counting.places_of(trial)
        frames = {step.target for path in paths for step in path if isinstance(places[step.target].part, Frame)}
        if len(frames) != 1 or not all(path[-1].target in range(len(places)) for path in paths):
            raise _uncovered(config, "stages stand before or behind the head")
        [self._frame] = frames
        numbers = dict.fromkeys(step.target for path in paths for step in path)
        kinds = {type(places[number].part) for number in numbers if places[number].part is not None}
        stages = {NullBeats, Frame, Skid, Maximum, SkewedMaximum, *PIPES}
        strange = [counting.PART_NAMES[kind] for kind in kinds - stages]
        if strange:
            raise _uncovered(config, f"no contract states when the {min(strange)} answers")
        self._enabled = [number for number in numbers if places[number].enable is not None]
        self._outputs = [path[-1].target for path in paths]
        frame, front = places[self._frame], _front(places)
        # Behind null beats, where a beat may wait for the next one, what leaves the skid buffer is counted from.
        self._source = places.index(front.skid) if front else 0
        signals = [places[self._source].leaves, frame.arrives, frame.vectors]
        signals += [_answers(places[number]) for number in self._outputs]
        enters, arrives, leaves, *answers = trial.traces(signals, stalls=False)
        before = cycles_between(enters, arrives)
        behind = [cycles_between(leaves, answer) for answer in answers]
        if before is None or None in behind:
            raise _uncovered(config, "the cycles of a beat depend on others")
        self._before, self._behind = before, [cycles for cycles in behind if cycles is not None]
        self.config, self.head = config, InsideHead(config)

    @property
    def bound(self) -> Bound:
        """The cycles of the response: of the stages, of the frame, and of a skid buffer that was full."""
        front = _FRONT if self._source else 0
        return Bound(_TAKES, 0, 0, 0, 0, self._before + max(self._behind) + 2, front=front)

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """No more than number and order rely on."""
        return {}

    def state(self) -> None:
        """States that nothing stops while the outputs are taken, and how long a beat and an end take then."""
        head, places = self.head, counting.places_of(self.head)
        ready = _outputs_ready(head, self.config, _TAKES - 1)
        head.after(SETTLING + _TAKES, "input: it is free", ~ready | head.top.s_axis_tready)
        for number in self._enabled:
            enable: Any = places[number].enable
            head.after(SETTLING + _TAKES, f"{places[number].name}: it moves", ~ready | enable)
        frame, enters = places[self._frame], places[self._source].leaves
        ready = _outputs_ready(head, self.config, _TAKES + self._before)
        head.after(
            SETTLING + _TAKES + self._before,
            f"{frame.name}: a beat arrives {self._before} cycles after it has left the {places[self._source].name}",
            ~ready | (frame.arrives == head.before(enters, self._before)),
        )
        for number, cycles in zip(self._outputs, self._behind, strict=True):
            ready = _outputs_ready(head, self.config, _TAKES + cycles)
            head.after(
                SETTLING + _TAKES + cycles,
                f"{places[number].name}: an answer comes {cycles} cycles after the frame has marked the end",
                ~ready | (_answers(places[number]) == head.before(frame.vectors, cycles)),
            )


def _answers(place: Any) -> Value:
    """Whether the answer to a vector, or the last beat of it, leaves at an output."""
    arrives: Value = place.arrives
    return arrives if place.end_arrives is None else arrives & place.end_arrives


def _outputs_ready(head: InsideHead, config: Config, cycles: int) -> Value:
    """Whether all outputs were taken in this cycle and in some before, without a reset."""
    now = _all(getattr(head.top, f"{output.prefix}_tready") for output in outputs(config))
    return now & _all(head.before(now, cycle) for cycle in range(1, cycles + 1))


def _of(head: InsideHead, kind: type) -> list[Any]:
    return [part for part in head.parts if isinstance(part, kind)]


def _all(values: Any) -> Value:
    return Cat(*values).all()


def _name(credit: Credit) -> str:
    return f"a {contract_of(credit).title}"


def _frame(config: Config, head: InsideHead) -> Any:
    frames = _of(head, Frame)
    if len(frames) != 1 or len(_of(head, Replay)) > 1:
        raise _uncovered(config, "stages stand before or behind the head")
    return frames[0]


class _Front(NamedTuple):
    """The places in front of the frame."""

    stage: Any
    """The stage that drops null beats."""
    skid: Any
    """The skid buffer behind it, whose ready is the clock enable of the stage."""


def _front(places: Sequence[Any]) -> _Front | None:
    """The stage that drops null beats and its skid buffer, where there is one."""
    stage = next((place for place in places if isinstance(place.part, NullBeats)), None)
    if stage is None:
        return None
    skids = (place for place in places if isinstance(place.part, Skid))
    return _Front(stage, next(skid for skid in skids if skid.part.i.ready is stage.enable))


_PARTS = (Frame, Replay, Queue, Hold, OneHot, Insertion, RankedStore)
"""What may stand on a path."""


def _survey(config: Config) -> _Survey:
    """Looks for what is between the parts in a simulation."""
    paths = counting.paths_of(config)
    places = counting.places_of(InsideHead(config))
    front = _front(places) or ()
    for path in paths:
        inner = [place for step in path[:-1] if (place := places[step.target]) not in front]
        strange = next((place.name for place in inner if type(place.part) not in _PARTS), "")
        if strange or not isinstance(inner[0].part, Frame):
            raise _uncovered(config, f"no contract states when the {strange or inner[0].name} answers")
    registers = [
        chain
        for path in paths
        if (row := counting.registers_behind(config, path)) is not None
        for chain in _chains(config, places, row[0])
    ]
    head = InsideHead(config)
    frame, credits = _frame(config, head), _of(head, Credit)
    enters = frame.o.valid & frame.o.ready
    rings, spacings = _of(head, Replay), _of(head, Spacing)
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
        behind = [number for number, take in enumerate(takes) if take == leaves]
        back = [cycles for give in gives if (cycles := cycles_between(firsts, give)) is not None]
        if behind and back and complete is not None:
            ring = _Ring(behind[0], complete, back[0])
    return _Survey(
        tuple(number for number, take in enumerate(takes) if take == elements),
        tuple(number for number, take in enumerate(takes) if take == ends),
        ring,
        tuple(registers),
        next((number for number, take in enumerate(spaced) if take == ends), None),
    )


def _chains(config: Config, places: Sequence[Any], credit: int) -> list[_Registers]:
    """The rows of registers under a credit; where there are several, each waits for the others before the output."""
    steps = counting.steps_of(config)
    onwards = {step.target for step in steps if isinstance(places[step.source].part, Hold)}
    rows = []
    for first in steps:
        if first.ends and isinstance(places[first.target].part, Hold) and first.target not in onwards:
            row = [first]
            while onward := [step for step in steps if step.source == row[-1].target]:
                if not isinstance(places[onward[0].target].part, Hold):
                    break
                row.append(onward[0])
            rows.append(row)
    leaves = max(row[0].cycles + len(row) for row in rows)
    return [_Registers(credit, tuple(step.target for step in row), tuple(row), leaves) for row in rows]


def _firsts(valid: Sequence[int], last: Sequence[int]) -> list[int]:
    """Where the first element of each vector is among the elements of a stream."""
    row, starts = [], 1
    for present, ends in zip(valid, last, strict=True):
        row.append(present & starts)
        starts = ends if present else starts
    return row


def _response(config: Config) -> _Response | _Enabled:
    """What the response of a head depends on. Raises `_Uncovered` for a head that is not covered."""
    return _Response(config, _survey(config)) if _of(InsideHead(config), Credit) else _Enabled(config)


def _covered(config: Config) -> tuple[_Response | _Enabled, Bound]:
    """What the response of a head depends on, and its cycles. Raises `UserError` with a remedy for one that is not covered."""
    try:
        response = _response(config)
        return response, response.bound
    except _Uncovered as error:
        raise UserError(f"{error}; {_remedy(config)} would do") from None


def response_bound(config: Config) -> Bound:
    """The cycles within which a head answers. Raises `UserError` for a head that is not covered."""
    return _covered(config)[1]


def prove_response(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves that a beat that waits is taken and a vector that is complete is answered in so many cycles.

    Arguments and errors are those of a `Prover`; raises `UserError` for a head that is not covered. `verilog` is not read.
    """
    began = time.monotonic()
    progress(0.0, "finding the parts")
    response, bound = _covered(config)
    counts = counting.prove_counting(config, seconds=seconds, progress=lambda part, what: progress(0.5 * part, what))
    verdicts = [verdict for verdict in counts.verdicts if verdict.answer != "proved"]
    if not verdicts:
        text = Property("number and order of beats and ends", "", False)
        verdicts = [Verdict(text, "proved", "contracts", None, counts.seconds)]
    progress(0.5, "what is between the parts")
    response.state()
    verdicts += response.head.prove(seconds)
    shared = [verdict.statement.name for verdict in counts.verdicts]
    contracts = {title: row for title, row in response.contracts().items() if f"contract of {title}" not in shared}
    for number, (title, (part, contract)) in enumerate(contracts.items()):
        progress(0.7 + 0.3 * number / len(contracts), title)
        verdicts += summary(title, prove_contract(part, seconds=seconds, contract=contract))
    holds = all(verdict.answer == "proved" for verdict in verdicts)
    spent = time.monotonic() - began
    for name, cycles in (("answer to each complete vector", bound.cycles), ("free input", bound.input)):
        statement = Property(f"{name} within {cycles} cycles in which all outputs are taken", "", False)
        verdicts.append(Verdict(statement, "proved" if holds else "open", "contracts", None, spent))
    return Proof(config, tuple(verdicts), spent)


def is_answered(config: Config) -> bool:
    """Whether the response of a head is covered, so that `prove_response` does not refuse it."""
    try:
        return _response(config).bound is not None
    except UserError:
        return False


class _Uncovered(UserError):
    """A head that is not covered, and the reason; the remedy is looked for where the error leaves this module."""


def _uncovered(config: Config, reason: str) -> _Uncovered:
    return _Uncovered(f"prove --response: mode = {config.mode!r}; {reason}")


def _remedy(config: Config) -> str:
    """A key whose default makes the head one that is covered; else the default of all keys."""
    for key in sorted(config.changed_keys(), key=lambda key: key.name == "mode"):
        try:
            changed = config.replace(**{key.name: key.default})
        except UserError:  # the key is needed by another one
            continue
        if is_answered(changed):
            return (
                f"{key.name} = {key.default!r}" if isinstance(key.default, str) else f"{key.name} = {key.default_text}"
            )
    return "mode = 'softmax' with the defaults"
