"""Contracts between vectors and their results: the list that orders a vector, and the stages that give a vector's beats."""

from dataclasses import dataclass
from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.modes.hardmax import OneHot
from softstream.hw.stages.frame import masks
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.streams.layouts import each_lane, keep_names
from softstream.hw.streams.registers import delay, delays

__all__ = ["InsertionContract", "OneHotContract", "RankedStoreContract", "ReadOutContract"]

_QUICKLY_FULL = 16
"""Places of a list that a short trace fills."""


class OneHotContract(Contract):
    """The one-hot stage: a vector gives `left` + 1 beats, the last one marked, and 1.0 in the beat and lane of its winner.

    The surroundings tell with `alone` whether `left` is 0, and set `leads` only where `before` is 0.
    """

    component: OneHot

    @property
    def title(self) -> str:
        """The stage and its size."""
        config = self.component.config
        return f"one-hot of {config.lanes} × {config.probability_width} bits, up to {config.max_length} scores"

    def statements(self, m: Module) -> None:
        """Counts the beats of the vector, and compares each one with the definition."""
        i, o, config = self.component.i, self.component.o, self.component.config
        entering, taking = self.offers(m, i), self.free(1, "taking")
        offered: Any = i.payload
        m.d.comb += o.ready.eq(taking)
        inside, place = Signal(), Signal(config.beat_width)
        vector: Any = Signal(offered.shape(), reset_less=True)
        takes, leaves = Signal(), Signal()
        m.d.comb += [takes.eq(entering & i.ready), leaves.eq(o.valid & taking)]
        self.assumptions += [
            ~entering | (offered.alone == (offered.left == 0)),
            ~entering | ~offered.leads | (offered.before == 0),
        ]
        with m.If(takes):
            m.d.sync += [inside.eq(1), place.eq(0), Value.cast(vector).eq(Value.cast(offered))]
        with m.Elif(leaves):
            m.d.sync += [inside.eq(place != vector.left), place.eq(place + 1)]
        # Before 0 without `leads`: a vector without a winner.
        won = (place == vector.before) & ((vector.before != 0) | vector.leads)
        last = place == vector.left
        constant = [name for name in vector.shape().members if name not in ("left", "alone", "before", "leads")]
        zero, one = config.probability_codes
        law = self.law(m, "output_law", o.valid, o.ready, Value.cast(o.payload))
        self.invariants |= {
            "a beat is offered while a vector is inside": o.valid == inside,
            "no beat beyond the vector's end": ~inside | (place <= vector.left),
            "beats left": ~inside | (self.registers["left"] == (vector.left - place)[: config.beat_width]),
            "its last beat is known": ~inside | (self.registers["alone"] == last),
            "beats before the winner": ~inside
            | (self.registers["before"] == (vector.before - place)[: config.beat_width]),
            "the winner's beat is known": ~inside | (self.registers["leads"] == won),
            **{f"its {name}": ~inside | (self.registers[name] == vector[name]) for name in constant},
        }
        self.guarantees |= {
            "no vector is taken before the last beat of the one before": ~takes | ~inside | (leaves & last),
            "a vector is taken where none is inside": i.ready | inside,
            "the vector's last beat is marked": ~inside | (o.payload.last == last),
            "law of the output": law.holds,
            **{
                f"1.0 at the winner alone, lane {lane}": ~inside
                | (o.payload[name] == Mux(won & (vector.lane == lane), one, zero))
                for lane, name in enumerate(each_lane("probability", config.lanes))
            },
            **{
                f"lanes of its beats, {name}": ~inside | (o.payload[name] == (~last | vector[name]))
                for name in keep_names(config.lanes)
            },
        }
        self.covers |= {"a last beat leaves": leaves & o.payload.last, "the output stalls": law.stalled}
        if config.max_length > config.lanes:
            self.covers["a beat leaves that is not the last"] = leaves & ~o.payload.last


