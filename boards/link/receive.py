"""The receiving half of the board's link: bytes of the line to frames, to stored scores, to the head's stream.

    Receiver (uart) ─► Unframer ─► FrameStore ─► ScoreReader ─► head

The bytes of a frame enter a slot of the store before the frame's CRC and number are checked. The slot counts only after both
were right; otherwise the next frame overwrites it. So the head never computes from damaged scores.
"""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.link.crc import CRC_INTACT, CRC_START, next_crc
from softstream.boards.link.protocol import CRC_BYTES, HEADER_BYTES, HOST_WINDOW, PAYLOAD_BYTES, element_bytes, one_lane
from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.ports import byte_bits, sidebands
from softstream.hw.streams.layouts import score_layout

__all__ = ["COUNT_BITS", "NO_COLLISION", "SLOT_BYTES", "STORED_BYTE", "FrameStore", "ScoreReader", "Unframer"]

SLOT_BYTES = 64
"""Memory of one frame: header and payload."""
COUNT_BITS = 7
"""Bits of a counter of a frame's bytes."""
NO_COLLISION = {"no_rw_check": 1}
"""Memory attribute: a read of the address that is being written may return anything.

Without it synthesis adds registers and a comparator, so that such a read returns the old content. The link never uses one."""

assert PAYLOAD_BYTES + HEADER_BYTES < SLOT_BYTES
assert HOST_WINDOW & (HOST_WINDOW - 1) == 0

STORED_BYTE = data.StructLayout({"byte": 8, "frame_end": 1, "vector_end": 1, "none": 6})
"""An entry of the store: a byte, and whether it is the last of its frame and of its vector."""


