"""What LEDs and displays show of a vector: the index of its winner.

A seven-segment display shows the lowest hexadecimal digit of the index. Four or more LEDs show its lowest bits, LED 0 the
lowest. Fewer LEDs flash, all together: once for index 0, twice for index 1, up to sixteen times (the lowest four bits), then
they pause. Modes without a winner (sigmoid, cross-entropy) leave them dark.
"""

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.build import ResourceError
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.link.protocol import element_output
from softstream.hw.config.config import Config
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.layouts import each_lane, keep_names

__all__ = ["DIGITS", "FEWEST_BINARY", "BlinkCode", "display_winner", "lamps_of", "requested", "winner_of"]

DIGITS = (0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F, 0x77, 0x7C, 0x39, 0x5E, 0x79, 0x71)
"""Segments gfedcba of a hexadecimal digit."""
FEWEST_BINARY = 4
"""Fewest LEDs that show an index in binary; fewer flash."""
_BLINK_SECONDS = 0.2


def winner_of(m: Module, config: Config, head: Any, flush: Value | int = 0) -> tuple[Value, Value]:
    """Index of a vector's winner, and a strobe for the one cycle per vector in which it is valid.

    It is the winner or the class that was drawn; in the Top-K modes the first of the list; in hardmax the element that is 1.0.
    Sigmoid and cross-entropy have none, so their strobe stays 0. `flush` says that the head is being reset.
    """
    output = next((row for row in outputs(config) if any(field.name == "index" for field in row.fields)), None)
    if output is None and not config.traits.one_hot:
        return Const(0, config.index_width), Const(0)
    source = getattr(head, "o" if output is None else output.port)
    transfer = source.valid & source.ready
    if output is not None and output.per != "rank":
        return source.payload.index, transfer
    first = element_output(config)
    last = source.payload.ends if first is not None and first.ends else source.payload.last
    place = Signal(config.index_width)  # of the beat's first element
    with m.If(flush):
        m.d.sync += place.eq(0)
    with m.Elif(transfer):
        m.d.sync += place.eq(Mux(last, 0, place + config.lanes))
    if output is not None:
        return source.payload.index, transfer & (place == 0)
    winner, hit = Signal(config.index_width), Signal()
    # A lane that a vector's last beat does not fill holds anything.
    present = [Const(1), *(~source.payload.last | source.payload[name] for name in keep_names(config.lanes))]
    for lane, name in reversed(list(enumerate(each_lane("probability", config.lanes)))):
        with m.If((source.payload[name] != 0) & present[lane]):
            m.d.comb += [winner.eq(place + lane), hit.eq(1)]
    return winner, transfer & hit


class BlinkCode(wiring.Component):
    """Flashes `number` + 1 times, on for one and off for one `tick`, then stays dark for four more.

    Ports: `number` with `valid`; `lamp`. A new number waits until the flashes of the last one are over.
    """

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


def display_winner(m: Module, platform: Any, core: Any, index_width: int, clock_hz: float) -> None:
    """Drives whatever display and LEDs the platform has from the core's `winner` and `winner_valid`."""
    winner = Signal(index_width)
    with m.If(core.winner_valid):
        m.d.sync += winner.eq(core.winner)
    number = Signal(4)
    m.d.comb += number.eq(winner)
    display = requested(platform, "display_7seg")
    if display is not None:
        segments = Array(Const(pattern, 7) for pattern in DIGITS)[number]
        drives = [_drive(m, f"segment_{name}", getattr(display, name)) for name in "abcdefg"]
        m.d.comb += Cat(drives).eq(segments)
        # Where digits share their segments, the rightmost one is lit.
        if (enable := requested(platform, "display_7seg_an")) is not None:
            m.d.comb += _drive(m, "digit", enable).eq(1)
    lamps = lamps_of(m, platform)
    if len(lamps) >= FEWEST_BINARY:
        for bit, lamp in zip(winner, lamps, strict=False):
            m.d.comb += lamp.eq(bit)
    elif lamps:
        m.submodules.flash = flash = BlinkCode(4, max(2, round(_BLINK_SECONDS * clock_hz)))
        m.d.comb += [flash.number.eq(core.winner), flash.valid.eq(core.winner_valid)]
        m.d.comb += [lamp.eq(flash.lamp) for lamp in lamps]


def requested(platform: Any, name: str, number: int = 0) -> Any:
    """The port of a resource, or None where the board has none or another resource uses its pins."""
    try:
        return platform.request(name, number, dir="-")
    except ResourceError:
        return None


def _drive(m: Module, name: str, port: Any) -> Value:
    """The value that an output pin takes, to be assigned."""
    m.submodules[name] = buffer = io.Buffer("o", port)
    return buffer.o


def lamps_of(m: Module, platform: Any) -> list[Value]:
    """The outputs of the LEDs in order; the colours of an RGB LED where there are no others."""
    numbers = sorted(number for name, number in platform.resources if name == "led")
    ports = {f"led_{number}": requested(platform, "led", number) for number in numbers}
    ports = {name: port for name, port in ports.items() if port is not None}
    if not ports and (colours := requested(platform, "rgb_led")) is not None:
        ports = {f"led_{colour}": getattr(colours, colour) for colour in "rgb"}
    return [_drive(m, name, port) for name, port in ports.items()]