class InsertionContract(Contract):
    """The list: an order leaves 2 cycles after a vector's last beat, and tells the number of its elements, min(K, N), less one.

    N is the number of the vector's beats; with a mask it is that of its unmasked ones, or 1 where all are masked. The
    surroundings are those of a frame: they mark a vector's first beat and number the beats.

    The order is that of the definition. One element, any one, is watched. Ahead of it are c elements of its vector that are
    larger, or equal and before it (behind it with `tie = last`). If c < K, it is written, the c-th place of the order is its own,
    and no later element is written there.
    """

    component: Insertion
    settling = 2
    steps = 2

    @property
    def title(self) -> str:
        """The list and its size."""
        config = self.component.config
        mask = ", mask" if config.mask else ""
        return f"list of {config.top_k} of up to {config.max_length} × {config.score_width} bits{mask}"

    def statements(self, m: Module) -> None:
        """Counts the elements of the vector."""
        i, o, config = self.component.i, self.component.o, self.component.config
        count, beat = config.top_k, i.payload
        entering = self.offers(m, i)
        # Beats before this one in its vector, whether elements are among them, elements of the list before this one and with it.
        place, participant = Signal(range(config.max_length)), Signal()
        listed, among = Signal(range(count + 1)), Signal(range(count + 1))
        counts, alone = Signal(), Signal()
        counted = participant & (place != 0)
        masked = masks(config, beat)[0] if config.mask else Const(0, 1)
        m.d.comb += [
            alone.eq(masked & beat.last & ~counted),
            counts.eq(~masked | alone),
            among.eq(Mux(~counts, listed, Mux(counted, Mux(listed == count, count, listed + 1), 1))),
        ]
        self.assumptions += [
            ~entering | (beat.first == (place == 0)),
            ~entering | (beat.index == place),
            ~entering | beat.last | (place != config.max_length - 1),
        ]
        with m.If(entering):
            m.d.sync += [place.eq(Mux(beat.last, 0, place + 1)), listed.eq(among), participant.eq(counts | counted)]
        full = Array([Const((1 << number) - 1, count) for number in range(count + 1)])
        due = delay(m, entering & beat.last, 2, "due", reset=True)
        left = delay(m, (among - 1)[: len(among)], 2, "due_left")
        # A beat enters the list a cycle after it has arrived.
        entered = delay(m, listed, 1, "listed", reset=True)
        self.invariants["as many places are occupied as the vector has elements"] = (
            self.registers["occupied"] == full[entered]
        )
        if config.mask:
            number = self.registers["number"]
            self.invariants |= {
                "no more elements than places": listed <= count,
                "a vector with an element before has elements": ~counted | (listed != 0),
                "an element before is known": (place == 0) | (self.registers["participant"] == participant),
                "their number": (entered == 0) | (entered == count) | (number == (entered - 1)[: len(number)]),
            }
        else:
            self.invariants |= {
                "a vector that has begun has elements": (place == 0)
                | (participant & (listed == Mux(place < count, place, count))),
            }
        write = self.component.write
        self.guarantees |= {
            "an order for each vector, and no other": o.valid == due,
            "nothing is written without an element": ~write.payload.enters | write.valid,
            "with the vector's last element": o.valid == (write.valid & write.payload.last),
            "with the number of its elements": ~due | (o.payload.left == left),
            "with its flag": ~due | (o.payload.overlong == delay(m, beat.overlong, 2, "due_overlong")),
        }
        if config.mask:
            self.guarantees["and whether all are masked"] = ~due | (
                o.payload.all_masked == delay(m, alone, 2, "due_alone")
            )
            self.covers["all are masked"] = due & o.payload.all_masked
            if config.max_length > 2:  # a vector that goes on behind two beats of which one is masked
                self.covers["fewer elements than beats"] = (place > 1) & counted & (listed == 1)
        self._rank(m, entering & counts, beat, alone)
        self.covers["an order leaves"] = o.valid
        if count <= min(_QUICKLY_FULL, config.max_length):
            self.covers["the list is full"] = due & (left == count - 1)

    def _rank(self, m: Module, enters: Value, beat: Any, alone: Value) -> None:
        """Follows one element of a vector through the list; `enters`: an element comes that is not masked, or stands alone."""
        config, registers, write = self.component.config, self.registers, self.component.write
        count, width = config.top_k, config.score_width
        slots = range(count)
        occupied, valid, first = registers["occupied"], registers["valid"], registers["first"]
        scores = [(~registers[f"rest_{k}"])[:width] for k in slots]
        tags, beats = ([registers[f"{name}_{k}"] for k in slots] for name in ("tag", "beats"))
        newcomer = (~registers["candidate"])[:width]
        # The score of the watched element is known from the start, so that those ahead of it can be counted.
        score, fixed = self.free(width, "watched_score"), Signal(width, reset_less=True)
        m.d.sync += fixed.eq(score)
        self.assumptions.append(score == fixed)

        def ahead(other: Value, *, later: bool) -> Value:
            """Whether another element goes before the watched one."""
            return other >= score if later == config.last_wins else other > score

        watch, coming, watched = self.free(1, "watch"), Signal(), Signal()
        chosen = enters & watch & (beat.position == score) & (beat.first | ~(watched | coming))
        # A beat is compared with the list a cycle after it has arrived.
        index = Signal(config.index_width, reset_less=True)
        m.d.sync += coming.eq(chosen)
        with m.If(chosen):
            m.d.sync += index.eq(Mux(alone, 0, beat.index))
        # One more than there are places, or the rank could not exceed them.
        rank, passed = Signal(range(count + 2)), Signal(range(count + 2))
        tag = Signal(len(tags[0]), reset_less=True)
        before = Mux(first, 0, rank)
        known = watched & ~first
        m.d.comb += passed.eq(
            Mux(
                (before != count) & Mux(known, ahead(newcomer, later=True), ahead(newcomer, later=False)),
                before + 1,
                before,
            )
        )
        with m.If(valid):
            m.d.sync += [rank.eq(Mux(coming, before, passed)), watched.eq(coming | known)]
            with m.If(coming):
                m.d.sync += tag.eq(tags[-1])
        listed = watched & (rank != count)
        place = Array([*tags, tags[-1]])[rank]
        for k in slots:
            self.invariants |= {
                f"slot {k}: whether the next element goes before it": beats[k]
                == (valid & (first | ~occupied[k] | self._before(newcomer, scores[k]))),
                f"slot {k}: ahead of the watched element": watched
                | ((rank > k) == (occupied[k] & ahead(scores[k], later=False))),
                f"slot {k}: the watched element and those around it": ~watched
                | Mux(
                    rank > k,
                    occupied[k] & (scores[k] >= score),
                    Mux(rank == k, occupied[k] & (scores[k] == score), ~occupied[k] | (scores[k] <= score)),
                ),
            }
        for k in slots[1:]:
            self.invariants[f"slots {k - 1} and {k} are in order"] = ~occupied[k] | (
                occupied[k - 1] & (scores[k - 1] >= scores[k])
            )
        self.invariants |= {
            "no tag twice": Cat(tags[k] != tags[j] for k in slots for j in range(k)).all(),
            "the watched element has its tag": ~listed | (place == tag),
            "no more elements ahead than places": rank <= count,
            "the element to be watched has its score": ~coming | (valid & (newcomer == score)),
        }
        written, index = delay(m, coming, 1, "watched_written", reset=True), delay(m, index, 1, "watched_index")
        writes = write.valid & write.payload.enters
        self.guarantees |= {
            "the watched element is written, if no more than places are ahead": ~written
            | ((rank == count) == ~writes)
            & (
                ~writes
                | (Cat(write.payload.index, write.payload.position, write.payload.tag) == Cat(index, score, tag))
            ),
            "no other one is written there while it is listed": ~(writes & listed & ~written)
            | (write.payload.tag != tag),
            "its place in the order is its rank": ~(self.component.o.valid & listed)
            | (Array([*(self.component.o.payload.tags.word_select(k, len(tag)) for k in slots), tag])[rank] == tag),
        }
        self.covers["the watched element leaves in the last place"] = (
            self.component.o.valid & listed & (rank == min(count, config.max_length) - 1)
        )

    def _before(self, later: Value, earlier: Value) -> Value:
        """Whether a later element goes before an earlier one."""
        return later >= earlier if self.component.config.last_wins else later > earlier


