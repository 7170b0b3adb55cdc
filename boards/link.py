"""What answers the host: UART, frames, credits and the head, as one core. The protocol is in PROTOCOL.md.

    rx ─► Receiver ─► Unframer ─► Store ─► Scores ─► Head ─► Reporter ─► Framer ─► Transmitter ─► tx
                          │        └─────── reset by INFO ───────┘
                          └── control: numbers, credits, faults

A frame's scores are written to the Store as they come and belong to it only once the frame's CRC and number were found
right; otherwise the next frame overwrites them. The Reporter makes a frame byte by byte as the head delivers, the Framer
sends only whole ones, so what INFO interrupts never leaves.
"""

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.crc.catalog import CRC16_GENIBUS
from amaranth.lib.wiring import In, Out

from softstream.hw.config import Config
from softstream.hw.head import Head
from softstream.hw.streams import Hold, probability_layout, score_layout, winner_layout

from .protocol import (
    BOARD_WINDOW,
    CRC_BYTES,
    HEADER_BYTES,
    HOST_WINDOW,
    PAYLOAD_BYTES,
    TRAILER_BYTES,
    Fault,
    Info,
    Type,
    probability_bytes,
    score_bytes,
)
from .uart import Receiver, Transmitter, divisor

__all__ = ["LinkCore"]

_STORED_BYTES = 256
assert HOST_WINDOW * PAYLOAD_BYTES <= _STORED_BYTES
assert BOARD_WINDOW & (BOARD_WINDOW - 1) == 0
_CYCLE_BITS = 24

_STORED = data.StructLayout({"byte": 8, "frame_end": 1, "vector_end": 1})


