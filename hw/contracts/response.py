"""Contracts of what answers in time: credits whose payloads wait in a queue, a credit as such, and a ring that has room.

They add to the contracts of number and order (`flow`, `rings`) that something happens within a number of cycles.
"""

from itertools import pairwise

from amaranth import Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract, mark_used
from softstream.hw.contracts.flow import (
    CreditContract,
    QueueContract,
    credit_invariants,
    credit_obeyed,
    credit_reach,
    registered_history,
)
from softstream.hw.contracts.rings import ReplayContract
from softstream.hw.streams.flow import Credit

__all__ = ["CreditResponse", "DrawLoopResponse", "LoopResponse", "PairResponse", "ReplayResponse", "settled_credit"]


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

    `interval`: cycles by which takes are apart at least, so that fewer are on the way.
    """

    fixed = True
    """Whether each payload arrives as many cycles after its take."""

    def __init__(self, component: Credit, cycles: int, interval: int = 1) -> None:
        mark_used(component)
        super().__init__(Credit(component.limit, component.margin))
        self.cycles, self.interval = cycles, interval
        self._way = -(-cycles // interval)
        self.steps = self.opens + 1

    @property
    def opens(self) -> int:
        """Cycles in a row in which the sink takes, after which the credit of a loop that is `wide` stays available."""
        return credit_reach(self.component) + self.component.margin + 4

    @property
    def drains(self) -> int:
        """Cycles in a row in which the sink takes and nothing enters, after which the credit is available.

        While more payloads are out than are on the way at most, one waits in the queue, and leaves in this cycle or the next.
        """
        if settled_credit(self.component) >= self._way:
            return 2 * self._excess + 2
        return self._empties

    @property
    def _excess(self) -> int:
        """Payloads that must leave at most before the credit is available."""
        return self.component.limit - settled_credit(self.component)

    @property
    def _empties(self) -> int:
        """Cycles in a row in which the sink takes and nothing enters, after which the queue is empty, and two more."""
        return self.cycles + self.component.limit + 4

    @property
    def leaves(self) -> int:
        """Cycles from a take to the departure of that payload, at most, while the sink takes."""
        return self.cycles + self.component.limit + 1

    @property
    def passes(self) -> int:
        """Cycles from a take to the departure of that payload, at most, while the sink takes; the pipe has a cycle or more.

        In each cycle one before it leaves, unless so few are in the queue that this one finds two there at most.
        """
        return max(self.component.limit, self.cycles + 2) + 1

    @property
    def wide(self) -> bool:
        """Whether the credit covers what is on the way, so that a free sink keeps it available."""
        return settled_credit(self.component) >= self.cycles + 2

    @property
    def title(self) -> str:
        """The credit and its pipe."""
        credit = self.component
        apart = f", taken {self.interval} cycles apart" if self.interval > 1 else ""
        return f"response of credit of {credit.limit}, margin {credit.margin}{apart}, and its queue, {self.cycles} cycles later"

    def statements(self, m: Module) -> None:
        """Counts what is on the way and in the queue, and the cycles in which the sink takes."""
        credit, cycles = self.component, self.cycles
        limit = credit.limit
        entering, idle, most = self.takes(m)
        offered, taking, arriving = (self.free(1, name) for name in ("offered", "taking", "arriving"))
        # One bit pattern more than the limit, or the counts could not exceed it.
        count, way, out = (Signal(range(2 * limit + 2), name=name) for name in ("count", "way", "out"))
        sink_cycles, drained = Signal(range(self.opens + 1)), Signal(range(self._empties + 1))
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
            drained.eq(Mux(taking & idle, Mux(drained == self._empties, drained, drained + 1), 0)),
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
            "the queue is empty at last": (drained < self._empties - 2) | (count == 0),
        }
        if self.drains < self._empties:
            self.invariants |= {
                f"{left} have left": (drained < 2 * left) | (out <= limit - left) for left in range(1, self._excess + 1)
            }
        self.guarantees |= {
            "available when nothing has entered and all has left": (drained < self.drains) | credit.available,
        }
        if cycles and self.fixed:
            self._follow(m, entering & taking, arrives, leaves, taking, count, way)
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
        return entering, ~entering, Const(self._way)

    def state_empty(self, way: Signal, drained: Signal) -> None:
        """What is known of the `way` after `drained` cycles in which nothing has taken the credit."""
        self.assumptions.append((drained < self.cycles) | (way == 0))

    def _follow(
        self, m: Module, enters: Value, arrives: Value, leaves: Value, taking: Value, count: Signal, way: Signal
    ) -> None:
        """Follows one payload, any one, from its take to its departure, unless the sink does not take in between."""
        limit, cycles, watch = self.component.limit, self.cycles, self.free(1, "watch")
        ahead, ahead_way = Signal.like(count), Signal.like(way)
        followed, inside, age = Signal(), Signal(), Signal(range(self.passes + 2))
        moves_up = arrives & (ahead_way != 0)
        with m.If(~followed):
            m.d.sync += [
                followed.eq(enters & watch),
                inside.eq(0),
                age.eq(1),
                ahead.eq(count + arrives - leaves),
                ahead_way.eq(way - arrives),
            ]
        with m.Else():
            m.d.sync += [
                followed.eq(taking & ~(leaves & inside & (ahead == 0))),
                inside.eq(inside | (arrives & ~moves_up)),
                age.eq(age + 1),
                ahead.eq(ahead + (moves_up & ~inside) - (leaves & (ahead != 0))),
                ahead_way.eq(ahead_way - moves_up),
            ]
        on_way = followed & ~inside
        self.assumptions += [
            # It has a place of its own in the pipe, and each of those before it has one.
            ~on_way | (age > cycles) | (ahead_way <= cycles - age),
            ~on_way | (age >= cycles) | ~arrives | (ahead_way != 0),
            ~on_way | (age < cycles) | (arrives & (ahead_way == 0)),
        ]
        before = Mux(inside, 0, ahead_way) + ahead
        self.invariants |= {
            "the followed payload arrives in time": ~followed | ((age != 0) & (inside == (age > cycles))),
            "on the way, all in the queue are before it": ~on_way | ((count == ahead) & (way > ahead_way)),
            "in the queue, it is behind those before it": ~(followed & inside) | (count > ahead),
            "those before it leave": ~followed | (before + age <= max(limit, cycles + 2)) | (before == 0),
            "it leaves in time": ~followed | (age <= self.passes),
        }
        self.covers["the followed payload leaves"] = followed & inside & leaves & (ahead == 0)


class DrawLoopResponse(LoopResponse):
    """A loop whose payloads are draws: a vector's first element takes the credit, and the draw comes some cycles after its last.

    `cycles`: those at most. A draw may come earlier, from the cycle after its vector's first element on. There is one for each
    vector, in their order. At most one vector ends in each cycle, and one that is unfinished has an element since the latest end,
    however long it is. So as many draws as cycles are on the way at most, as with vectors of one element.
    """

    fixed = False

    def __init__(self, component: Credit, cycles: int, interval: int = 1) -> None:
        super().__init__(component, cycles, interval)
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


class PairResponse(QueueContract):
    """A queue beside another one: each payload has a companion that arrives there a cycle later or more, and they leave together.

    The other queue is as its contract says: it offers only what is inside. As many leave it as leave this one, because both give
    back the same credit. A companion that arrives was on the way between the two arrivals.
    """

    @property
    def title(self) -> str:
        """The queue and its room."""
        return f"response of {super().title}, whose payloads have companions that arrive later"

    def statements(self, m: Module) -> None:
        """Counts the companions on the way and in the other queue."""
        super().statements(m)
        early = self.component
        offered, arriving = self.free(1, "offered"), self.free(1, "companion")
        # One bit pattern more than the room, or the counts could not exceed it.
        way, late = (Signal(range(2 * self.room + 2), name=name) for name in ("way", "late"))
        leaves = early.o.valid & early.o.ready
        m.d.sync += [way.eq(way + early.i.valid - arriving), late.eq(late + arriving - leaves)]
        self.assumptions += [(way != 0) | ~arriving, (late != 0) | ~offered, offered | ~leaves]
        self.invariants["as many here as on the way and there"] = self.count == way + late
        self.invariants["one that arrived is on the way"] = ~self.arrived | (way != 0)
        self.guarantees["a payload is offered where its companion is"] = early.o.valid | ~offered
        self.covers |= {"both are offered": offered & early.o.valid, "the companion is late": early.o.valid & ~offered}


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