@dataclass(frozen=True)
class Service:
    """The vectors inside of a read-out, and the elements of the one that leaves."""

    inside: Signal
    waiting: Signal
    """Vectors whose order is in the queue."""
    leaving: Signal
    """Whether a vector leaves."""
    active: Signal
    """Whether its elements leave: they do so from `fill_cycles` after it has begun."""
    age: Signal
    """Cycles since it has begun, up to `fill_cycles`."""
    vector: Any
    """Its order."""
    place: Signal
    """Its elements that are read."""
    names: list[str]
    """Its flags."""
    begins: Signal
    ends: Signal
    moves: Signal
    """Whether the output is free, so that what is read moves on."""
    marks: Value
    """Mark of the end and the flags of the element at the output."""


class ReadOutContract(Contract):
    """Each order enters a queue, and gives as many elements as it tells, the last one marked. One vector leaves at a time.

    The surroundings assure that one vector less is inside than there is memory for, because another one comes in. That the queue
    offers only what is inside is its own contract.
    """

    fill_cycles = 0
    """Cycles from the beginning of a vector to the read of its first element."""

    def serve(self, m: Module, entering: Value, arrives: Value) -> Service:
        """Counts the vectors inside, and the elements of the one that leaves.

        `entering`: whether an order comes; `arrives`: whether one enters the queue.
        """
        component, fill = self.component, self.fill_cycles
        o, queue = component.o, component.queue
        taking, may_begin = self.free(1, "taking"), self.free(1, "may_begin")
        m.d.comb += [o.ready.eq(taking), component.free.eq(may_begin)]
        # One more than there is room for, or the count could not exceed it.
        inside, waiting = Signal(range(component.room + 2)), Signal(range(component.room + 2))
        vector: Any = Signal(queue.o.payload.shape(), reset_less=True)
        leaving, place, age = Signal(), Signal(len(vector.left)), Signal(range(fill + 1))
        begins, active, reads, ends, moves = (
            Signal(name=name) for name in ("begins", "active", "reads", "ends", "moves")
        )
        m.d.comb += [
            moves.eq(taking | ~o.valid),
            begins.eq(queue.o.valid & queue.o.ready),
            active.eq(leaving & (age == fill)),
            reads.eq(active & moves),
            ends.eq(reads & (place == vector.left)),
        ]
        m.d.sync += [inside.eq(inside + entering - ends), waiting.eq(waiting + arrives - begins)]
        with m.If(begins):
            m.d.sync += [leaving.eq(1), place.eq(0), age.eq(0), Value.cast(vector).eq(Value.cast(queue.o.payload))]
        with m.Elif(leaving):
            m.d.sync += age.eq(Mux(active, age, age + 1))
            with m.If(reads):
                m.d.sync += [leaving.eq(~ends), place.eq(place + 1)]
        self.assumptions += [~entering | (inside < component.room), ~queue.o.valid | (waiting != 0)]

        names = [name for name in o.payload.shape().members if name not in ("index", "position", "last")]
        marks = Cat(o.payload.last, *(o.payload[name] for name in names))
        law, registers = self.law(m, "output_law", o.valid, o.ready, marks), self.registers
        self.invariants |= {
            "no more vectors inside than there is room for": inside <= component.room,
            "no element beyond the last one": ~leaving | (place <= vector.left),
            "a vector that leaves is known": registers["active"] == active,
            "elements left": ~leaving | (registers["left"] == (vector.left - place)[: len(place)]),
            "the last element is known": ~leaving | (registers["at_last"] == (place == vector.left)),
            **{f"its {name}": ~leaving | (registers[name] == vector[name]) for name in names},
        }
        self.guarantees |= {
            "the queue has room for it": ~arrives | (waiting < queue.room),
            "a vector begins when its order leaves the queue": component.begins == begins,
            "one begins as soon as the last element of the one before is read": begins
            == (queue.o.valid & may_begin & (~leaving | ends)),
            "the end of a vector is told when its last element is read": component.ends == ends,
            "law of the output": law.holds,
        }
        self.covers |= {
            "a last element leaves": o.valid & taking & o.payload.last,
            "the output stalls": law.stalled,
        }
        if component.room > 1:
            self.covers["a vector begins as one ends"] = begins & ends
        if component.config.top_k > 1:
            self.covers["an element leaves that is not the last"] = o.valid & taking & ~o.payload.last
        return Service(inside, waiting, leaving, active, age, vector, place, names, begins, ends, moves, marks)

    def reads(self, m: Module, service: Service, cycles: int) -> tuple[list[Value], list[Value]]:
        """(whether an element was read, its marks) in each of so many steps, in which what is read moves on."""
        flags = Cat(service.ends, *(service.vector[name] for name in service.names))
        return (
            delays(m, service.active, cycles, "due", reset=True, enable=service.moves),
            delays(m, flags, cycles, "mark", enable=service.moves),
        )

    def leaves(self, service: Service, due: Value, mark: Value) -> dict[str, Value]:
        """That what is read, and nothing else, is at the output behind the last step."""
        return {
            "what is read leaves, and nothing else": self.component.o.valid == due,
            "with the mark of the end and its flags": ~due | (service.marks == mark),
        }


