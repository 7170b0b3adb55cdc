"""The sending half of the board's link: results, credits, faults and INFO to frames, to bytes of the line.

    head's results, credits, fault, INFO ─► Framer ─► Transmitter (uart)

The framer builds a frame in a memory while the head delivers, and sends whole frames only. So an INFO request that
interrupts a frame never leaves half of it on the line.

A byte takes ten bits of line, 40 clock cycles at the least. The framer has that time for each byte, so it processes the CRC
bit by bit and takes the layout of its frames from a program in a block RAM. Both keep it small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.link.crc import CRC_START, next_crc
from softstream.boards.link.protocol import (
    BOARD_WINDOW,
    CRC_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES,
    Info,
    Trailer,
    Type,
    arrival_delay,
    beat_bytes,
    element_bytes,
    element_output,
    flags,
    one_lane,
    vector_output,
)
from softstream.boards.link.receive import COUNT_BITS, NO_COLLISION, SLOT_BYTES
from softstream.hw.axi import extended
from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import Field, Output
from softstream.hw.streams.layouts import output_layout

__all__ = ["Framer", "cycle_bits"]

_LONGEST = HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES
assert BOARD_WINDOW & (BOARD_WINDOW - 1) == 0


# The program ---------------------------------------------------------------------------------------------------------

# Parts of a frame, each with its steps in the program. The first part is named after the frame's `Type` and begins with the
# place of the first COBS code; its last step leads to the CRC and the delimiter.
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
    """The part of the frame ends here, if nothing ended it before."""
    advances: bool = False
    """The last byte of an element's beat: the next beat follows."""
    waits: bool = False
    """The step needs an element's beat and waits for it."""


