"""What answers the host: UART, frames, credits and the head, as one core. The protocol is in PROTOCOL.md.

    rx ─► Receiver ─► Unframer ─► Store ─► Scores ─► Head ─► Reporter ─► Transmitter ─► tx
                          │        └─────── reset by INFO ───────┘
                          └── control: numbers, credits, faults

A frame's scores are written to a slot of the Store as they come; the slot counts once the frame's CRC and number were found
right, otherwise the next frame overwrites it. The Reporter makes a frame byte by byte as the head delivers and sends only
whole ones, so what INFO interrupts never leaves.

A byte takes ten bits of line, forty clock cycles at the least. So what can be done bit by bit, or by a program in a block
RAM, is: that is what keeps the link small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, ClockDomain, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.back import verilog
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.link.protocol import (
    BOARD_WINDOW,
    CRC_BYTES,
    HEADER_BYTES,
    HOST_WINDOW,
    PAYLOAD_BYTES,
    Fault,
    Info,
    Trailer,
    Type,
    beat_bytes,
    concluding,
    crc16,
    element_bytes,
    emitted,
    flags,
)
from softstream.boards.link.uart import Receiver, Transmitter, divisor
from softstream.boards.winner_display import shown
from softstream.hw.axi import extended
from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.head import Head
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import Field, Output, byte_bits
from softstream.hw.streams.streams import output_layout, score_layout
from softstream.hw.verilog import TOP

__all__ = ["MEASURED_BAUD", "MEASURED_HZ", "Link", "LinkCore", "cycle_bits", "link_verilog"]

MEASURED_HZ, MEASURED_BAUD = 12e6, 115200
"""Clock and rate of the link in resources.json: the divider's width is all that depends on them."""

_SLOT_BYTES = 64
_COUNT_BITS = 7
_LONGEST = HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES
assert PAYLOAD_BYTES + HEADER_BYTES < _SLOT_BYTES
assert HOST_WINDOW & (HOST_WINDOW - 1) == 0
assert BOARD_WINDOW & (BOARD_WINDOW - 1) == 0
# Without it synthesis adds registers and a comparator, for a read of what is being written to give the old content. Here
# such a read is never used.
_NO_COLLISION = {"no_rw_check": 1}

_STORED = data.StructLayout({"byte": 8, "frame_end": 1, "vector_end": 1, "none": 6})


# CRC, bit by bit -----------------------------------------------------------------------------------------------------


def _undone(crc: int, bits: int) -> int:
    """What the register held `bits` zeros before."""
    for _ in range(bits):
        crc = ((crc ^ 0x8408) << 1 | 1) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def _zeros(crc: int, bits: int) -> int:
    """What the register holds `bits` zeros later."""
    for _ in range(bits):
        crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc


# COBS puts a byte before every frame, which goes through the register as a zero, and so does the delimiter.
_CRC_START = _undone(0xFFFF, 8)
# The same for every intact frame, so for the one of no bytes, whose CRC is 0.
_CRC_INTACT = _zeros(0xFFFF, 8 * CRC_BYTES + 8)
assert crc16(b"") == 0


def _shifted(crc: Value, feedback: Value) -> Value:
    """The register one bit later; `feedback`: its lowest bit ^ the bit that comes."""
    following = [crc[k + 1] if k < 15 else Const(0, 1) for k in range(16)]
    return Cat(bit ^ feedback if 0x8408 >> k & 1 else bit for k, bit in enumerate(following))


# From the host -------------------------------------------------------------------------------------------------------