class RankedStoreContract(ReadOutContract):
    """The store of ranked elements: each order enters a queue, and gives as many elements as it tells, the last one marked.

    The r-th of them is what was written under the r-th tag of the order. The surroundings give the order with the vector's last
    element, and write no other element of a vector under the tag of one that is in its order.
    """

    component: RankedStore

    @property
    def title(self) -> str:
        """The store and its size."""
        component = self.component
        return f"ranked store of {component.vectors} × {component.config.top_k}, read in {component.cycles}"

    def statements(self, m: Module) -> None:
        """Follows the elements of the vector that leaves through the steps of a read."""
        component, o, queue = self.component, self.component.o, self.component.queue
        order = component.order
        entering = self.offers(m, order)
        self.offers(m, component.write)
        service = self.serve(m, entering, entering)
        held = Signal(range(component.held + 2))
        m.d.sync += held.eq(held + service.ends - (o.valid & o.ready & o.payload.last))
        dues, marks = self.reads(m, service, component.cycles)
        for step, (due, mark) in enumerate(zip(dues, marks, strict=True), 1):
            self.invariants |= {
                f"what was read {step} steps before": self.registers[f"valid_{step}"] == due,
                f"its marks, {step} steps later": ~due | (self.registers[f"flags_{step}"] == mark),
            }
        last_elements = (due & mark[0] for due, mark in zip(dues, marks, strict=True))
        self.invariants |= {
            "a vector inside waits or leaves": service.inside == service.waiting + service.leaving,
            "a last element that is read and has not left is in a step": held == sum(last_elements, start=Const(0, 1)),
        }
        self.guarantees |= {
            "each order enters the queue": (queue.i.valid == entering)
            & (Value.cast(queue.i.payload) == Value.cast(order.payload)),
            "no more last elements are read and have not left than there are steps": held <= component.held,
            **self.leaves(service, dues[-1], marks[-1]),
        }
        self.covers["as many last elements are read and have not left as there are steps"] = held == component.held
        self._entries(m, service, entering)

    def _entries(self, m: Module, service: Service, entering: Value) -> None:
        """Follows one entry, any one, from its write to the read under its tag."""
        component, registers, write = self.component, self.registers, self.component.write
        entry, order = write.payload, service.vector
        slots = len(registers["write_slot"])
        watch, watched, inside, coming_in = self.free(1, "watch"), Signal(), Signal(), Signal()
        ahead = Signal.like(service.inside)
        slot, tag = Signal(slots, reset_less=True), Signal(len(entry.tag), reset_less=True)
        value = Signal(len(entry.index) + len(entry.position), reset_less=True)
        chosen = write.valid & entry.enters & watch & ~watched
        last = write.valid & entry.last
        self.assumptions += [
            entering == last,
            ~entry.enters | write.valid,
            ~(write.valid & entry.enters & coming_in) | (entry.tag != tag),
        ]
        with m.If(chosen):
            m.d.sync += [
                Cat(watched, inside).eq(0b11),
                coming_in.eq(~last),
                ahead.eq(service.inside - service.ends),
                slot.eq(registers["write_slot"]),
                tag.eq(entry.tag),
                value.eq(Cat(entry.index, entry.position)),
            ]
        with m.Else():
            with m.If(last):
                m.d.sync += coming_in.eq(0)
            with m.If(inside & service.ends):
                m.d.sync += [inside.eq(ahead != 0), ahead.eq(ahead - 1)]
        port = self.module.submodules.store.read_port(domain="comb")
        m.d.comb += port.addr.eq(Cat(tag, slot))
        width, count = len(tag), component.config.top_k
        hit = service.active & inside & (ahead == 0) & (registers["tag_0"] == tag)
        hits = delays(m, hit, component.cycles, "hit", reset=True, enable=service.moves)
        self.invariants |= {
            "slot that is written = slot that is read, as many on as vectors are inside": registers["write_slot"]
            == (registers["read_slot"] + service.inside)[:slots],
            "slot of the entry = slot that is read, as many on as vectors are ahead": ~inside
            | (slot == (registers["read_slot"] + ahead)[:slots]),
            "the vector of the entry is inside, or comes in": ~inside
            | Mux(coming_in, ahead == service.inside, ahead < service.inside),
            "an entry comes in once": ~coming_in | inside,
            "one entry is watched": watched | ~(inside | Cat(*hits).any()),
            "the entry in the memory": ~inside | (port.data == value),
            **{
                f"tag {k} is that of the order": ~service.leaving
                | (service.place + k >= count)
                | (registers[f"tag_{k}"] == order.tags.word_select((service.place + k)[: len(service.place)], width))
                for k in range(count)
            },
            **{
                f"the entry, {step} steps after its read": ~then | (registers[f"entry_{step}"] == value)
                for step, then in enumerate(hits, 1)
            },
        }
        result = component.o.payload
        self.guarantees["the element is the entry under the tag of its place in the order"] = ~hits[-1] | (
            Cat(result.index, result.position) == value
        )
        self.covers["the watched entry leaves"] = hits[-1]