def _program(config: Config, clock_hz: float) -> dict[int, list[_Step]]:
    """Part of a frame → its steps, from the place of the first code on."""
    place = [_Step()]

    def header(kind: Type) -> list[_Step]:
        number = _Step(source="info_sequence") if kind == Type.INFO else _Step(source="sent")
        return [*place, _Step(kind), number, _Step(source="consumed", last=kind == Type.ACK)]

    size = beat_bytes(element_output(config))
    beat = [_Step(source=f"element_{part}", waits=True, advances=part == size - 1) for part in range(size)]
    payload = beat * (PAYLOAD_BYTES // size) if size else []
    info = [_Step(byte) for byte in Info.of(config, clock_hz).to_bytes()]
    trailer = [_Step(source=f"vector_{part}") for part in range(beat_bytes(vector_output(config)))]
    trailer += [_Step(source=name) for name in ("flags", "cycles_0", "cycles_1", "cycles_2")]
    empty = Trailer((0,) * len(_fields(vector_output(config))), 0, 0)
    assert len(trailer) == len(empty.to_bytes(config))

    def ended(steps: list[_Step]) -> list[_Step]:
        return [*steps[:-1], *(replace(step, last=True) for step in steps[-1:])]

    # CRC and delimiter follow a payload of any length, so their steps are at every position.
    anywhere = SLOT_BYTES
    return {
        Type.INFO: header(Type.INFO) + ended(info),
        Type.RESULT: header(Type.RESULT) + ended(payload),
        Type.RESULT_END: header(Type.RESULT_END) + ended(trailer),
        Type.ERROR: [*header(Type.ERROR), _Step(source="fault", last=True)],
        Type.ACK: header(Type.ACK),
        _CRC_LOW: [_Step(source="crc", last=True)] * anywhere,
        _CRC_HIGH: [_Step(source="crc", last=True)] * anywhere,
        _DELIMITER: [_Step(last=True)] * anywhere,
    }


def _fields(output: Output | None) -> tuple[Field, ...]:
    return () if output is None else output.fields


def _layout(config: Config, output: Output | None) -> data.StructLayout:
    """A beat of an output with one lane; `last` alone where the mode has no such output."""
    return data.StructLayout({"last": 1}) if output is None else output_layout(one_lane(config), output)


def _bytes(output: Output | None, payload: Any) -> list[Value]:
    """The bytes of a beat, in the order of the frame: those of tdata."""
    values = [extended(field, Value.cast(payload[field.name])) for field in _fields(output)]
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
    """Bits of the cycle counter: it holds the longest vector that fits into one frame, first score to first result."""
    longest = min(config.max_length, PAYLOAD_BYTES // element_bytes(config))
    # A vector that is cut at max_length may fill its last beat.
    delay = arrival_delay(config, config.lanes * config.beats(longest))
    return min(24, (plan(config).first_output_cycle(longest) + delay).bit_length())


# The hardware --------------------------------------------------------------------------------------------------------


class _State:
    """Registers and strobes that the parts of the framer share."""

    def __init__(self, *, trailer_first: bool) -> None:
        self.kind = Signal(3)  # part of the frame
        self.position = Signal(range(1 + _LONGEST + 1))
        # A byte takes ten phases in FILL: the program is read, the byte is selected, eight bits go through the CRC. In the
        # other states it takes two: the memory is read, then its output is used.
        self.phase = Signal(4, init=6)
        self.sent = Signal(8)  # data frames since INFO
        self.trailer_due = Signal(init=int(trailer_first))  # all elements of the vector's result are sent
        self.credit_due = Signal()  # the host does not know of the last credit yet
        self.crc = Signal(16, init=CRC_START)
        self.byte = Signal(8, reset_less=True)
        self.gap = Signal(COUNT_BITS, init=1)  # bytes to the next zero
        self.filling = Signal()
        self.stuffing = Signal()
        self.forward = Signal()
        self.zero = Signal()  # the byte that was read is a zero
        self.ends = Signal()  # the step is done, and with it the part of the frame

    @property
    def selected(self) -> Value:
        """The second phase of FILL: the byte is selected."""
        return self.phase[0] & ~self.phase[3]

    @property
    def shifting(self) -> Value:
        """A bit goes through the CRC."""
        return self.phase[3]

    @property
    def shifted(self) -> Value:
        """The last phase of a byte."""
        return self.phase.all()

    @property
    def closing(self) -> Value:
        """The part is CRC or delimiter."""
        return ~self.kind[2] & (~self.kind[0] | self.kind[1])


class Framer(wiring.Component):
    """Builds the board's frames in a memory and sends them, one at a time.

    1. FILL: for every byte the framer reads a step of the program, selects the byte, shifts it through the CRC and writes it.
    2. STUFF, from the end to the beginning: the distance to the next zero replaces each zero, which is COBS.
    3. SEND, up to the delimiter, which is the only zero left.

    Priority: INFO, ERROR, results while the window is open, credits. Interval: eleven or twelve cycles per byte in the memory,
    then the line's ten bits.

    Ports: `elements` and `vector`, the head's streams with a beat per element and with one per vector. `info`: an INFO is due,
    with its number `info_sequence`; `fault`: an ERROR is due, with its `fault_code`; `info_sent` and `fault_sent` for one cycle
    when its frame is complete. `consumed`, the host's frames so far, and `frame_consumed` for one cycle with each;
    `acknowledged`, the low bits of the host's count of our frames; `cycles`, for the trailer. `flush`: the frame in the making
    is dropped and all counts are 0. `o`, stream of bytes.
    """

    def __init__(self, config: Config, clock_hz: float) -> None:
        self._config, self._clock_hz = config, clock_hz
        super().__init__(
            {
                # Both streams exist in every mode; nothing drives the one that a head lacks.
                "elements": In(stream.Signature(_layout(config, element_output(config)))),
                "vector": In(stream.Signature(_layout(config, vector_output(config)))),
                "info": In(1),
                "info_sequence": In(8),
                "info_sent": Out(1),
                "fault": In(1),
                "fault_code": In(3),
                "fault_sent": Out(1),
                "consumed": In(8),
                "frame_consumed": In(1),
                "acknowledged": In(BOARD_WINDOW.bit_length()),
                "cycles": In(cycle_bits(config)),
                "flush": In(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        # A vector without a beat per element is due for its trailer at once.
        trailer_first = element_output(config) is None
        state = _State(trailer_first=trailer_first)
        if vector_output(config) is None:
            # The flags of a vector are those of its last element.
            flag_bits: Value = Signal(len(flags(config)))
        else:
            flag_bits = Cat(self.vector.payload[flag.name] for flag in flags(config))
        step, source = self._fetch_step(m, state, flag_bits)
        self._frame_memory(m, state)
        window_open = self._process_byte(m, state, step, source)
        if vector_output(config) is None:
            with m.If(self.elements.ready):
                m.d.sync += flag_bits.eq(Cat(self.elements.payload[flag.name] for flag in flags(config)))
        self._sequence(m, state, step, window_open)
        with m.If(self.flush):
            m.d.sync += [state.sent.eq(0), state.credit_due.eq(0), state.trailer_due.eq(int(trailer_first))]
        return m

    def _fetch_step(self, m: Module, state: _State, flag_bits: Value) -> tuple[Any, Value]:
        """The program's ROM: the step at the position, and the byte that the step asks for."""
        config = self._config
        sources: dict[str, Value] = {"constant": Const(0, 8)}
        values: tuple[tuple[str, Value | list[Value]], ...] = (
            ("sent", state.sent),
            ("info_sequence", self.info_sequence),
            ("consumed", self.consumed),
            ("fault", self.fault_code),
            ("crc", ~state.crc[:8]),
            ("element", _bytes(element_output(config), self.elements.payload)),
            ("vector", _bytes(vector_output(config), self.vector.payload)),
            ("flags", flag_bits),
            ("cycles", [self.cycles[k : k + 8] for k in range(0, len(self.cycles), 8)]),
        )
        for name, value in values:
            if isinstance(value, list):
                sources |= {f"{name}_{k}": part for k, part in enumerate(value)}
            else:
                sources[name] = value
        program = _program(config, self._clock_hz)
        used = {step.source for steps in program.values() for step in steps}
        names = [name for name in sources if name in used]
        # A value may be narrower than its bytes in the frame: such a byte is zero, and the constant of the step gives it.
        number = {name: names.index(name) if name in names else 0 for name in used}
        fields = {"byte": 8, "select": ceil_log2(len(names)), "last": 1, "advances": 1, "waits": 1}
        layout = data.StructLayout(fields)
        rows = [
            layout.const({name: number[step.source] if name == "select" else getattr(step, name) for name in fields})
            for part in range(8)
            for step in (program.get(part, []) + [_Step()] * SLOT_BYTES)[:SLOT_BYTES]
        ]
        m.submodules.program = rom = memory.Memory(
            shape=layout, depth=len(rows), init=rows, attrs={"ram_style": "block"}
        )
        fetched = rom.read_port()
        step = fetched.data
        sources["constant"] = step.byte
        m.d.comb += fetched.addr.eq(Cat(state.position[: ceil_log2(SLOT_BYTES)], state.kind))
        return step, _selected([sources[name] for name in names], step.select)

    def _frame_memory(self, m: Module, state: _State) -> None:
        """The frame: FILL writes the selected byte, STUFF writes the gap over a zero, SEND reads."""
        m.submodules.frame = frame = memory.Memory(
            shape=8, depth=1 << len(state.position), init=[], attrs={"ram_style": "block", **NO_COLLISION}
        )
        write, read = frame.write_port(), frame.read_port(domain="comb")
        stored = Signal(8, reset_less=True)
        m.d.sync += stored.eq(read.data)
        m.d.comb += [
            state.zero.eq(stored == 0),
            read.addr.eq(state.position),
            write.addr.eq(state.position),
            write.data.eq(Mux(state.stuffing, state.gap, state.byte)),
            write.en.eq((state.filling & state.shifted) | (state.stuffing & state.phase[0] & state.zero)),
            self.o.payload.eq(stored),
        ]

    def _process_byte(self, m: Module, state: _State, step: Any, source: Value) -> Value:
        """A byte of FILL through the CRC, and the counts that a finished part changes; returns whether the window is open."""
        kind, elements = state.kind, self.elements.payload
        outstanding = Signal(BOARD_WINDOW.bit_length())
        m.d.comb += outstanding.eq(state.sent[: len(outstanding)] - self.acknowledged)
        done, down = Signal(), Signal()  # a step is done; the position counts down
        m.d.comb += [
            done.eq(state.filling & state.shifted),
            state.ends.eq(done & (step.last | (step.advances & elements.last))),
            self.info_sent.eq(state.ends & (kind == Type.INFO)),
            self.fault_sent.eq(state.ends & (kind == Type.ERROR)),
            self.elements.ready.eq(done & step.advances),
            self.vector.ready.eq(state.ends & (kind == Type.RESULT_END)),
            down.eq(state.stuffing | (kind == _DELIMITER)),
        ]
        with m.If(state.shifting & state.filling):
            bit = state.byte.bit_select(state.phase[:3], 1)
            m.d.sync += state.crc.eq(next_crc(state.crc, (state.crc[0] ^ bit) & ~state.closing))
        with m.If(state.forward):
            m.d.sync += state.position.eq(state.position + Mux(down, -1, 1))
        with m.If(state.selected):
            m.d.sync += state.byte.eq(source)
        with m.If(self.elements.ready):
            m.d.sync += state.trailer_due.eq(elements.last)
        with m.If(self.vector.ready):
            m.d.sync += state.trailer_due.eq(int(element_output(self._config) is None))
        with m.If(state.ends & ((kind == Type.RESULT) | (kind == Type.RESULT_END))):
            m.d.sync += state.sent.eq(state.sent + 1)
        # The credit counts as reported once its byte is read: a later credit needs another frame.
        with m.If(state.filling & state.selected & (state.position == HEADER_BYTES) & ~state.closing):
            m.d.sync += state.credit_due.eq(0)
        with m.If(self.frame_consumed):
            m.d.sync += state.credit_due.eq(1)
        return ~outstanding[-1]

    def _sequence(self, m: Module, state: _State, step: Any, window_open: Value) -> None:
        """Chooses the next frame and takes it through FILL, STUFF and SEND."""
        kind, phase = state.kind, state.phase
        vector_ready = self.vector.valid if vector_output(self._config) else 1
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [state.position.eq(0), phase.eq(6), state.crc.eq(CRC_START), state.gap.eq(1)]
                m.next = "FILL"
                with m.If(self.info):
                    m.d.sync += kind.eq(Type.INFO)
                with m.Elif(self.fault):
                    m.d.sync += kind.eq(Type.ERROR)
                with m.Elif(window_open & state.trailer_due & vector_ready):
                    m.d.sync += kind.eq(Type.RESULT_END)
                with m.Elif(window_open & ~state.trailer_due & self.elements.valid):
                    m.d.sync += kind.eq(Type.RESULT)
                with m.Elif(state.credit_due):
                    m.d.sync += kind.eq(Type.ACK)
                with m.Else():
                    m.next = "IDLE"
            with m.State("FILL"):
                m.d.comb += [state.filling.eq(1), state.forward.eq(state.shifted)]
                m.d.sync += phase.eq(phase + 1)
                with m.If(state.selected & step.waits & ~self.elements.valid):
                    m.d.sync += phase.eq(phase)
                with m.If(state.shifted):
                    m.d.sync += phase.eq(6)
                with m.If(state.ends):
                    m.d.sync += kind.eq(_CRC_LOW)
                    with m.If(state.closing):
                        m.d.sync += kind.eq(Mux(kind[0], _DELIMITER, _CRC_HIGH))
                        with m.If(kind == _DELIMITER):
                            m.next = "STUFF"
                with m.If(self.flush):
                    m.next = "IDLE"
            with m.State("STUFF"):
                m.d.comb += [state.stuffing.eq(1), state.forward.eq(phase[0] & (state.position != 0))]
                m.d.sync += phase[0].eq(~phase[0])
                with m.If(phase[0]):
                    m.d.sync += state.gap.eq(Mux(state.zero, 1, state.gap + 1))
                    with m.If(state.position == 0):
                        m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [self.o.valid.eq(phase[0]), state.forward.eq(phase[0] & self.o.ready)]
                m.d.sync += phase[0].eq(~phase[0])
                with m.If(phase[0] & ~self.o.ready):
                    m.d.sync += phase[0].eq(1)
                with m.If(phase[0] & self.o.ready & state.zero):
                    m.next = "IDLE"