class _Unframer(wiring.Component):
    """Bytes of the line to frames: COBS and CRC undone, header taken off, CRC held back.

    Ports: `data`, `valid`, `broken` as the receiver has them. `payload` with `write` for each byte of the payload; with
    `done`, in the cycle after the delimiter, `type`, `sequence` and `acknowledge`, `length` of the payload, `intact`, and
    `payload` its last byte, which was not written yet. `length` counts on to the largest that it can hold and stays.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "payload": Out(8),
                "write": Out(1),
                "done": Out(1),
                "type": Out(8),
                "sequence": Out(8),
                "acknowledge": Out(8),
                "length": Out(7),
                "intact": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC16_GENIBUS(data_width=8).create()
        left = Signal(8)  # bytes until the next code byte; none: this is one
        begun, wrong = Signal(), Signal()
        count = Signal(7)  # bytes of the frame so far
        tail = [Signal(8, name=f"tail_{age}", reset_less=True) for age in range(CRC_BYTES + 1)]
        header = [self.type, self.sequence, self.acknowledge]
        before = HEADER_BYTES + CRC_BYTES

        delimiter = Signal()
        code = Signal()
        byte = Signal()
        m.d.comb += [
            delimiter.eq(self.valid & (self.data == 0)),
            code.eq(self.valid & ~delimiter & (left == 0)),
            # A zero stands before each code byte but the first.
            byte.eq(self.valid & ~delimiter & ((left != 0) | begun)),
            crc.data.eq(Mux(code, 0, self.data)),
            crc.valid.eq(byte),
            crc.start.eq(self.done),
            self.payload.eq(tail[CRC_BYTES]),
            self.write.eq(byte & (count > before)),
            self.length.eq(count - before),
            self.intact.eq(~wrong & (left == 0) & (count >= before) & crc.match_detected),
        ]
        m.d.sync += self.done.eq(delimiter & (begun | wrong))
        with m.If(self.done):
            m.d.sync += [begun.eq(0), wrong.eq(0), count.eq(0), left.eq(0)]
        with m.Elif(self.valid & ~delimiter):
            m.d.sync += [begun.eq(1), left.eq(Mux(code, self.data, left) - 1)]
        with m.If(self.broken):
            m.d.sync += wrong.eq(1)
        with m.If(byte):
            m.d.sync += [count.eq(count + 1), Cat(tail).eq(Cat(crc.data, tail[:-1]))]
            with m.If(count.all()):
                m.d.sync += [count.eq(count), wrong.eq(1)]
            for index, field in enumerate(header):
                with m.If(count == index):
                    m.d.sync += field.eq(crc.data)
        return m


class _Store(wiring.Component):
    """First in, first out, of 256 bytes, whose entries count once they are committed.

    Ports: `entry`, with `write`; `commit`, all that was written counts, `entry` of the same cycle with it; `discard`, what
    was not committed is forgotten; `o`, stream of entries. `full`: an entry would overwrite one that counts.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "entry": In(_STORED),
                "write": In(1),
                "commit": In(1),
                "discard": In(1),
                "full": Out(1),
                "o": Out(stream.Signature(_STORED)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = entries = memory.Memory(shape=_STORED, depth=_STORED_BYTES, init=[])
        write, read = entries.write_port(), entries.read_port()
        bits = (_STORED_BYTES - 1).bit_length() + 1
        written, committed, taken = (Signal(bits, name=name) for name in ("written", "committed", "taken"))
        following, next_taken = Signal(bits), Signal(bits)
        m.d.comb += [
            self.full.eq((written ^ taken) == _STORED_BYTES),
            write.addr.eq(written),
            Value.cast(write.data).eq(Value.cast(self.entry)),
            write.en.eq(self.write & ~self.full),
            following.eq(written + write.en),
            next_taken.eq(taken + (self.o.valid & self.o.ready)),
            read.addr.eq(next_taken),
            Value.cast(self.o.payload).eq(Value.cast(read.data)),
        ]
        m.d.sync += [written.eq(Mux(self.discard, committed, following)), taken.eq(next_taken)]
        m.d.sync += self.o.valid.eq(next_taken != committed)
        with m.If(self.commit):
            m.d.sync += committed.eq(following)
        return m


class _Scores(wiring.Component):
    """Entries of the store to scores: low byte first where a score has two.

    Ports: `i`, stream of entries; `o`, stream of scores, from a register; `frame_taken` for one cycle when a frame's last
    entry has left the store.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(_STORED)),
                "o": Out(stream.Signature(score_layout(config))),
                "frame_taken": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        entry = self.i.payload
        m.submodules.hold = hold = Hold(score_layout(self._config))
        wiring.connect(m, hold.o, wiring.flipped(self.o))
        whole: Value = Const(1)
        score: Value = entry.byte
        if score_bytes(self._config) == 2:
            whole = Signal()
            low = Signal(8, reset_less=True)
            score = Cat(low, entry.byte)
            with m.If(self.i.valid & ~whole):
                m.d.sync += low.eq(entry.byte)
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += whole.eq(~whole)
        m.d.comb += [
            hold.i.valid.eq(self.i.valid & whole),
            Value.cast(hold.i.payload).eq(Cat(score[: self._config.score_width], entry.vector_end)),
            self.i.ready.eq(hold.i.ready | ~whole),
            self.frame_taken.eq(self.i.valid & self.i.ready & entry.frame_end),
        ]
        return m


class _Reporter(wiring.Component):
    """What the board has to say, as the bytes of one frame after the other, without the CRC.

    Ports: `code`, stream of probabilities (softmax mode), and `winner`, stream of winners; `info`, an INFO is due, with its
    number `info_sequence`; `fault`, an ERROR is due, with its `fault_code`; `told_info` and `told_fault` for one cycle when
    it was told; `acknowledge`, for every frame; `acknowledged`, what the host took; `cycles`, for the trailer. To the
    framer: `byte` with `strobe`, in every second cycle at most; `begin` with `idle`, no frame is being made; `end` after
    its last byte; `free`, the framer takes another frame.
    """

    def __init__(self, config: Config, clock_hz: float) -> None:
        self._config, self._clock_hz = config, clock_hz
        super().__init__(
            {
                "code": In(stream.Signature(probability_layout(config))),
                "winner": In(stream.Signature(winner_layout(config))),
                "info": In(1),
                "info_sequence": In(8),
                "told_info": Out(1),
                "fault": In(1),
                "fault_code": In(3),
                "told_fault": Out(1),
                "acknowledge": In(8),
                "acknowledged": In(8),
                "cycles": In(_CYCLE_BITS),
                "idle": Out(1),
                "byte": Out(8),
                "strobe": Out(1),
                "end": Out(1),
                "free": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        size = probability_bytes(config)
        rom = list(Info.of(config, self._clock_hz).to_bytes())
        # In a block RAM: as logic it is the largest part of the link.
        attributes = {"ram_style": "block"}
        m.submodules.information = information = memory.Memory(shape=8, depth=64, init=rom, attrs=attributes)
        told = information.read_port()

        kind = Signal(3)
        sent = Signal(8)  # data frames since INFO
        told_acknowledge = Signal(8)  # the last that the host was told
        step = Signal(range(64))  # byte of the header or of the payload
        part = Signal(range(max(2, size)))  # byte of the element
        trailer_due = Signal(init=int(size == 0))  # the vector's probabilities are out
        outstanding = Signal(8)
        m.d.comb += outstanding.eq(sent - self.acknowledged)
        window_open = outstanding < BOARD_WINDOW

        code = self.code.payload
        padded = Cat(code.probability, Const(0, 8 * max(1, size) - len(code.probability) if size else 0))
        whole = part == max(1, size) - 1
        winner = Value.cast(self.winner.payload)
        index, score, overlong = (
            winner[: config.index_width],
            winner[config.index_width : config.index_width + config.score_width],
            winner[-1],
        )
        trailer = Cat(
            index,
            Const(0, 16 - config.index_width),
            score,
            Const(0, 16 - config.score_width),
            overlong,
            Const(0, 7),
            self.cycles,
        )
        assert len(trailer) == 8 * TRAILER_BYTES
        number = Mux(kind == Type.INFO, self.info_sequence, sent)
        header = Array([Cat(kind, Const(0, 5)), number, self.acknowledge])
        last = Signal()

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += step.eq(0)
                with m.If(self.free):
                    with m.If(self.info):
                        m.d.sync += kind.eq(Type.INFO)
                        m.next = "HEADER"
                    with m.Elif(self.fault):
                        m.d.sync += kind.eq(Type.ERROR)
                        m.next = "HEADER"
                    with m.Elif(window_open & trailer_due & self.winner.valid):
                        m.d.sync += kind.eq(Type.RESULT_END)
                        m.next = "HEADER"
                    with m.Elif(window_open & ~trailer_due & self.code.valid):
                        m.d.sync += kind.eq(Type.RESULT)
                        m.next = "HEADER"
                    with m.Elif(told_acknowledge != self.acknowledge):
                        m.d.sync += kind.eq(Type.ACK)
                        m.next = "HEADER"
            with m.State("HEADER"):
                m.d.sync += self.byte.eq(header[step[:2]])
                m.next = "HEADER WRITE"
            with m.State("HEADER WRITE"):
                m.d.comb += self.strobe.eq(1)
                m.d.sync += step.eq(step + 1)
                m.next = "HEADER"
                with m.If(step == 2):
                    # Of the byte that was written: a credit that came since is still to be told.
                    m.d.sync += [step.eq(0), told_acknowledge.eq(self.byte)]
                    m.next = "PAYLOAD"
                    with m.If(kind == Type.ACK):
                        m.next = "END"
            with m.State("PAYLOAD"):
                m.next = "PAYLOAD WRITE"
                with m.Switch(kind):
                    with m.Case(Type.INFO):
                        m.d.sync += self.byte.eq(told.data)
                    with m.Case(Type.ERROR):
                        m.d.sync += self.byte.eq(self.fault_code)
                    with m.Case(Type.RESULT):
                        m.d.sync += self.byte.eq(padded.word_select(part, 8))
                        with m.If(~self.code.valid):
                            m.next = "PAYLOAD"
                    with m.Default():
                        m.d.sync += self.byte.eq(trailer.word_select(step[:3], 8))
            with m.State("PAYLOAD WRITE"):
                m.d.comb += [self.strobe.eq(1), told.addr.eq(step + 1)]
                m.d.sync += step.eq(step + 1)
                with m.Switch(kind):
                    with m.Case(Type.INFO):
                        m.d.comb += [last.eq(step == len(rom) - 1), self.told_info.eq(last)]
                    with m.Case(Type.ERROR):
                        m.d.comb += [last.eq(1), self.told_fault.eq(1)]
                    with m.Case(Type.RESULT):
                        m.d.comb += [
                            self.code.ready.eq(whole),
                            last.eq(whole & (code.last | (step == PAYLOAD_BYTES - 1))),
                        ]
                        m.d.sync += [part.eq(Mux(whole, 0, part + 1)), trailer_due.eq(whole & code.last)]
                    with m.Default():
                        m.d.comb += [last.eq(step == TRAILER_BYTES - 1), self.winner.ready.eq(last)]
                        m.d.sync += trailer_due.eq(~last | int(size == 0))
                m.next = "PAYLOAD"
                with m.If(last):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.end.eq(1)
                with m.If((kind == Type.RESULT) | (kind == Type.RESULT_END)):
                    m.d.sync += sent.eq(sent + 1)
                m.next = "IDLE"
        return m


class _Framer(wiring.Component):
    """Bytes of a frame to the line: the CRC is added, and zeros are stuffed in place.

    Where a zero stands, or the frame begins, the distance to the next zero or the end is written as soon as that is known,
    so every byte costs one write. Ports: `byte` with `strobe`; `idle`, no frame is being made; `end`, the frame is
    complete; `free`, another may be made; `o`, stream of bytes to the transmitter. One frame at a time: made while it
    takes to send a byte, then sent.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "byte": In(8),
                "strobe": In(1),
                "idle": In(1),
                "end": In(1),
                "free": Out(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        longest = 1 + HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES + 1
        m.submodules.memory = frame = memory.Memory(shape=8, depth=1 << (longest - 1).bit_length(), init=[])
        write, read = frame.write_port(), frame.read_port()
        m.submodules.crc = crc = CRC16_GENIBUS(data_width=8).create()
        where, group = Signal(len(write.addr), init=1), Signal(len(write.addr))
        address = Signal(len(read.addr))
        settled = Signal()
        byte, put, close = Signal(8), Signal(), Signal()
        m.d.comb += [
            byte.eq(self.byte),
            put.eq(self.strobe),
            crc.data.eq(self.byte),
            crc.valid.eq(self.strobe),
            write.addr.eq(Mux(close | (put & (byte == 0)), group, where)),
            write.data.eq(Mux(close | (byte == 0), where - group, byte)),
            write.en.eq(put | close),
            read.addr.eq(address),
            self.o.payload.eq(read.data),
        ]
        with m.If(put):
            m.d.sync += where.eq(where + 1)
            with m.If(byte == 0):
                m.d.sync += group.eq(where)
        with m.FSM():
            with m.State("FILL"):
                m.d.comb += self.free.eq(1)
                with m.If(self.idle):
                    m.d.comb += crc.start.eq(1)
                    m.d.sync += [where.eq(1), group.eq(0)]
                with m.If(self.end):
                    m.next = "CRC HIGH"
            with m.State("CRC HIGH"):
                m.d.comb += [byte.eq(crc.crc[8:]), put.eq(1)]
                m.next = "CRC LOW"
            with m.State("CRC LOW"):
                m.d.comb += [byte.eq(crc.crc[:8]), put.eq(1)]
                m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += close.eq(1)
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                m.d.comb += [write.data.eq(0), write.addr.eq(where), write.en.eq(1)]
                m.d.sync += [address.eq(0), settled.eq(0)]
                m.next = "SEND"
            with m.State("SEND"):
                m.d.sync += settled.eq(1)
                m.d.comb += self.o.valid.eq(settled)
                with m.If(settled & self.o.ready):
                    m.d.sync += [address.eq(address + 1), settled.eq(0)]
                    with m.If(address == where):
                        m.next = "FILL"
        return m


class LinkCore(wiring.Component):
    """The whole of the board behind two wires.

    Parameters: `config` of the head; `clock_hz` of domain sync; `baud`, bits per second. Raises `UserError` where the rate
    cannot be met within 2 %. Ports: `rx`, `tx`, the lines; `winner`, the index of the latest winner, with `winner_valid` for
    one cycle when it is new; `busy`, from a vector's first score until a winner is reported.

    Beside the head: some 800 logic cells of an iCE40 and three block RAMs. The link is slower than the head by far: what
    limits is ten bits of line for each byte.
    """

    def __init__(self, config: Config, *, clock_hz: float, baud: int) -> None:
        self._config, self._clock_hz = config, clock_hz
        self._divisor = divisor(clock_hz, baud)
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "winner": Out(config.index_width),
                "winner_valid": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        flush = Signal()
        m.submodules.receiver = receiver = Receiver(self._divisor)
        m.submodules.unframer = unframer = _Unframer()
        store, scores, head = _Store(), _Scores(config), Head(config)
        reporter = _Reporter(config, self._clock_hz)
        m.submodules.store = ResetInserter(flush)(store)
        m.submodules.scores = ResetInserter(flush)(scores)
        m.submodules.head = ResetInserter(flush)(head)
        m.submodules.reporter = ResetInserter(flush)(reporter)
        m.submodules.framer = framer = _Framer()
        m.submodules.transmitter = transmitter = Transmitter(self._divisor)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            unframer.data.eq(receiver.data),
            unframer.valid.eq(receiver.valid),
            unframer.broken.eq(receiver.broken),
            self.tx.eq(transmitter.tx),
        ]
        wiring.connect(m, store.o, scores.i)
        wiring.connect(m, scores.o, head.i)
        winner = head.o if config.mode == "argmax" else head.o_best
        wiring.connect(m, winner, reporter.winner)
        first_result = head.o.valid
        if config.mode == "softmax":
            wiring.connect(m, head.o, reporter.code)
        for name in ("byte", "strobe", "idle", "end"):
            m.d.comb += getattr(framer, name).eq(getattr(reporter, name))
        m.d.comb += reporter.free.eq(framer.free)
        wiring.connect(m, framer.o, transmitter.i)

        # What comes: scores into the store, credits, INFO; or the first fault.
        expected, taken, acknowledged = Signal(8), Signal(8), Signal(8)
        overflow, info_due, fault_due = Signal(), Signal(), Signal()
        info_sequence = Signal(8, reset_less=True)
        fault = Signal(3)
        found = Signal(3)
        good_run = Signal()
        done = unframer.done
        is_run = (unframer.type == Type.RUN) | (unframer.type == Type.RUN_END)
        sized = (unframer.length != 0) & (unframer.length <= PAYLOAD_BYTES)
        if score_bytes(config) == 2:
            sized &= ~unframer.length[0]
        with m.If(~unframer.intact):
            m.d.comb += found.eq(Fault.CORRUPT)
        with m.Elif(is_run):
            with m.If(unframer.sequence != expected):
                m.d.comb += found.eq(Fault.SEQUENCE)
            with m.Elif(~sized):
                m.d.comb += found.eq(Fault.LENGTH)
            with m.Elif(overflow | store.full):
                m.d.comb += found.eq(Fault.OVERFLOW)
            with m.Else():
                m.d.comb += good_run.eq(done & (fault == 0))
        with m.Elif((unframer.type != Type.ACK) & (unframer.type != Type.INFO)):
            m.d.comb += found.eq(Fault.TYPE)
        m.d.comb += [
            store.entry.byte.eq(unframer.payload),
            store.entry.frame_end.eq(good_run),
            store.entry.vector_end.eq(good_run & unframer.type[0]),
            store.write.eq(unframer.write | good_run),
            store.commit.eq(good_run),
            store.discard.eq(done & ~good_run),
        ]
        with m.If(unframer.write & store.full):
            m.d.sync += overflow.eq(1)
        with m.If(scores.frame_taken):
            m.d.sync += taken.eq(taken + 1)
        with m.If(reporter.told_info):
            m.d.sync += info_due.eq(0)
        with m.If(reporter.told_fault):
            m.d.sync += fault_due.eq(0)
        m.d.sync += flush.eq(0)
        with m.If(done):
            m.d.sync += overflow.eq(0)
            with m.If(found == 0):
                m.d.sync += acknowledged.eq(unframer.acknowledge)
            with m.Elif(fault == 0):
                m.d.sync += [fault.eq(found), fault_due.eq(1)]
            with m.If(good_run):
                m.d.sync += expected.eq(expected + 1)
            with m.If(unframer.intact & (unframer.type == Type.INFO)):
                m.d.sync += [flush.eq(1), info_due.eq(1), info_sequence.eq(unframer.sequence)]
                m.d.sync += [fault.eq(0), fault_due.eq(0)]
        with m.If(flush):
            m.d.sync += [expected.eq(0), taken.eq(0), acknowledged.eq(0)]

        # How long the head takes, for a vector alone in it.
        cycles = Signal(_CYCLE_BITS, reset_less=True)
        counting, at_start = Signal(), Signal(init=1)
        moves = head.i.valid & head.i.ready
        with m.If(moves):
            m.d.sync += at_start.eq(head.i.payload.last)
        with m.If(moves & at_start):
            m.d.sync += [counting.eq(1), cycles.eq(1)]
        with m.Elif(counting):
            m.d.sync += counting.eq(~first_result)
            with m.If(~first_result):
                m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [
            reporter.info.eq(info_due),
            reporter.info_sequence.eq(info_sequence),
            reporter.fault.eq(fault_due),
            reporter.fault_code.eq(fault),
            reporter.acknowledge.eq(taken),
            reporter.acknowledged.eq(acknowledged),
            reporter.cycles.eq(cycles),
        ]

        # For lamps.
        reported = winner.valid & winner.ready
        m.d.sync += self.winner_valid.eq(reported)
        with m.If(reported):
            m.d.sync += self.winner.eq(winner.payload.index)
        with m.If(moves):
            m.d.sync += self.busy.eq(1)
        with m.Elif(reported):
            m.d.sync += self.busy.eq(0)
        with m.If(flush):
            m.d.sync += [self.busy.eq(0), at_start.eq(1), counting.eq(0)]
        return m
