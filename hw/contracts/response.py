"""Contracts of what answers in time: credits whose payloads wait in a queue, a credit as such, and a ring that has room.

They add to the contracts of number and order (`flow`, `rings`) that something happens within a number of cycles.
"""

from itertools import pairwise

from amaranth import Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract, mark_used
from softstream.hw.contracts.flow import (
    CreditContract,
    credit_invariants,
    credit_obeyed,
    credit_reach,
    registered_history,
)
from softstream.hw.contracts.rings import ReplayContract
from softstream.hw.streams.flow import Credit

__all__ = ["CreditResponse", "DrawLoopResponse", "LoopResponse", "ReplayResponse", "settled_credit"]


def settled_credit(credit: Credit) -> int:
    """Most payloads that are out while a credit is available a cycle later."""
    return credit.limit - credit.margin - 1


class CreditResponse(CreditContract):
    """A credit is available in the cycle after no more is out than its limit and its margin allow."""

    @property
    def title(self) -> str:
        """The credit and its size."""
        return f"response of {super().title}"

    def statements(self, m: Module) -> None:
        """Remembers what was out in the cycle before."""
        super().statements(m)
        credit = self.component
        before = Signal.like(self.out)
        m.d.sync += before.eq(self.out)
        self.invariants["what was out in the cycle before"] = self.registers["spare"] + before == settled_credit(credit)
        self.guarantees["available where enough was given back"] = credit.available | (before > settled_credit(credit))


class LoopResponse(Contract):
    """A credit that is taken `cycles` cycles before a payload arrives in a queue, and comes back as the payload leaves.

    The queue is as its contract says: it offers a payload where two are inside, and one that has been inside for a cycle. So in
    each cycle in which the sink takes, one leaves where two are inside, and the loop is as free as its pipe is long.
    """

    def __init__(self, component: Credit, cycles: int) -> None:
        mark_used(component)
        super().__init__(Credit(component.limit, component.margin))
        self.cycles = cycles
        self.steps = self.opens + 1

    @property
    def opens(self) -> int:
        """Cycles in a row in which the sink takes, after which the credit of a loop that is `wide` stays available."""
        return credit_reach(self.component) + self.component.margin + 4

    @property
    def drains(self) -> int:
        """Cycles in a row in which the sink takes and nothing enters, after which the credit is available."""
        return self.cycles + self.component.limit + 4

    @property
    def leaves(self) -> int:
        """Cycles from a take to the departure of that payload, at most, while the sink takes."""
        return self.cycles + self.component.limit + 1

    @property
    def wide(self) -> bool:
        """Whether the credit covers what is on the way, so that a free sink keeps it available."""
        return settled_credit(self.component) >= self.cycles + 2

    @property
    def title(self) -> str:
        """The credit and its pipe."""
        credit = self.component
        return (
            f"response of credit of {credit.limit}, margin {credit.margin}, and its queue, {self.cycles} cycles later"
        )

    def statements(self, m: Module) -> None:
        """Counts what is on the way and in the queue, and the cycles in which the sink takes."""
        credit, cycles = self.component, self.cycles
        limit = credit.limit
        entering, idle, most = self.takes(m)
        offered, taking, arriving = (self.free(1, name) for name in ("offered", "taking", "arriving"))
        # One bit pattern more than the limit, or the counts could not exceed it.
        count, way, out = (Signal(range(2 * limit + 2), name=name) for name in ("count", "way", "out"))
        sink_cycles, drained = Signal(range(self.opens + 1)), Signal(range(self.drains + 1))
        waited, leaves, arrives = Signal(), Signal(), Signal()
        available, takes = registered_history(m, credit, entering)
        m.d.comb += [
            credit.take.eq(entering),
            credit.give.eq(leaves),
            leaves.eq(offered & taking),
            arrives.eq(arriving if cycles else entering),
            out.eq(way + count),
        ]
        m.d.sync += [
            count.eq(count + arrives - leaves),
            way.eq(way + entering - arrives),
            waited.eq((count != 0) & ~offered),
            sink_cycles.eq(Mux(taking, Mux(sink_cycles == self.opens, sink_cycles, sink_cycles + 1), 0)),
            drained.eq(Mux(taking & idle, Mux(drained == self.drains, drained, drained + 1), 0)),
        ]
        self.assumptions += [
            credit_obeyed(credit, available, takes),
            offered | (count <= 1),
            offered | ~waited,
            ~offered | (count != 0),
            # What a pipe of so many cycles keeps, whatever the order of its payloads.
            way <= most,
            (way != 0) | ~arrives | (cycles == 0),
        ]
        self.state_empty(way, drained)
        self.invariants |= credit_invariants(credit, self.registers, out, available, takes)
        self.invariants |= {
            "no more in the queue than the limit": count <= limit,
            "no more on the way than the limit": way <= limit,
        }
        left = Signal(range(limit + cycles + 2))
        m.d.comb += left.eq(Mux(drained >= cycles + limit - 1, 1, limit + cycles - drained))
        self.invariants |= {
            "the queue empties": (drained <= cycles) | (count <= left),
            "the queue is empty at last": (drained < self.drains - 2) | (count == 0),
        }
        self.guarantees |= {
            "available when nothing has entered and all has left": (drained < self.drains) | credit.available,
        }
        if self.wide:
            self.invariants["as free as its pipe is long"] = (sink_cycles < self.opens - 1) | (
                out <= settled_credit(credit)
            )
            self.guarantees["available while the sink takes"] = (sink_cycles < self.opens) | credit.available
        self.covers |= {"it opens": (sink_cycles == self.opens) & entering, "a payload waits": waited & (count != 0)}
        if limit <= 16:
            self.covers["it is closed"] = ~credit.available & (count == limit - cycles if limit > cycles else 1)

    def takes(self, m: Module) -> tuple[Value, Value, Value]:
        """Whether a payload takes the credit, whether nothing is there that will arrive, and the payloads on the way at most."""
        entering = self.free(1, "entering")
        return entering, ~entering, Const(self.cycles)

    def state_empty(self, way: Signal, drained: Signal) -> None:
        """What is known of the `way` after `drained` cycles in which nothing has taken the credit."""
        self.assumptions.append((drained < self.cycles) | (way == 0))