class Unframer(wiring.Component):
    """Undoes COBS and checks the CRC while the bits arrive.

    Ports: `bit` to `broken` as `uart.Receiver` has them. `byte` with `write` for one cycle per byte of a frame, header and CRC
    included; `count`, the number of bytes before it. `done` for one cycle, in the cycle after the delimiter, with `count` of
    the whole frame and `intact`. `count` stops at one more than a frame may have, which is `too_long`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bit": In(1),
                "bit_valid": In(1),
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "byte": Out(8),
                "write": Out(1),
                "count": Out(COUNT_BITS),
                "too_long": Out(1),
                "done": Out(1),
                "intact": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        crc = Signal(16, init=CRC_START)
        left = Signal(COUNT_BITS, init=1)  # bytes to the next code byte, itself included
        begun, wrong, ended = Signal(), Signal(), Signal()
        at_code, delimiter = Signal(), Signal()
        m.d.comb += [
            at_code.eq(left == 1),
            delimiter.eq(self.valid & (self.data == 0)),
            # Each code byte but the first stands for a zero.
            self.byte.eq(Mux(at_code, 0, self.data)),
            self.write.eq(self.valid & ~delimiter & (begun | ~at_code)),
            # 66 = 0b1000010, one more than a frame has, is the first count with these two bits.
            self.too_long.eq(self.count[6] & self.count[1]),
            self.done.eq(ended & (begun | wrong)),
            self.intact.eq(~wrong & at_code & (self.count >= HEADER_BYTES + CRC_BYTES) & (crc == CRC_INTACT)),
        ]
        m.d.sync += ended.eq(delimiter)
        with m.If(self.bit_valid):
            m.d.sync += crc.eq(next_crc(crc, crc[0] ^ (self.bit & ~at_code)))
        with m.If(self.valid):
            m.d.sync += [begun.eq(1), left.eq(Mux(at_code, self.data, left - 1))]
            with m.If(at_code & self.data[7]):
                m.d.sync += wrong.eq(1)
        with m.If(self.write & ~self.too_long):
            m.d.sync += self.count.eq(self.count + 1)
        with m.If(self.broken):
            m.d.sync += wrong.eq(1)
        with m.If(delimiter):
            m.d.sync += [begun.eq(begun), left.eq(left), wrong.eq(wrong)]
        with m.If(ended):
            m.d.sync += [begun.eq(0), wrong.eq(0), self.count.eq(0), left.eq(1), crc.eq(CRC_START)]
        return m


class FrameStore(wiring.Component):
    """Memory of the host's window: one slot per frame, read in the order of arrival.

    Ports: `byte` with `write`, byte number `position` of a frame; `commit` for one cycle: the frame of `position` bytes counts,
    and ends a vector where `vector_end`. `o`, stream of entries. `committed` and `consumed`, frames so far, modulo 256.
    `full`: no slot is free, and the store drops the bytes that arrive.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "byte": In(8),
                "position": In(COUNT_BITS),
                "write": In(1),
                "commit": In(1),
                "vector_end": In(1),
                "full": Out(1),
                "committed": Out(8),
                "consumed": Out(8),
                "o": Out(stream.Signature(STORED_BYTE)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = entries = memory.Memory(
            shape=16, depth=HOST_WINDOW * SLOT_BYTES, init=[], attrs=NO_COLLISION
        )
        write, read = entries.write_port(granularity=8), entries.read_port(domain="comb")
        place = ceil_log2(SLOT_BYTES)
        slot = ceil_log2(HOST_WINDOW)
        address, next_address = Signal(place, init=HEADER_BYTES), Signal(place)
        entry = Signal(STORED_BYTE, reset_less=True)
        waiting = Signal()  # a committed frame is not read yet
        transfer = self.o.valid & self.o.ready
        # The end is marked at the last byte of the payload: two bytes of CRC arrived behind it.
        last = (self.position - CRC_BYTES - 1)[:place]
        m.d.comb += [
            waiting.eq(self.committed[: slot + 1] != self.consumed[: slot + 1]),
            self.full.eq((self.committed ^ self.consumed)[: slot + 1] == HOST_WINDOW),
            write.addr.eq(Cat(Mux(self.commit, last, self.position[:place]), self.committed[:slot])),
            # Each byte clears the marks that an earlier frame left at its address.
            write.data.eq(Cat(self.byte, self.commit, self.commit & self.vector_end)),
            write.en.eq(Cat(self.write & ~self.full, (self.write & ~self.full) | self.commit)),
            next_address.eq(address + transfer),
            read.addr.eq(Cat(next_address, self.consumed[:slot])),
            self.o.payload.eq(entry),
        ]
        m.d.sync += [Value.cast(entry).eq(read.data), address.eq(next_address), self.o.valid.eq(waiting)]
        with m.If(transfer & entry.frame_end):
            m.d.sync += [self.consumed.eq(self.consumed + 1), address.eq(HEADER_BYTES), self.o.valid.eq(0)]
        with m.If(self.commit):
            m.d.sync += self.committed.eq(self.committed + 1)
        return m


class ScoreReader(wiring.Component):
    """Stored bytes to scores of one lane with their sideband; low byte first where an element has several.

    Ports: `i`, stream of entries of the store; `o`, stream of scores. Latency 0: the last byte of an element passes its score in
    the same cycle. Interval: one cycle per byte. `o.ready` passes through to `i`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {"i": In(stream.Signature(STORED_BYTE)), "o": Out(stream.Signature(score_layout(one_lane(config))))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, entry, size = self._config, self.i.payload, element_bytes(self._config)
        whole: Value = Const(1)
        element: Value = entry.byte
        if size > 1:
            place = Signal(range(size))
            whole = place == size - 1
            low = Signal(8 * (size - 1), reset_less=True)
            element = Cat(low, entry.byte)
            with m.If(self.i.valid & ~whole):
                m.d.sync += low.eq(element[8:])
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += place.eq(Mux(whole, 0, place + 1))
        sideband_width = sum(field.width for field in sidebands(config))
        sideband = element[byte_bits(config.score_width) :][:sideband_width]
        m.d.comb += [
            self.o.valid.eq(self.i.valid & whole),
            # The order of the fields of `score_layout`; the fields of tkeep stay 0, because every entry has a score.
            Value.cast(self.o.payload).eq(Cat(element[: config.score_width], entry.vector_end, sideband)),
            self.i.ready.eq(self.o.ready | ~whole),
        ]
        return m