class _Unframer(wiring.Component):
    """Bytes of the line to bytes of frames: COBS undone, and the CRC checked while the bits come.

    Ports: `bit` to `broken` as the receiver has them. `byte` with `write` for each byte of a frame, header and CRC too, and
    `count`, the number of bytes before it. With `done`, in the cycle after the delimiter, `count` of the whole frame
    and `intact`. `count` stops at one more than a frame may have.
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
                "count": Out(_COUNT_BITS),
                "too_long": Out(1),
                "done": Out(1),
                "intact": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        crc = Signal(16, init=_CRC_START)
        left = Signal(_COUNT_BITS, init=1)  # bytes to the next code byte, which counts
        begun, wrong, ended = Signal(), Signal(), Signal()
        at_code, delimiter = Signal(), Signal()
        m.d.comb += [
            at_code.eq(left == 1),
            delimiter.eq(self.valid & (self.data == 0)),
            # A zero stands before each code byte but the first.
            self.byte.eq(Mux(at_code, 0, self.data)),
            self.write.eq(self.valid & ~delimiter & (begun | ~at_code)),
            # The first number with these two bits.
            self.too_long.eq(self.count[6] & self.count[1]),
            self.done.eq(ended & (begun | wrong)),
            self.intact.eq(~wrong & at_code & (self.count >= HEADER_BYTES + CRC_BYTES) & (crc == _CRC_INTACT)),
        ]
        m.d.sync += ended.eq(delimiter)
        with m.If(self.bit_valid):
            m.d.sync += crc.eq(_shifted(crc, crc[0] ^ (self.bit & ~at_code)))
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
            m.d.sync += [begun.eq(0), wrong.eq(0), self.count.eq(0), left.eq(1), crc.eq(_CRC_START)]
        return m


class _Store(wiring.Component):
    """A slot of memory for each frame of the host's window; scores in order of arrival.

    Ports: `byte` with `write`, byte number `position` of a frame; `commit`, the frame of `position` bytes counts, and ends a
    vector where `vector_end`; `o`, stream of entries; `committed` and `taken`, frames so far; `full`: no slot is free, and
    what is written is not kept.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "byte": In(8),
                "position": In(_COUNT_BITS),
                "write": In(1),
                "commit": In(1),
                "vector_end": In(1),
                "full": Out(1),
                "committed": Out(8),
                "taken": Out(8),
                "o": Out(stream.Signature(_STORED)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = entries = memory.Memory(
            shape=16, depth=HOST_WINDOW * _SLOT_BYTES, init=[], attrs=_NO_COLLISION
        )
        write, read = entries.write_port(granularity=8), entries.read_port(domain="comb")
        place = ceil_log2(_SLOT_BYTES)
        slot = ceil_log2(HOST_WINDOW)
        address, following = Signal(place, init=HEADER_BYTES), Signal(place)
        entry = Signal(_STORED, reset_less=True)
        waiting = Signal()  # a frame to take
        take = self.o.valid & self.o.ready
        # The end is marked at the last byte of the payload: two bytes of CRC came after it.
        last = (self.position - CRC_BYTES - 1)[:place]
        m.d.comb += [
            waiting.eq(self.committed[: slot + 1] != self.taken[: slot + 1]),
            self.full.eq((self.committed ^ self.taken)[: slot + 1] == HOST_WINDOW),
            write.addr.eq(Cat(Mux(self.commit, last, self.position[:place]), self.committed[:slot])),
            # A byte clears the marks that an earlier frame left there.
            write.data.eq(Cat(self.byte, self.commit, self.commit & self.vector_end)),
            write.en.eq(Cat(self.write & ~self.full, (self.write & ~self.full) | self.commit)),
            following.eq(address + take),
            read.addr.eq(Cat(following, self.taken[:slot])),
            self.o.payload.eq(entry),
        ]
        m.d.sync += [Value.cast(entry).eq(read.data), address.eq(following), self.o.valid.eq(waiting)]
        with m.If(take & entry.frame_end):
            m.d.sync += [self.taken.eq(self.taken + 1), address.eq(HEADER_BYTES), self.o.valid.eq(0)]
        with m.If(self.commit):
            m.d.sync += self.committed.eq(self.committed + 1)
        return m


class _Scores(wiring.Component):
    """Entries of the store to scores and what comes beside them: low byte first where an element has several.

    Ports: `i`, stream of entries; `o`, stream of scores, in the same cycle.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__({"i": In(stream.Signature(_STORED)), "o": Out(stream.Signature(score_layout(config)))})

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
        beside = element[byte_bits(config.score_width) :]
        m.d.comb += [
            self.o.valid.eq(self.i.valid & whole),
            # The order of `score_layout`.
            Value.cast(self.o.payload).eq(Cat(element[: config.score_width], entry.vector_end, beside)),
            self.i.ready.eq(self.o.ready | ~whole),
        ]
        return m


# To the host ---------------------------------------------------------------------------------------------------------

# What is written into a frame, step by step. The first is the place of the first COBS code; then what `Type` says, of which
# the last step leads to the CRC and the delimiter.
_CRC_LOW, _CRC_HIGH, _DELIMITER = 0, 3, 2
assert not {_CRC_LOW, _CRC_HIGH, _DELIMITER} & {
    Type.INFO,
    Type.RESULT,
    Type.RESULT_END,
    Type.ERROR,
    Type.ACK,
}


@dataclass(frozen=True)
class _Step:
    """One byte of a frame: the constant `byte`, or a `source` by its name."""

    byte: int = 0
    source: str = "constant"
    last: bool = False
    """The part of the frame ends here, whatever else may end it."""
    takes: bool = False
    """A result's last byte: the next one follows."""
    waits: bool = False
    """For a result to be there."""


def _program(config: Config, clock_hz: float) -> dict[int, list[_Step]]:
    """What is sent → its steps, from the place of the first code on."""
    place = [_Step()]

    def header(kind: Type) -> list[_Step]:
        number = _Step(source="info_sequence") if kind == Type.INFO else _Step(source="sent")
        return [*place, _Step(kind), number, _Step(source="taken", last=kind == Type.ACK)]

    size = beat_bytes(emitted(config))
    code = [_Step(source=f"code_{part}", waits=True, takes=part == size - 1) for part in range(size)]
    filled = code * (PAYLOAD_BYTES // size) if size else []
    info = [_Step(byte) for byte in Info.of(config, clock_hz).to_bytes()]
    trailer = [_Step(source=f"result_{part}") for part in range(beat_bytes(concluding(config)))]
    trailer += [_Step(source=name) for name in ("flags", "cycles_0", "cycles_1", "cycles_2")]
    nothing = Trailer((0,) * len(fields(concluding(config))), 0, 0)
    assert len(trailer) == len(nothing.to_bytes(config))

    def ended(steps: list[_Step]) -> list[_Step]:
        return [*steps[:-1], *(replace(step, last=True) for step in steps[-1:])]

    # The position of what closes a frame is not known: it stands everywhere.
    anywhere = _SLOT_BYTES
    return {
        Type.INFO: header(Type.INFO) + ended(info),
        Type.RESULT: header(Type.RESULT) + ended(filled),
        Type.RESULT_END: header(Type.RESULT_END) + ended(trailer),
        Type.ERROR: [*header(Type.ERROR), _Step(source="fault", last=True)],
        Type.ACK: header(Type.ACK),
        _CRC_LOW: [_Step(source="crc", last=True)] * anywhere,
        _CRC_HIGH: [_Step(source="crc", last=True)] * anywhere,
        _DELIMITER: [_Step(last=True)] * anywhere,
    }


def fields(output: Output | None) -> tuple[Field, ...]:
    """The fields of an output that may not be there."""
    return () if output is None else output.fields


def _bytes(output: Output | None, payload: Any) -> list[Value]:
    """The bytes of a beat, in the order of the frame: those of tdata."""
    values = [extended(field, Value.cast(payload[field.name])) for field in fields(output)]
    return [value[k : k + 8] for value in values for k in range(0, len(value), 8)]


def _selected(choices: Sequence[Value], select: Value) -> Value:
    """`choices[select]` as a tree of two to one: two LUTs per four choices and bit."""
    if len(choices) == 1:
        return choices[0]
    pairs = [
        Mux(select[0], choices[k + 1], choices[k]) if k + 1 < len(choices) else choices[k]
        for k in range(0, len(choices), 2)
    ]
    return _selected(pairs, select[1:])


def cycle_bits(config: Config) -> int:
    """Bits that hold the cycles of the longest vector that fits into one frame, from its first score to its first result."""
    size = element_bytes(config)
    longest = min(config.max_length, PAYLOAD_BYTES // size)
    slower = (size - 1) * (longest - 1)  # an element of two bytes comes every second cycle
    return min(24, (plan(config).first_output_cycle(longest) + slower).bit_length())


class _Reporter(wiring.Component):
    """What the board has to say, as bytes of frames: made in a memory, stuffed there, then sent.

    1. Fill: for every byte a step of the program is read, the byte selected, shifted through the CRC, and written.
    2. Stuff, from the end to the beginning: each zero is replaced by the distance to the next, as COBS has it.
    3. Send, up to the delimiter, which is the only zero left.

    Ports: `code`, stream of what there is for each element, and `result`, of what there is for each vector; `info`, an INFO
    is due, with its number `info_sequence`; `fault`, an ERROR is due, with its `fault_code`; `told_info` and `told_fault` for
    one cycle when it was told; `taken`, the host's frames, and `frame_taken` when they are one more; `acknowledged`, the low
    bits of what the host took; `cycles`, for the trailer; `flush`, what is being made is dropped and all counts are 0. `o`,
    stream of bytes.
    """

    def __init__(self, config: Config, clock_hz: float) -> None:
        self._config, self._clock_hz = config, clock_hz
        super().__init__(
            {
                # There in every mode; nobody drives that which a head has not.
                "code": In(stream.Signature(_layout(config, emitted(config)))),
                "result": In(stream.Signature(_layout(config, concluding(config)))),
                "info": In(1),
                "info_sequence": In(8),
                "told_info": Out(1),
                "fault": In(1),
                "fault_code": In(3),
                "told_fault": Out(1),
                "taken": In(8),
                "frame_taken": In(1),
                "acknowledged": In(BOARD_WINDOW.bit_length()),
                "cycles": In(cycle_bits(config)),
                "flush": In(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, concludes = self._config, concluding(self._config)
        # A vector of which nothing comes for each element is due for its trailer at once.
        at_once = emitted(config) is None

        kind = Signal(3)
        where = Signal(range(1 + _LONGEST + 1))
        # A byte takes ten phases in Fill: the program is read, the byte is selected, eight bits go through the CRC. In the
        # other states there are two, for the memory to be read and for what it gives to be used.
        phase = Signal(4, init=6)
        selected, shifting, shifted = phase[0] & ~phase[3], phase[3], phase.all()
        sent = Signal(8)  # data frames since INFO
        trailer_due = Signal(init=int(at_once))  # all elements of the vector's result are out
        news = Signal()  # credits that the host was not told
        crc = Signal(16, init=_CRC_START)
        byte = Signal(8, reset_less=True)

        # The program.
        code, result = self.code.payload, self.result.payload
        told: Value = Cat(result[flag.name] for flag in flags(config)) if concludes else Signal(len(flags(config)))
        sources: dict[str, Value] = {"constant": Const(0, 8)}
        for name, value in (
            ("sent", sent),
            ("info_sequence", self.info_sequence),
            ("taken", self.taken),
            ("fault", self.fault_code),
            ("crc", ~crc[:8]),
            ("code", _bytes(emitted(config), code)),
            ("result", _bytes(concludes, result)),
            ("flags", told),
            ("cycles", [self.cycles[k : k + 8] for k in range(0, len(self.cycles), 8)]),
        ):
            if isinstance(value, list):
                sources |= {f"{name}_{k}": part for k, part in enumerate(value)}
            else:
                sources[name] = value
        program = _program(config, self._clock_hz)
        used = {step.source for steps in program.values() for step in steps}
        names = [name for name in sources if name in used]
        # A part that no value has is a zero.
        number = {name: names.index(name) if name in names else 0 for name in used}
        select_bits = ceil_log2(len(names))
        layout = data.StructLayout({"byte": 8, "select": select_bits, "last": 1, "takes": 1, "waits": 1})
        rows = [
            layout.const(
                {
                    "byte": step.byte,
                    "select": number[step.source],
                    "last": step.last,
                    "takes": step.takes,
                    "waits": step.waits,
                }
            )
            for start in range(8)
            for step in (program.get(start, []) + [_Step()] * _SLOT_BYTES)[:_SLOT_BYTES]
        ]
        m.submodules.program = rom = memory.Memory(
            shape=layout, depth=len(rows), init=rows, attrs={"ram_style": "block"}
        )
        fetched = rom.read_port()
        step = fetched.data
        sources["constant"] = step.byte
        m.d.comb += fetched.addr.eq(Cat(where[: ceil_log2(_SLOT_BYTES)], kind))

        # The frame.
        m.submodules.frame = frame = memory.Memory(
            shape=8, depth=1 << len(where), init=[], attrs={"ram_style": "block", **_NO_COLLISION}
        )
        write, read = frame.write_port(), frame.read_port(domain="comb")
        found = Signal(8, reset_less=True)
        zero = Signal()
        gap = Signal(_COUNT_BITS, init=1)  # bytes to the next zero
        filling, stuffing, down, forward = Signal(), Signal(), Signal(), Signal()
        m.d.sync += found.eq(read.data)
        m.d.comb += [
            zero.eq(found == 0),
            read.addr.eq(where),
            write.addr.eq(where),
            write.data.eq(Mux(stuffing, gap, byte)),
            write.en.eq((filling & shifted) | (stuffing & phase[0] & zero)),
            self.o.payload.eq(found),
        ]

        outstanding = Signal(BOARD_WINDOW.bit_length())
        m.d.comb += outstanding.eq(sent[: len(outstanding)] - self.acknowledged)
        window_open = ~outstanding[-1]
        closing = ~kind[2] & (~kind[0] | kind[1])  # CRC or delimiter
        done = Signal()  # a step is
        ends = Signal()  # and the part of the frame with it
        m.d.comb += [
            done.eq(filling & shifted),
            ends.eq(done & (step.last | (step.takes & code.last))),
            self.told_info.eq(ends & (kind == Type.INFO)),
            self.told_fault.eq(ends & (kind == Type.ERROR)),
            self.code.ready.eq(done & step.takes),
            self.result.ready.eq(ends & (kind == Type.RESULT_END)),
            down.eq(stuffing | (kind == _DELIMITER)),
        ]
        with m.If(shifting & filling):
            bit = byte.bit_select(phase[:3], 1)
            m.d.sync += crc.eq(_shifted(crc, (crc[0] ^ bit) & ~closing))
        with m.If(forward):
            m.d.sync += where.eq(where + Mux(down, -1, 1))
        with m.If(selected):
            m.d.sync += byte.eq(_selected([sources[name] for name in names], step.select))
        with m.If(self.code.ready):
            m.d.sync += trailer_due.eq(code.last)
            if not concludes:
                # The flags of a vector are those of its last element.
                m.d.sync += told.eq(Cat(code[flag.name] for flag in flags(config)))
        with m.If(self.result.ready):
            m.d.sync += trailer_due.eq(int(at_once))
        with m.If(ends & ((kind == Type.RESULT) | (kind == Type.RESULT_END))):
            m.d.sync += sent.eq(sent + 1)
        # Told when it is read: a credit that comes in the meantime is still to be told.
        with m.If(filling & selected & (where == HEADER_BYTES) & ~closing):
            m.d.sync += news.eq(0)
        with m.If(self.frame_taken):
            m.d.sync += news.eq(1)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [where.eq(0), phase.eq(6), crc.eq(_CRC_START), gap.eq(1)]
                m.next = "FILL"
                with m.If(self.info):
                    m.d.sync += kind.eq(Type.INFO)
                with m.Elif(self.fault):
                    m.d.sync += kind.eq(Type.ERROR)
                with m.Elif(window_open & trailer_due & (self.result.valid if concludes else 1)):
                    m.d.sync += kind.eq(Type.RESULT_END)
                with m.Elif(window_open & ~trailer_due & self.code.valid):
                    m.d.sync += kind.eq(Type.RESULT)
                with m.Elif(news):
                    m.d.sync += kind.eq(Type.ACK)
                with m.Else():
                    m.next = "IDLE"
            with m.State("FILL"):
                m.d.comb += [filling.eq(1), forward.eq(shifted)]
                m.d.sync += phase.eq(phase + 1)
                with m.If(selected & step.waits & ~self.code.valid):
                    m.d.sync += phase.eq(phase)
                with m.If(shifted):
                    m.d.sync += phase.eq(6)
                with m.If(ends):
                    m.d.sync += kind.eq(_CRC_LOW)
                    with m.If(closing):
                        m.d.sync += kind.eq(Mux(kind[0], _DELIMITER, _CRC_HIGH))
                        with m.If(kind == _DELIMITER):
                            m.next = "STUFF"
                with m.If(self.flush):
                    m.next = "IDLE"
            with m.State("STUFF"):
                m.d.comb += [stuffing.eq(1), forward.eq(phase[0] & (where != 0))]
                m.d.sync += phase[0].eq(~phase[0])
                with m.If(phase[0]):
                    m.d.sync += gap.eq(Mux(zero, 1, gap + 1))
                    with m.If(where == 0):
                        m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [self.o.valid.eq(phase[0]), forward.eq(phase[0] & self.o.ready)]
                m.d.sync += phase[0].eq(~phase[0])
                with m.If(phase[0] & ~self.o.ready):
                    m.d.sync += phase[0].eq(1)
                with m.If(phase[0] & self.o.ready & zero):
                    m.next = "IDLE"
        with m.If(self.flush):
            m.d.sync += [sent.eq(0), news.eq(0), trailer_due.eq(int(at_once))]
        return m


def _layout(config: Config, output: Output | None) -> data.StructLayout:
    """A beat of an output; of one that is not there, its last."""
    return data.StructLayout({"last": 1}) if output is None else output_layout(config, output)


# The whole -----------------------------------------------------------------------------------------------------------


class Link(wiring.Component):
    """Everything between the two wires and the head.

    Parameters: `config` of the head; `clock_hz` of domain sync; `baud`, bits per second. Raises `UserError` where the rate
    cannot be met within 2 %. Ports: `rx`, `tx`, the lines; `scores`, stream to the head; `code` and `result`, its streams of
    what there is for each element and for each vector, in so far as it has them; `first_result`, the head has the first
    result of a vector; `flush`, for one cycle, resets the head. `busy`, from a vector's first score until all that came of
    one is reported.

    What it costs is in resources.json. It is slower than the head by far: what limits is ten bits of line for each byte.
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
        for name, output in (("code", emitted(config)), ("result", concluding(config))):
            if output is not None:
                ports[name] = In(stream.Signature(output_layout(config, output)))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        flush = self.flush
        m.submodules.receiver = receiver = Receiver(self._divisor)
        m.submodules.unframer = unframer = _Unframer()
        store, scores = _Store(), _Scores(config)
        m.submodules.store = ResetInserter(flush)(store)
        m.submodules.scores = ResetInserter(flush)(scores)
        m.submodules.reporter = reporter = _Reporter(config, self._clock_hz)
        m.submodules.transmitter = transmitter = Transmitter(self._divisor)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        for name in ("bit", "bit_valid", "data", "valid", "broken"):
            m.d.comb += getattr(unframer, name).eq(getattr(receiver, name))
        wiring.connect(m, store.o, scores.i)
        wiring.connect(m, scores.o, wiring.flipped(self.scores))
        for name, output in (("code", emitted(config)), ("result", concluding(config))):
            if output is not None:
                wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(reporter, name))
        wiring.connect(m, reporter.o, transmitter.i)

        # The header.
        kind, unknown, in_order = Signal(3), Signal(), Signal()
        info_sequence = Signal(8, reset_less=True)
        acknowledge, acknowledged = (Signal(len(reporter.acknowledged), name=f"acknowledge{end}") for end in ("", "d"))
        byte, number = unframer.byte, store.committed
        with m.If(unframer.write), m.Switch(unframer.count):
            with m.Case(0):
                m.d.sync += [kind.eq(byte), unknown.eq(byte[3:].any())]
            with m.Case(1):
                m.d.sync += in_order.eq(byte == number)
                with m.If(kind == Type.INFO):
                    m.d.sync += info_sequence.eq(byte)
            with m.Case(2):
                m.d.sync += acknowledge.eq(byte)

        # What comes: scores into the store, credits, INFO; or the first fault.
        overflow, info_due, fault_due = Signal(), Signal(), Signal()
        fault, found = Signal(3), Signal(3)
        good_run = Signal()
        done, count = unframer.done, unframer.count
        is_run = (kind[1:] == Type.RUN >> 1) & ~unknown
        is_info = (kind == Type.INFO) & ~unknown
        assert Type.RUN >> 1 == Type.RUN_END >> 1
        sized = (count != HEADER_BYTES + CRC_BYTES) & ~unframer.too_long
        size, least = element_bytes(config), HEADER_BYTES + CRC_BYTES
        if size == 2:
            sized &= ~(count - least)[0]
        elif size > 2:
            sized &= reduce(or_, (count == whole for whole in range(least, least + PAYLOAD_BYTES + 1, size)))
        with m.If(~unframer.intact):
            m.d.comb += found.eq(Fault.CORRUPT)
        with m.Elif(is_run):
            with m.If(~in_order):
                m.d.comb += found.eq(Fault.SEQUENCE)
            with m.Elif(~sized):
                m.d.comb += found.eq(Fault.LENGTH)
            with m.Elif(overflow):
                m.d.comb += found.eq(Fault.OVERFLOW)
        with m.Elif(unknown | ((kind != Type.ACK) & (kind != Type.INFO))):
            m.d.comb += found.eq(Fault.TYPE)
        m.d.comb += [
            good_run.eq(done & is_run & (found == 0) & (fault == 0)),
            store.byte.eq(byte),
            store.position.eq(count),
            store.write.eq(unframer.write),
            store.commit.eq(good_run),
            store.vector_end.eq(kind[0]),
        ]
        with m.If(unframer.write & store.full):
            m.d.sync += overflow.eq(1)
        with m.If(reporter.told_info):
            m.d.sync += info_due.eq(0)
        with m.If(reporter.told_fault):
            m.d.sync += fault_due.eq(0)
        m.d.sync += flush.eq(0)
        with m.If(done):
            m.d.sync += overflow.eq(0)
            with m.If(found == 0):
                m.d.sync += acknowledged.eq(acknowledge)
            with m.Elif(fault == 0):
                m.d.sync += [fault.eq(found), fault_due.eq(1)]
            with m.If(unframer.intact & is_info):
                m.d.sync += [flush.eq(1), info_due.eq(1), fault.eq(0), fault_due.eq(0)]
        with m.If(flush):
            m.d.sync += acknowledged.eq(0)

        # How long the head takes, for a vector alone in it.
        cycles = Signal(cycle_bits(config), reset_less=True)
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
        if concluding(config) is None:
            reported = self.code.valid & self.code.ready & self.code.payload.last
        else:
            reported = self.result.valid & self.result.ready
        with m.If(moves):
            m.d.sync += self.busy.eq(1)
        with m.Elif(reported):
            m.d.sync += self.busy.eq(0)
        with m.If(flush):
            m.d.sync += [self.busy.eq(0), at_start.eq(1), counting.eq(0)]
        m.d.comb += [
            reporter.info.eq(info_due),
            reporter.info_sequence.eq(info_sequence),
            reporter.fault.eq(fault_due),
            reporter.fault_code.eq(fault),
            reporter.taken.eq(store.taken),
            reporter.frame_taken.eq(store.o.valid & store.o.ready & store.o.payload.frame_end),
            reporter.acknowledged.eq(acknowledged),
            reporter.cycles.eq(cycles),
            reporter.flush.eq(flush),
        ]
        return m


class LinkCore(wiring.Component):
    """The whole of the board behind two wires: the link and the head.

    Parameters as `Link` has them. Ports: `rx`, `tx`, the lines; `winner`, the index that is shown of a vector (`shown`), in
    the one cycle of `winner_valid`; `busy`, from a vector's first score until all that came of one is reported.
    """

    def __init__(self, config: Config, *, clock_hz: float, baud: int) -> None:
        self._config = config
        self._link = Link(config, clock_hz=clock_hz, baud=baud)
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
        m.submodules.link = link = self._link
        head = Head(self._config)
        m.submodules.head = ResetInserter(link.flush)(head)
        wiring.connect(m, link.scores, head.i)
        for output, name in ((emitted(self._config), "code"), (concluding(self._config), "result")):
            if output is not None:
                wiring.connect(m, getattr(head, output.port), getattr(link, name))
        winner, winner_valid = shown(m, self._config, head, link.flush)
        m.d.comb += [
            link.first_result.eq(head.o.valid),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.winner.eq(winner),
            self.winner_valid.eq(winner_valid),
            self.busy.eq(link.busy),
        ]
        return m


def link_verilog(config: Config) -> str:
    """The link alone as Verilog, with the module's and the clock's name of a generated head, to be measured as one is."""
    link = Link(config, clock_hz=MEASURED_HZ, baud=MEASURED_BAUD)
    m = Module()
    m.domains.sync = domain = ClockDomain()
    aclk, reset = Signal(), Signal()
    m.d.comb += [domain.clk.eq(aclk), domain.rst.eq(reset)]
    m.submodules.link = link
    ports = [Value.cast(value) for _, _, value in link.signature.flatten(link)]
    return verilog.convert(m, name=TOP, ports=[aclk, reset, *ports], emit_src=False, strip_internal_attrs=True)