class DrawLoopResponse(LoopResponse):
    """A loop whose payloads are draws: a vector's first element takes the credit, and the draw comes some cycles after its last.

    `cycles`: those at most. A draw may come earlier, from the cycle after its vector's first element on. There is one for each
    vector, in their order. At most one vector ends in each cycle, and one that is unfinished has an element since the latest end,
    however long it is. So as many draws as cycles are on the way at most, as with vectors of one element.
    """

    def __init__(self, component: Credit, cycles: int) -> None:
        super().__init__(component, cycles)
        self._unfinished = Signal(name="unfinished")
        self._ended = [Signal(name=f"ended_{cycle}") for cycle in range(1, cycles + 1)]

    @property
    def title(self) -> str:
        """The credit, and when the draws come."""
        credit = self.component
        return (
            f"response of credit of {credit.limit}, margin {credit.margin}, and its queue of draws, at most {self.cycles} "
            "cycles later"
        )

    def takes(self, m: Module) -> tuple[Value, Value, Value]:
        """Follows the elements: the vectors that have ended in the last cycles, and the one that has not, may lack a draw."""
        element, last = self.free(1, "element"), self.free(1, "last")
        unfinished, ended = self._unfinished, self._ended
        with m.If(element):
            m.d.sync += unfinished.eq(~last)
        m.d.sync += [ended[0].eq(element & last), *(later.eq(earlier) for earlier, later in pairwise(ended))]
        self.invariants["a vector that has just ended is not unfinished"] = ~(ended[0] & unfinished)
        self.covers["an element that is not the first"] = element & unfinished
        return element & ~unfinished, ~element & ~unfinished, sum(ended, start=Const(0, 1)) + unfinished

    def state_empty(self, way: Signal, drained: Signal) -> None:
        """No vector is unfinished, and none has ended in these cycles."""
        self.invariants |= {
            f"no end {cycle} cycles before, while none comes": (drained < cycle) | ~ended
            for cycle, ended in enumerate(self._ended, 1)
        }
        self.invariants["no vector is unfinished while none comes"] = (drained == 0) | ~self._unfinished


class ReplayResponse(ReplayContract):
    """A ring hands out an element of a complete vector whenever there is room and its spacing is free."""

    @property
    def title(self) -> str:
        """The ring, its size, its interval and its cycles of reading."""
        return f"response of {super().title}"

    def statements(self, m: Module) -> None:
        """States when an element leaves."""
        super().statements(m)
        ring = self.component
        free: Value = Const(1, 1)
        if ring.interval > 1:
            spacing = self.module.submodules.spacing
            free = spacing.free
            self.guarantees["the spacing is that of the elements"] = spacing.take == ring.leaves
        self.guarantees["an element leaves as soon as it may"] = ring.leaves == ((self.ready != 0) & self.room & free)
        self.covers["an element waits for room"] = (self.ready != 0) & ~self.room
