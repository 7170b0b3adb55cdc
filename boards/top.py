"""What goes on the board: clock, core, and the winner on whatever lamps the board has.

    oscillator ─► clocks ─► sync
    rx ─► core (link, head) ─► tx            or, stand-alone:   stored scores ─► head
            └─► winner ─► LEDs, display

The top asks the platform what it has. Winners: a seven-segment display shows the lowest hexadecimal digit of the index;
four or more LEDs show its lowest bits, LED 0 the lowest; fewer LEDs flash, all together, once for index 0, twice for
index 1, up to sixteen times (the lowest four bits), then pause. What has no winner (sigmoid, cross-entropy) leaves them dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Array, Cat, ClockDomain, Const, Elaboratable, Module, Signal, Value, signed, unsigned
from amaranth.build import ResourceError
from amaranth.lib import io, memory, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from softstream.boards.registry import Board
from softstream.boards.tools.clock import Clock, ClockTree
from softstream.boards.winner_display import shown
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.plan.ports import outputs

__all__ = ["BoardTop", "Demo", "Flash"]

Scores = Sequence[Sequence[int]]

_DIGITS = (0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F, 0x77, 0x7C, 0x39, 0x5E, 0x79, 0x71)
"""Segments gfedcba of a hexadecimal digit."""


class Demo(wiring.Component):
    """Plays stored vectors through the head, one every `period` cycles, round and round.

    Ports: `winner` with `winner_valid` for one cycle per vector, see `shown`; `busy` while a vector is on its way. All else
    that comes out is taken and dropped; what comes beside the scores is 0. Raises `UserError` for scores that the
    configuration cannot take.
    """

    def __init__(self, config: Config, scores: Scores, period: int) -> None:
        low, high = config.score_format.minimum, config.score_format.maximum
        if not scores or not all(scores):
            raise UserError("demo: no scores; give at least one vector of one element, for example [[3, 1]]")
        longest = max(map(len, scores))
        if longest > config.max_length:
            raise UserError(
                f"demo: a vector of {longest} scores, max_length is {config.max_length}; for example --set max_length={longest}"
            )
        if not all(low <= code <= high for vector in scores for code in vector):
            raise UserError(
                f"demo: the stored scores are int8, the score format holds {low} to {high}; for example --set score_width=8"
            )
        self._config, self._scores, self._period = config, scores, period
        super().__init__(
            {"winner": Out(config.index_width), "winner_valid": Out(1), "busy": Out(1)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        m.submodules.head = head = Head(config)
        shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
        mask = (1 << config.score_width) - 1
        beats = [
            (code & mask) | (last << config.score_width)
            for vector in self._scores
            for code, last in zip(vector, [*[0] * (len(vector) - 1), 1], strict=True)
        ]
        m.submodules.scores = stored = memory.Memory(shape=unsigned(shape.width + 1), depth=len(beats), init=beats)
        port = stored.read_port()
        address = Signal(range(len(beats)))
        following = Signal.like(address)
        pause = Signal(range(self._period + 1))
        sending, fetched = Signal(), Signal()
        taken = head.i.valid & head.i.ready
        last = port.data[-1]
        m.d.comb += [
            following.eq(address),
            port.addr.eq(following),
            port.en.eq(1),
            head.i.valid.eq(sending & fetched),
            Value.cast(head.i.payload.score).eq(port.data[: config.score_width]),
            head.i.payload.last.eq(last),
            self.busy.eq(sending),
        ]
        m.d.sync += [address.eq(following), fetched.eq(1)]
        with m.If(taken):
            m.d.comb += following.eq(address + 1)
            with m.If(address == len(beats) - 1):
                m.d.comb += following.eq(0)
            with m.If(last):
                m.d.sync += sending.eq(0)
        with m.If(pause == self._period - 1):
            m.d.sync += [pause.eq(0), sending.eq(1)]
        with m.Else():
            m.d.sync += pause.eq(pause + 1)
        winner, winner_valid = shown(m, config, head)
        m.d.comb += [getattr(head, output.port).ready.eq(1) for output in outputs(config)]
        m.d.comb += [self.winner.eq(winner), self.winner_valid.eq(winner_valid)]
        return m


class Flash(wiring.Component):
    """Flashes `number` + 1 times, on for one and off for one `tick`, then dark for four more; a new number waits its turn."""

    def __init__(self, width: int, tick: int) -> None:
        self._width, self._tick = width, tick
        super().__init__({"number": In(width), "valid": In(1), "lamp": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        number, seen = Signal(self._width), Signal()
        with m.If(self.valid):
            m.d.sync += [number.eq(self.number), seen.eq(1)]
        timer = Signal(range(self._tick))
        half = Signal(self._width + 3)  # counts half periods down; the last four are the pause
        tick = Signal()
        m.d.comb += tick.eq(timer == self._tick - 1)
        with m.If(tick):
            m.d.sync += timer.eq(0)
        with m.Else():
            m.d.sync += timer.eq(timer + 1)
        with m.If(tick & (half != 0)):
            m.d.sync += half.eq(half - 1)
        with m.Elif(tick & seen):
            m.d.sync += half.eq((number << 1) + 5)
        m.d.comb += self.lamp.eq((half > 3) & half[0])
        return m


class BoardTop(Elaboratable):
    """The whole design for one board. With `demo` the stored vectors are played and the link is left out.

    Raises `UserError` where the board has no UART, or none that its pins leave free.
    """

    def __init__(
        self, config: Config, row: Board, clock: Clock, *, baud: int | None = None, demo: Scores | None = None
    ) -> None:
        self._row, self._clock = row, clock
        self._core: Any
        if demo is not None:
            self._core = Demo(config, demo, max(1, round(2 * clock.hz)))
        else:
            from softstream.boards.link.core import LinkCore

            self._core = LinkCore(config, clock_hz=clock.hz, baud=row.baud if baud is None else baud)
        self._demo = demo is not None
        self._index_width = config.index_width

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clocks = ClockTree(self._row, self._clock)
        m.submodules.core = core = self._core
        if not self._demo:
            try:
                uart = platform.request("uart", 0, dir="-")
            except ResourceError:
                raise UserError(
                    f"board {self._row.name}: has no UART for the link; for example --demo, which needs none"
                ) from None
            m.submodules.rx = rx = io.Buffer("i", uart.rx)
            m.submodules.tx = tx = io.Buffer("o", uart.tx)
            m.submodules.synchroniser = FFSynchronizer(rx.i, core.rx, init=1)
            line = Signal(init=1)  # a register, so that no glitch of the core reaches the line
            m.d.sync += line.eq(core.tx)
            m.d.comb += tx.o.eq(line)
        self._show(m, platform, core)
        return m

    def _show(self, m: Module, platform: Any, core: Any) -> None:
        winner = Signal(self._index_width)
        with m.If(core.winner_valid):
            m.d.sync += winner.eq(core.winner)
        number = Signal(4)
        m.d.comb += number.eq(winner)
        display = _requested(platform, "display_7seg")
        if display is not None:
            segments = Array(Const(pattern, 7) for pattern in _DIGITS)[number]
            drives = [_drive(m, f"segment_{name}", getattr(display, name)) for name in "abcdefg"]
            m.d.comb += Cat(drives).eq(segments)
            # Where digits share their segments, the rightmost one is lit.
            if (enable := _requested(platform, "display_7seg_an")) is not None:
                m.d.comb += _drive(m, "digit", enable).eq(1)
        lamps = _lamps(m, platform)
        if len(lamps) >= 4:
            for bit, lamp in zip(winner, lamps, strict=False):
                m.d.comb += lamp.eq(bit)
        elif lamps:
            m.submodules.flash = flash = Flash(4, max(2, round(0.2 * self._clock.hz)))
            m.d.comb += [flash.number.eq(core.winner), flash.valid.eq(core.winner_valid)]
            m.d.comb += [lamp.eq(flash.lamp) for lamp in lamps]


def _requested(platform: Any, name: str, number: int = 0) -> Any:
    """The port of a resource, or None where the board has none or another already uses its pins."""
    try:
        return platform.request(name, number, dir="-")
    except ResourceError:
        return None


def _drive(m: Module, name: str, port: Any) -> Value:
    """What to assign to, for an output."""
    m.submodules[name] = buffer = io.Buffer("o", port)
    return buffer.o


def _lamps(m: Module, platform: Any) -> list[Value]:
    """The outputs of the LEDs in order; the colours of one RGB LED where there are no others."""
    numbers = sorted(number for name, number in platform.resources if name == "led")
    ports = {f"led_{number}": _requested(platform, "led", number) for number in numbers}
    ports = {name: port for name, port in ports.items() if port is not None}
    if not ports and (colours := _requested(platform, "rgb_led")) is not None:
        ports = {f"led_{colour}": getattr(colours, colour) for colour in "rgb"}
    return [_drive(m, name, port) for name, port in ports.items()]
