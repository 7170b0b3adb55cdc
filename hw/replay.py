"""Elements again, once their vector's sum is known: a ring of raw scores, and a queue of what the sums became."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .formats import ceil_log2
from .numerics import Numerics
from .streams import Spacing, delay, each_lane, keep_names, pulse, store

__all__ = ["Factors", "Replay", "counted", "entries", "stored_layout"]


def stored_layout(widths: Numerics, lanes: int = 1, *, mask: bool = False) -> data.StructLayout:
    """One stored beat: the positions (the raw scores), which lanes hold one, whether it is its vector's last, and the
    lanes' `mask`, where they may have one.
    """
    positions = dict.fromkeys(each_lane("position", lanes), widths.tables.score_width)
    masks = dict.fromkeys(each_lane("mask", lanes), 1) if mask else {}
    return data.StructLayout({**positions, **dict.fromkeys(keep_names(lanes), 1), "last": 1, **masks})


def entries(needed: int) -> int:
    """Entries of a memory that holds `needed`: a power of two keeps its pointers plain, where it costs no memory."""
    return 1 << max(1, ceil_log2(needed)) if needed <= 1 << 11 else needed


def _following(pointer: Value, depth: int) -> Value:
    if depth & (depth - 1) == 0:
        return (pointer + 1)[: len(pointer)]
    return Mux(pointer == depth - 1, 0, pointer + 1)


def counted(m: Module, name: str, step: Value, depth: int) -> Signal:
    """The address that the next of `depth` entries has, of which each `step` takes one."""
    address = Signal(range(depth), name=name)
    with m.If(step):
        m.d.sync += address.eq(_following(address, depth))
    return address


class Replay(wiring.Component):
    """Stores the elements as they come and gives out those of the vectors that are complete, in order.

    Raw scores are stored, not exponentials: the narrowest thing that says everything. A vector is complete once the
    address of its last element comes in at `complete`; what lies up to that address may leave.

    Ports: `i`, elements as they come in, and `complete`, both without back-pressure (credits elsewhere assure the room);
    `address`, that of the element that comes in now; `o`, elements, no back-pressure; `room`, whether the
    output queue behind can take one more element; `taken`, a credit returned. Elements leave at least `interval` cycles
    apart. Latency `memory` + 1 cycles from `complete` to the first element; one element per `interval` cycles.
    """

    def __init__(self, shape: data.StructLayout, *, beats: int, interval: int, memory: int) -> None:
        self._interval, self._memory = interval, memory
        self._depth = entries(beats)
        super().__init__(
            {
                "i": In(pulse(shape)),
                "address": Out(range(self._depth)),
                "complete": In(pulse(range(self._depth))),
                "o": Out(pulse(shape)),
                "room": In(1),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        written, last, reached = (Signal(range(self._depth), name=name) for name in ("written", "last", "reached"))
        read, writing = store(m, "ring", Value.cast(self.i.payload), self.i.valid, written, self._depth)
        m.d.comb += [*writing, self.address.eq(written), read.addr.eq(reached)]
        with m.If(self.i.valid):
            m.d.sync += written.eq(_following(written, self._depth))
        # Whether anything may leave is known from a register: no comparison of addresses stands before an element.
        some = Signal()
        spaced: Value = Const(1, 1)
        if self._interval > 1:
            m.submodules.spacing = spacing = Spacing(self._interval)
            m.d.comb += spacing.taken.eq(self.taken)
            spaced = spacing.free
        m.d.comb += self.taken.eq(some & self.room & spaced)
        with m.If(self.taken):
            m.d.sync += reached.eq(_following(reached, self._depth))
        with m.If(self.complete.valid):
            m.d.sync += [last.eq(self.complete.payload), some.eq(1)]
        with m.Elif(self.taken & (reached == last)):
            m.d.sync += some.eq(0)
        m.d.comb += [
            self.o.valid.eq(delay(m, self.taken, self._memory, "taken", reset=True)),
            Value.cast(self.o.payload).eq(delay(m, read.data, self._memory - 1, "element")),
        ]
        return m


class Factors(wiring.Component):
    """What each vector hands to its elements, until its first element is on its way.

    Ports: `i`, one payload per vector, no back-pressure; `o`, the payload of a vector from `memory` cycles after `next`
    until `memory` cycles after the following `next`.
    """

    def __init__(self, shape: data.StructLayout, depth: int, memory: int) -> None:
        self._depth, self._memory = entries(depth), memory
        super().__init__({"i": In(pulse(shape)), "next": In(1), "o": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        written, taken = Signal(range(self._depth)), Signal(range(self._depth))
        read, writing = store(m, "store", Value.cast(self.i.payload), self.i.valid, written, self._depth)
        m.d.comb += [
            *writing,
            read.addr.eq(taken),
            read.en.eq(self.next),
            Value.cast(self.o).eq(delay(m, read.data, self._memory - 1, "factor")),
        ]
        m.d.sync += [
            written.eq(Mux(self.i.valid, _following(written, self._depth), written)),
            taken.eq(Mux(self.next, _following(taken, self._depth), taken)),
        ]
        return m
