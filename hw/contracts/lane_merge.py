"""Contract of the merge of the lanes' lists: as many elements of each vector as its lists hold, or K, in one row."""

from amaranth import C, Cat, Const, Module, Mux, Signal, Value

from softstream.hw.contracts.read_out import ReadOutContract
from softstream.hw.plan.modes.top_k import FILL_CYCLES, JOIN_LATENCY, list_of
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.streams.layouts import each_lane
from softstream.hw.streams.registers import delay

__all__ = ["LaneMergeContract"]


class LaneMergeContract(ReadOutContract):
    """The orders of all lanes make one order, which gives min(K, n) elements, n those of all lists, and the last one is marked.

    A vector without an element in any lane gives one. Which element leaves is no part of the contract.

    The surroundings give the orders of all lanes in the same cycle, each with no more elements than its list has places.
    """

    component: LaneMerge
    memories = False
    settling = JOIN_LATENCY
    fill_cycles = FILL_CYCLES

    @property
    def title(self) -> str:
        """The merge and its size."""
        component = self.component
        mask = ", mask" if component.config.mask else ""
        return f"merge of {component.config.lanes} lists, {component.vectors} × {component.config.top_k}{mask}"

    def statements(self, m: Module) -> None:
        """Counts the elements of each vector, and joins its orders."""
        component, config = self.component, self.component.config
        entering = self.free(1, "entering")
        counts, empty = self._orders(m, entering)
        total = Signal(range(config.lanes * config.top_k + 1))
        m.d.comb += total.eq(Mux(Cat(*empty).all(), 1, sum(counts, start=C(0, 1))))
        joining = [entering]
        for step in range(JOIN_LATENCY):
            joining.append(delay(m, joining[step], 1, f"joining_{step}", reset=True))
        arrives = joining[-1]
        service = self.serve(m, entering, arrives)
        [due], [mark] = self.reads(m, service, 1)
        leaving, active, age = service.leaving, service.active, service.age
        filling = Mux(leaving & ~active, Const(1, FILL_CYCLES) << age, 0)[:FILL_CYCLES]
        self.invariants |= {
            "a vector inside is joined, waits or leaves": service.inside
            == sum(joining[1:], start=service.waiting + leaving),
            "no element leaves while the heads fill": ~leaving | active | (service.place == 0),
            "its heads fill": self.registers["phase"] == filling,
            "no more cycles than those of filling": age <= FILL_CYCLES,
            **self.leaves(service, due, mark),
        }
        joined = component.queue.i
        most = Mux(total > config.top_k, config.top_k, total)
        self.guarantees |= {
            "each order enters the queue": joined.valid == arrives,
            "with the number of its elements": ~arrives
            | (joined.payload.left == (delay(m, most, JOIN_LATENCY, "due_count") - 1)[: len(joined.payload.left)]),
        }
        if config.mask:
            self.covers["a vector has no element"] = arrives & delay(m, Cat(*empty).all(), JOIN_LATENCY, "none")

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
