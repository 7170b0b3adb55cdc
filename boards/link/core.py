"""The board's side of the link: everything between the two wires and the head. README.md has the protocol.

    rx ─► Receiver ─► Unframer ─► FrameStore ─► ScoreReader ─► head ─► Framer ─► Transmitter ─► tx
                          │            └───────── reset by INFO ────────┘
                          └── control: numbers, credits, faults

`receive` and `transmit` hold the two directions; this module joins them and decides what each frame of the host means.
"""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import ClockDomain, Module, ResetInserter, Signal, Value
from amaranth.back import verilog
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.link.lanes import LaneGather, LaneSpread
from softstream.boards.link.protocol import (
    CRC_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES,
    Fault,
    Type,
    element_bytes,
    element_output,
    vector_output,
)
from softstream.boards.link.receive import FrameStore, ScoreReader, Unframer
from softstream.boards.link.transmit import Framer, cycle_bits
from softstream.boards.link.uart import Receiver, Transmitter, divisor
from softstream.hw.config.config import Config
from softstream.hw.plan.ports import Output
from softstream.hw.streams.layouts import output_layout, score_layout
from softstream.hw.verilog import TOP
from softstream.hw.verilog.isolation import pinned_tools

__all__ = ["MEASURED_BAUD", "MEASURED_HZ", "Link", "link_verilog"]

MEASURED_HZ, MEASURED_BAUD = 12e6, 115200
"""Clock and rate of the link in resources.json: only the divider's width depends on them."""


