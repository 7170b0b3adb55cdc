"""The ring of raw scores, read again once a vector's sum is known, and the store of the vectors' factors."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.stage_cycles import BANK
from softstream.hw.streams.counters import following, following_of_all, shifted
from softstream.hw.streams.flow import Spacing
from softstream.hw.streams.layouts import each_lane, keep_names, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import addressed_store, delay, gates

__all__ = [
    "FactorStore",
    "Replay",
    "end_layout",
    "entry_counter",
    "has_spare_entry",
    "next_entry",
    "ring_entries",
    "stored_layout",
]


def stored_layout(widths: Numerics, lanes: int = 1, *, mask: bool = False) -> data.StructLayout:
    """One stored beat: the positions (the raw scores), the lanes' `keep`, `last`, the lanes' `mask`."""
    positions = dict.fromkeys(each_lane("position", lanes), widths.tables.score_width)
    masks = dict.fromkeys(each_lane("mask", lanes), 1) if mask else {}
    return data.StructLayout({**positions, **dict.fromkeys(keep_names(lanes), 1), "last": 1, **masks})


def ring_entries(needed: int) -> int:
    """Entries of a memory for `needed` payloads, for pointers without a carry: a power of two, and from a bank on whole banks."""
    return 1 << max(2, ceil_log2(needed + 1)) if needed < BANK else -(-needed // BANK) * BANK


def has_spare_entry(needed: int) -> bool:
    """Whether the memory for `needed` payloads is never full, so that no payload is ever at the write address."""
    places = ring_entries(needed) - (needed < BANK)  # a shift register never reaches 0
    return needed < places


def next_entry(pointer: Value, needed: int, depth: int) -> Value:
    """The pointer's next place in a memory of `depth` entries.

    A shift register never reaches 0, so it has a place more than payloads. In whole banks its lower bits go through all places
    of a bank, and its upper bits count the banks.
    """
    if needed < BANK:
        return following(pointer)
    place, bank = pointer[: ceil_log2(BANK)], pointer[ceil_log2(BANK) :]
    at_end = place[-1] & ~place[:-1].any()  # the place before 0
    return Cat(following_of_all(place), Mux(at_end, _next_bank(bank, depth), bank))


def _next_bank(bank: Value, depth: int) -> Value:
    """The bank behind a bank of a memory of `depth` entries."""
    return Mux(bank == depth // BANK - 1, 0, bank + 1)[: len(bank)]


def count_entries(m: Module, address: Signal, step: Value, needed: int, *, by_gates: bool = False) -> None:
    """Makes each `step` move an address on to the next entry in a memory for `needed` payloads.

    With `by_gates` the address has no clock enable. In whole banks two registers tell where the places of a bank begin anew, so
    that no comparison of all bits of the address stands before its next value.
    """
    depth, width = ring_entries(needed), ceil_log2(BANK)
    if needed < BANK:
        if by_gates:
            m.d.sync += address.eq(gates(step, next_entry(address, needed, depth), address))
            return
        with m.If(step):
            m.d.sync += address.eq(next_entry(address, needed, depth))
        return
    # The place before 0, and 0.
    at_end, at_zero = Signal(name=f"{address.name}_at_end"), Signal(name=f"{address.name}_at_zero")
    place, bank = address[:width], address[width:]
    after = following(place)
    with m.If(step):
        m.d.sync += [
            address.eq(Cat(after[0] ^ (at_end | at_zero), after[1:], Mux(at_end, _next_bank(bank, depth), bank))),
            at_end.eq(place == shifted(width, BANK - 3)),
            at_zero.eq(at_end),
        ]


def entry_counter(m: Module, name: str, step: Value, needed: int) -> Signal:
    """The address of the next entry in a memory for `needed` payloads; each `step` takes one entry."""
    address = Signal(range(ring_entries(needed)), init=1, name=name)
    count_entries(m, address, step, needed)
    return address


def end_layout(beats: int) -> data.StructLayout:
    """The end of a vector in the ring: the address of its last beat, and whether that is its first too."""
    return data.StructLayout({"last": range(ring_entries(beats)), "single": 1})


class Replay(wiring.Component):
    """A ring that stores elements as they arrive and hands out the elements of complete vectors, in order.

    The ring holds raw scores, not exponentials, because scores are narrower and determine all the rest. A vector is complete
    once the address of its last element comes in at `complete`; the elements up to that address may leave.

    Ports: `i`, elements as they come in, and `complete`, whose `single` tells that the last element is the only one, both
    without back-pressure (credits elsewhere assure the room); `address`, that of the element that comes in now; `o`, elements,
    no back-pressure; `room`, whether the output queue behind has room for one more element; `leaves`, set as an element leaves,
    for the credits of the ring. Elements leave at least `interval` cycles apart. Latency `memory` + 2 cycles from `complete`
    to the first element; one element per `interval` cycles.

    With `ungated` the entry at the write address is written in every cycle, until an element is there to stay, unless the ring
    may be full. So the valid of the elements, which settles late, does not stand before the memory. That helps a ring that is
    wide or whose surroundings are slow at this place.

    With `by_gates` the read address has no clock enable, which an iCE40 distributes slowly.
    """

    def __init__(
        self,
        shape: data.StructLayout,
        *,
        beats: int,
        interval: int,
        memory: int,
        ungated: bool = False,
        by_gates: bool = False,
    ) -> None:
        self.interval, self.memory, self.beats = interval, memory, beats
        self.by_gates = by_gates and beats < BANK
        self.ungated = ungated and has_spare_entry(beats)
        self._depth = ring_entries(beats)
        super().__init__(
            {
                "i": In(pulse(shape)),
                "address": Out(range(self._depth)),
                "complete": In(pulse(end_layout(beats))),
                "o": Out(pulse(shape)),
                "room": In(1),
                "leaves": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        write_address, read_address = (
            Signal(range(self._depth), init=1, name=name) for name in ("write_address", "read_address")
        )
        last = Signal(range(self._depth), reset_less=True)
        writes = Const(1) if self.ungated else self.i.valid
        ring = addressed_store(
            m, "ring", Value.cast(self.i.payload), writes, write_address, self._depth, read_address, self.memory
        )
        m.d.comb += [*ring.writing, self.address.eq(write_address), *ring.reading]
        count_entries(m, write_address, self.i.valid, self.beats)
        # Registers tell whether an element may leave and whether it is the last of the complete ones, so no comparison of
        # addresses stands before an element.
        filled, at_last, fresh = Signal(), Signal(), Signal()
        spaced: Value = Const(1, 1)
        if self.interval > 1:
            m.submodules.spacing = spacing = Spacing(self.interval)
            m.d.comb += spacing.take.eq(self.leaves)
            spaced = spacing.free
        m.d.comb += self.leaves.eq(filled & self.room & spaced)
        next_place: Value
        if self.beats >= BANK:
            # The next place in a bank has a register, so that the comparison below has a cycle of its own.
            next_place = next_address = Signal(range(self._depth), init=shifted(ceil_log2(BANK), 1))
            count_entries(m, next_address, self.leaves, self.beats)
        else:
            next_place = next_entry(read_address, self.beats, self._depth)
        single = Signal(reset_less=True)
        m.d.sync += [fresh.eq(self.complete.valid), filled.eq(fresh | (filled & ~(self.leaves & at_last)))]
        with m.If(self.complete.valid):
            m.d.sync += [last.eq(self.complete.payload.last), single.eq(self.complete.payload.single)]
        if self.by_gates:
            count_entries(m, read_address, self.leaves, self.beats, by_gates=True)
        else:
            with m.If(self.leaves):
                m.d.sync += read_address.eq(next_place)
        # The comparison runs in parallel to its choice. Where the ring was empty, `read_address` is that of the new vector's
        # first element.
        moved, same_at_last = Signal(), Signal(reset_less=True)
        half = ceil_log2(self._depth) // 2
        next_at_last = Signal(2, reset_less=True)
        m.d.comb += at_last.eq(Mux(moved, next_at_last.all(), same_at_last))
        m.d.sync += [
            moved.eq(self.leaves),
            next_at_last.eq(Cat(next_place[:half] == last[:half], next_place[half:] == last[half:])),
            same_at_last.eq(Mux(fresh, single & ~filled, at_last)),
        ]
        m.d.comb += [
            self.o.valid.eq(delay(m, self.leaves, self.memory, "leaves", reset=True)),
            Value.cast(self.o.payload).eq(delay(m, ring.entry, self.memory - ring.latency, "element")),
        ]
        publish(
            platform,
            self,
            write_address=write_address,
            read_address=read_address,
            last=last,
            single=single,
            filled=filled,
            fresh=fresh,
            at_last=at_last,
        )
        return m


class FactorStore(wiring.Component):
    """The queue of payloads that vectors hand to their elements, such as the normaliser's factors.

    Ports: `i`, one payload per vector, no back-pressure (credits elsewhere assure the room); `next`, a request for the next
    vector's payload; `o`, that payload from `memory` cycles after `next` until `memory` cycles after the following `next`.
    A payload may be asked for two cycles after it comes. With `by_gates` the addresses have no clock enable, which an iCE40
    distributes slowly.
    """

    def __init__(self, shape: data.StructLayout, depth: int, memory: int, *, by_gates: bool = False) -> None:
        self.needed, self.memory, self.by_gates = depth, memory, by_gates
        self._depth = ring_entries(depth)
        super().__init__({"i": In(pulse(shape)), "next": In(1), "o": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        write_address, read_address = Signal(range(self._depth), init=1), Signal(range(self._depth), init=1)
        # A payload is asked for some cycles after it comes, so the choice among banks may have a cycle before it is written.
        late = int(self.needed >= BANK)
        factors = addressed_store(
            m,
            "store",
            Value.cast(self.i.payload),
            self.i.valid,
            write_address,
            self._depth,
            read_address,
            self.memory,
            enable=self.next,
            late=late,
        )
        m.d.comb += [
            *factors.writing,
            *factors.reading,
            Value.cast(self.o).eq(delay(m, factors.entry, self.memory - factors.latency, "factor")),
        ]
        for address, step in ((write_address, self.i.valid), (read_address, self.next)):
            if self.needed >= BANK:
                count_entries(m, address, step, self.needed)
            else:
                following_address = next_entry(address, self.needed, self._depth)
                choose = gates if self.by_gates else Mux
                m.d.sync += address.eq(choose(step, following_address, address))
        publish(platform, self, write_address=write_address, read_address=read_address, read_data=factors.entry)
        return m
