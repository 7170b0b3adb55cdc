"""Elements again, once their vector's sum is known: a ring of raw scores, and a queue of what the sums became."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.streams.counters import following
from softstream.hw.streams.flow import Spacing
from softstream.hw.streams.layouts import each_lane, keep_names, pulse
from softstream.hw.streams.registers import delay, store

__all__ = ["Factors", "Replay", "counted", "end_layout", "entries", "stored_layout"]


def stored_layout(widths: Numerics, lanes: int = 1, *, mask: bool = False) -> data.StructLayout:
    """One stored beat: the positions (the raw scores), which lanes hold one, whether it is its vector's last, and the
    lanes' `mask`, where they may have one.
    """
    positions = dict.fromkeys(each_lane("position", lanes), widths.tables.score_width)
    masks = dict.fromkeys(each_lane("mask", lanes), 1) if mask else {}
    return data.StructLayout({**positions, **dict.fromkeys(keep_names(lanes), 1), "last": 1, **masks})


def entries(needed: int) -> int:
    """Entries of a memory that holds `needed`: a power of two has pointers without a carry, where it costs no memory."""
    return 1 << max(2, ceil_log2(needed + 1)) if needed < 1 << 11 else needed


def _following(pointer: Value, needed: int, depth: int) -> Value:
    """The pointer's next place in a memory that holds `needed` in `depth` entries; one that is shifted is never 0."""
    if depth & (depth - 1) == 0 and needed < depth:
        return following(pointer)
    return Mux(pointer == depth - 1, 0, pointer + 1)


def counted(m: Module, name: str, step: Value, needed: int) -> Signal:
    """The address of the next entry in a memory that holds `needed`, of which each `step` takes one."""
    depth = entries(needed)
    address = Signal(range(depth), init=1, name=name)
    with m.If(step):
        m.d.sync += address.eq(_following(address, needed, depth))
    return address


def end_layout(beats: int) -> data.StructLayout:
    """Where a vector ends in a ring for `beats`: the address of its last element, and whether that is its first as well."""
    return data.StructLayout({"last": range(entries(beats)), "single": 1})


class Replay(wiring.Component):
    """Stores the elements as they come and gives out those of the vectors that are complete, in order.

    Raw scores are stored, not exponentials: the narrowest thing that says everything. A vector is complete once the
    address of its last element comes in at `complete`; what lies up to that address may leave.

    Ports: `i`, elements as they come in, and `complete`, whose `single` tells that the last element is the only one, both
    without back-pressure (credits elsewhere assure the room); `address`, that of the element that comes in now; `o`, elements,
    no back-pressure; `room`, whether the output queue behind can take one more element; `taken`, a credit returned. Elements
    leave at least `interval` cycles apart. Latency `memory` + 2 cycles from `complete` to the first element; one element per
    `interval` cycles.
    """

    def __init__(self, shape: data.StructLayout, *, beats: int, interval: int, memory: int) -> None:
        self._interval, self._memory = interval, memory
        self._needed, self._depth = beats, entries(beats)
        super().__init__(
            {
                "i": In(pulse(shape)),
                "address": Out(range(self._depth)),
                "complete": In(pulse(end_layout(beats))),
                "o": Out(pulse(shape)),
                "room": In(1),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        written, reached = (Signal(range(self._depth), init=1, name=name) for name in ("written", "reached"))
        last = Signal(range(self._depth), reset_less=True)
        read, writing = store(m, "ring", Value.cast(self.i.payload), self.i.valid, written, self._depth)
        m.d.comb += [*writing, self.address.eq(written), read.addr.eq(reached)]
        with m.If(self.i.valid):
            m.d.sync += written.eq(_following(written, self._needed, self._depth))
        # Whether anything may leave, and whether what leaves next is the last of it, is known from registers: no comparison
        # of addresses stands before an element.
        some, at_last, fresh = Signal(), Signal(), Signal()
        spaced: Value = Const(1, 1)
        if self._interval > 1:
            m.submodules.spacing = spacing = Spacing(self._interval)
            m.d.comb += spacing.taken.eq(self.taken)
            spaced = spacing.free
        m.d.comb += self.taken.eq(some & self.room & spaced)
        next_place = _following(reached, self._needed, self._depth)
        single = Signal(reset_less=True)
        m.d.sync += [fresh.eq(self.complete.valid), some.eq(fresh | (some & ~(self.taken & at_last)))]
        with m.If(self.complete.valid):
            m.d.sync += [last.eq(self.complete.payload.last), single.eq(self.complete.payload.single)]
        with m.If(self.taken):
            m.d.sync += reached.eq(next_place)
        # The comparison does not wait for what it is chosen by. Where nothing was left, the place reached is that of the new
        # vector's first element.
        moved, found, kept = Signal(), Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += at_last.eq(Mux(moved, found, kept))
        m.d.sync += [
            moved.eq(self.taken),
            found.eq(next_place == last),
            kept.eq(Mux(fresh, single & ~some, at_last)),
        ]
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
        self._needed, self._depth, self._memory = depth, entries(depth), memory
        super().__init__({"i": In(pulse(shape)), "next": In(1), "o": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        written, taken = Signal(range(self._depth), init=1), Signal(range(self._depth), init=1)
        read, writing = store(m, "store", Value.cast(self.i.payload), self.i.valid, written, self._depth)
        m.d.comb += [
            *writing,
            read.addr.eq(taken),
            read.en.eq(self.next),
            Value.cast(self.o).eq(delay(m, read.data, self._memory - 1, "factor")),
        ]
        m.d.sync += [
            written.eq(Mux(self.i.valid, _following(written, self._needed, self._depth), written)),
            taken.eq(Mux(self.next, _following(taken, self._needed, self._depth), taken)),
        ]
        return m