class Link(wiring.Component):
    """UART, frames, credits and faults around a head.

    Parameters: `config` of the head; `clock_hz` of domain sync; `baud`, bits per second. Raises `UserError` for a rate that the
    clock cannot make within 2 %.

    Ports: `rx`, `tx`, the lines; `scores`, stream to the head; `elements` and `vector`, the head's streams with a beat per
    element and with one per vector, as far as the mode has them; `first_result`, the head offers the first result of a vector;
    `flush` for one cycle resets the head; `busy`, from a vector's first score until its whole result is in a frame.

    Throughput: ten bits of line per byte limit it, so the link is far slower than the head. Back-pressure: it takes results
    while the host gives credits. Cells: resources.json.
    """

    def __init__(self, config: Config, *, clock_hz: float, baud: int) -> None:
        self._config, self._clock_hz = config, clock_hz
        self._divisor = divisor(clock_hz, baud)
        ports: dict[str, Any] = {
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "scores": Out(stream.Signature(score_layout(config))),
            "first_result": In(1),
            "flush": Out(1),
            "busy": Out(1),
        }
        for name, output in (("elements", element_output(config)), ("vector", vector_output(config))):
            if output is not None:
                ports[name] = In(stream.Signature(output_layout(config, output)))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flush = self.flush
        m.submodules.receiver = receiver = Receiver(self._divisor)
        m.submodules.unframer = unframer = Unframer()
        store, scores = FrameStore(), ScoreReader(self._config)
        m.submodules.store = ResetInserter(flush)(store)
        m.submodules.scores = ResetInserter(flush)(scores)
        m.submodules.framer = framer = Framer(self._config, self._clock_hz)
        m.submodules.transmitter = transmitter = Transmitter(self._divisor)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        for name in ("bit", "bit_valid", "data", "valid", "broken"):
            m.d.comb += getattr(unframer, name).eq(getattr(receiver, name))
        wiring.connect(m, store.o, scores.i)
        self._connect_head(m, scores, framer)
        wiring.connect(m, framer.o, transmitter.i)
        self._control(m, unframer, store, framer)
        self._count_cycles(m, framer)
        m.d.comb += [
            framer.consumed.eq(store.consumed),
            framer.frame_consumed.eq(store.o.valid & store.o.ready & store.o.payload.frame_end),
            framer.flush.eq(flush),
        ]
        return m

    def _connect_head(self, m: Module, scores: ScoreReader, framer: Framer) -> None:
        """The streams of the head: one element at a time at the link's side, beats of lanes at the head's."""
        config, source = self._config, scores.o
        if config.lanes > 1:
            m.submodules.gather = gather = ResetInserter(self.flush)(LaneGather(config))
            wiring.connect(m, source, gather.i)
            source = gather.o
        wiring.connect(m, source, wiring.flipped(self.scores))
        output = element_output(config)
        if output is not None:
            self._connect_elements(m, output, framer)
        if hasattr(self, "vector"):
            wiring.connect(m, wiring.flipped(self.vector), framer.vector)

    def _connect_elements(self, m: Module, output: Output, framer: Framer) -> None:
        elements = wiring.flipped(self.elements)
        if output.lanes(self._config) > 1:
            m.submodules.spread = spread = ResetInserter(self.flush)(LaneSpread(self._config, output))
            wiring.connect(m, elements, spread.i)
            elements = spread.o
        if not output.ends:
            wiring.connect(m, elements, framer.elements)
            return
        # Each group of a packet has a result of its own, so its end is the end of a vector to the framer.
        m.d.comb += [
            framer.elements.valid.eq(elements.valid),
            framer.elements.payload.eq(elements.payload),
            framer.elements.payload.last.eq(elements.payload.ends),
            elements.ready.eq(framer.elements.ready),
        ]

    def _control(self, m: Module, unframer: Unframer, store: FrameStore, framer: Framer) -> None:
        """What a frame of the host does: scores into the store, credits, INFO; or the first fault."""
        byte, done, count = unframer.byte, unframer.done, unframer.count
        kind, unknown, in_order = Signal(3), Signal(), Signal()
        info_sequence = Signal(8, reset_less=True)
        acknowledge = Signal(len(framer.acknowledged))  # of the frame that arrives
        acknowledged = Signal(len(framer.acknowledged))  # of the last intact frame
        with m.If(unframer.write), m.Switch(unframer.count):
            with m.Case(0):
                m.d.sync += [kind.eq(byte), unknown.eq(byte[3:].any())]
            with m.Case(1):
                m.d.sync += in_order.eq(byte == store.committed)
                with m.If(kind == Type.INFO):
                    m.d.sync += info_sequence.eq(byte)
            with m.Case(2):
                m.d.sync += acknowledge.eq(byte)

        overflow, info_due, fault_due = Signal(), Signal(), Signal()
        fault, frame_fault = Signal(3), Signal(3)  # the first since INFO; that of the frame which has just ended
        good_run = Signal()
        is_run = (kind[1:] == Type.RUN >> 1) & ~unknown
        is_info = (kind == Type.INFO) & ~unknown
        assert Type.RUN >> 1 == Type.RUN_END >> 1
        with m.If(~unframer.intact):
            m.d.comb += frame_fault.eq(Fault.CORRUPT)
        with m.Elif(is_run):
            with m.If(~in_order):
                m.d.comb += frame_fault.eq(Fault.SEQUENCE)
            with m.Elif(~self._has_whole_elements(unframer)):
                m.d.comb += frame_fault.eq(Fault.LENGTH)
            with m.Elif(overflow):
                m.d.comb += frame_fault.eq(Fault.OVERFLOW)
        with m.Elif(unknown | ((kind != Type.ACK) & (kind != Type.INFO))):
            m.d.comb += frame_fault.eq(Fault.TYPE)
        m.d.comb += [
            good_run.eq(done & is_run & (frame_fault == 0) & (fault == 0)),
            store.byte.eq(byte),
            store.position.eq(count),
            store.write.eq(unframer.write),
            store.commit.eq(good_run),
            store.vector_end.eq(kind[0]),
        ]
        with m.If(unframer.write & store.full):
            m.d.sync += overflow.eq(1)
        with m.If(framer.info_sent):
            m.d.sync += info_due.eq(0)
        with m.If(framer.fault_sent):
            m.d.sync += fault_due.eq(0)
        m.d.sync += self.flush.eq(0)
        with m.If(done):
            m.d.sync += overflow.eq(0)
            with m.If(frame_fault == 0):
                m.d.sync += acknowledged.eq(acknowledge)
            with m.Elif(fault == 0):
                m.d.sync += [fault.eq(frame_fault), fault_due.eq(1)]
            with m.If(unframer.intact & is_info):
                m.d.sync += [self.flush.eq(1), info_due.eq(1), fault.eq(0), fault_due.eq(0)]
        with m.If(self.flush):
            m.d.sync += acknowledged.eq(0)
        m.d.comb += [
            framer.info.eq(info_due),
            framer.info_sequence.eq(info_sequence),
            framer.fault.eq(fault_due),
            framer.fault_code.eq(fault),
            framer.acknowledged.eq(acknowledged),
        ]

    def _has_whole_elements(self, unframer: Unframer) -> Value:
        """Whether a RUN frame's payload is neither empty nor too long, and holds whole elements."""
        count, size, least = unframer.count, element_bytes(self._config), HEADER_BYTES + CRC_BYTES
        sized: Value = (count != least) & ~unframer.too_long
        if size == 2:
            sized &= ~(count - least)[0]
        elif size > 2:
            sized &= reduce(or_, (count == whole for whole in range(least, least + PAYLOAD_BYTES + 1, size)))
        return sized

    def _count_cycles(self, m: Module, framer: Framer) -> None:
        """How long the head takes from a vector's first score to its first result; exact for a vector alone in the head."""
        cycles = Signal(cycle_bits(self._config), reset_less=True)
        counting, at_start = Signal(), Signal(init=1)
        moves = self.scores.valid & self.scores.ready
        with m.If(moves):
            m.d.sync += at_start.eq(self.scores.payload.last)
        with m.If(moves & at_start):
            m.d.sync += [counting.eq(1), cycles.eq(1)]
        with m.Elif(counting):
            m.d.sync += counting.eq(~self.first_result)
            with m.If(~self.first_result):
                m.d.sync += cycles.eq(cycles + 1)
        if vector_output(self._config) is None:
            reported = self.elements.valid & self.elements.ready & self.elements.payload.last
        else:
            reported = self.vector.valid & self.vector.ready
        with m.If(moves):
            m.d.sync += self.busy.eq(1)
        with m.Elif(reported):
            m.d.sync += self.busy.eq(0)
        with m.If(self.flush):
            m.d.sync += [self.busy.eq(0), at_start.eq(1), counting.eq(0)]
        m.d.comb += framer.cycles.eq(cycles)


def link_verilog(config: Config) -> str:
    """Verilog of the link alone, to be measured like a head: its module and its clock have the names of a generated head."""
    link = Link(config, clock_hz=MEASURED_HZ, baud=MEASURED_BAUD)
    m = Module()
    m.domains.sync = domain = ClockDomain()
    aclk, reset = Signal(), Signal()
    m.d.comb += [domain.clk.eq(aclk), domain.rst.eq(reset)]
    m.submodules.link = link
    ports = [Value.cast(value) for _, _, value in link.signature.flatten(link)]
    with pinned_tools():
        return verilog.convert(m, name=TOP, ports=[aclk, reset, *ports], emit_src=False, strip_internal_attrs=True)
