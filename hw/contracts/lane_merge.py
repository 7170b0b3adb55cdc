"""Contract of the merge of the lanes' lists: as many elements of each vector as its lists hold, or K, in one row."""

from typing import Any

from amaranth import C, Cat, Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.plan.modes.top_k import FILL_CYCLES, JOIN_LATENCY, list_of
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.streams.layouts import each_lane
from softstream.hw.streams.registers import delay

__all__ = ["LaneMergeContract"]


class LaneMergeContract(Contract):
    """The orders of all lanes make one order, which gives min(K, n) elements, n those of all lists, and the last one is marked.

    A vector without an element in any lane gives one. One vector leaves at a time; its elements begin to leave `FILL_CYCLES`
    cycles after it has begun. Which element leaves is no part of the contract.

    The surroundings give the orders of all lanes in the same cycle, each with no more elements than its list has places, and
    assure that one vector less is inside than there is memory for. That the queue offers only what is inside is its own contract.
    """

    component: LaneMerge
    memories = False
    settling = JOIN_LATENCY

    @property
    def title(self) -> str:
        """The merge and its size."""
        component = self.component
        mask = ", mask" if component.config.mask else ""
        return f"merge of {component.config.lanes} lists, {component.vectors} × {component.config.top_k}{mask}"

    def statements(self, m: Module) -> None:
        """Counts the vectors inside, and the elements of the one that leaves."""
        component, config = self.component, self.component.config
        o, queue = component.o, component.queue
        entering, taking, may_begin = (self.free(1, name) for name in ("entering", "taking", "may_begin"))
        counts, empty = self._orders(m, entering)
        m.d.comb += [o.ready.eq(taking), component.free.eq(may_begin)]
        total = Signal(range(config.lanes * config.top_k + 1))
        m.d.comb += total.eq(Mux(Cat(*empty).all(), 1, sum(counts, start=C(0, 1))))

        # One more than there is room for, or the count could not exceed it. Those inside are joined, wait in the queue, or leave.
        inside, waiting = Signal(range(component.room + 2)), Signal(range(component.room + 2))
        vector: Any = Signal(queue.o.payload.shape(), reset_less=True)
        leaving, place, age = Signal(), Signal(len(vector.left)), Signal(range(FILL_CYCLES + 1))
        arrives, begins, reads, ends, moves, active = (
            Signal(name=name) for name in ("arrives", "begins", "reads", "ends", "moves", "active")
        )
        joining = [entering]
        for step in range(JOIN_LATENCY):
            joining.append(delay(m, joining[step], 1, f"joining_{step}", reset=True))
        m.d.comb += [
            arrives.eq(joining[-1]),
            moves.eq(taking | ~o.valid),
            begins.eq(queue.o.valid & queue.o.ready),
            active.eq(leaving & (age == FILL_CYCLES)),
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
        read = delay(m, active, 1, "read", reset=True, enable=moves)
        marks = delay(m, Cat(place == vector.left, *(vector[name] for name in names)), 1, "marks", enable=moves)
        law = self.law(m, "output_law", o.valid, o.ready, Cat(o.payload.last, *(o.payload[name] for name in names)))
        phase, registers = self.registers["phase"], self.registers
        self.invariants |= {
            "a vector inside is joined, waits or leaves": inside == sum(joining[1:], start=waiting + leaving),
            "no more vectors inside than there is room for": inside <= component.room,
            "no element beyond the last one": ~leaving | (place <= vector.left),
            "no element leaves while the heads fill": ~leaving | active | (place == 0),
            "its heads fill": phase == Mux(leaving & ~active, Const(1, FILL_CYCLES) << age, 0)[:FILL_CYCLES],
            "no more cycles than those of filling": age <= FILL_CYCLES,
            "a vector that leaves is known": registers["active"] == active,
            "elements left": ~leaving | (registers["left"] == (vector.left - place)[: len(place)]),
            "the last element is known": ~leaving | (registers["at_last"] == (place == vector.left)),
            **{f"its {name}": ~leaving | (registers[name] == vector[name]) for name in names},
            "what is read leaves, and nothing else": o.valid == read,
            "with the mark of the end and its flags": ~read
            | (Cat(o.payload.last, *(o.payload[name] for name in names)) == marks),
        }
        joined = queue.i.payload
        most = Mux(total > config.top_k, config.top_k, total)
        self.guarantees |= {
            "each order enters the queue": queue.i.valid == arrives,
            "with the number of its elements": ~arrives
            | (joined.left == (delay(m, most, JOIN_LATENCY, "due_count") - 1)[: len(joined.left)]),
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
        if config.mask:
            self.covers["a vector has no element"] = arrives & delay(m, Cat(*empty).all(), JOIN_LATENCY, "none")
        if component.room > 1:
            self.covers["a vector begins as one ends"] = begins & ends
        if config.top_k > 1:
            self.covers["an element leaves that is not the last"] = o.valid & taking & ~o.payload.last

    def _orders(self, m: Module, entering: Value) -> tuple[list[Value], list[Value]]:
        """(elements of each lane's list, whether it has none) of orders that come in the same cycle."""
        component, config = self.component, self.component.config
        counts, empty = [], []
        names = zip(each_lane("write", config.lanes), each_lane("order", config.lanes), strict=True)
        for lane, (write, order) in enumerate(names):
            self.offers(m, getattr(component, write))
            port = getattr(component, order)
            payload = Value.cast(port.payload)
            m.d.comb += [port.valid.eq(entering), payload.eq(self.free(len(payload), f"{order}_of_the_lane"))]
            # Without masks the first lane of a vector always holds an element.
            none = port.payload.all_masked if "all_masked" in port.payload.shape().members else Const(0, 1)
            empty.append(none)
            counts.append(Mux(none, 0, port.payload.left + 1))
            self.assumptions.append(~entering | (port.payload.left < list_of(config, lane).top_k))
        return counts, empty
