"""UART, 8 data bits, no parity, one stop bit: the divisor from the clock, a receiver and a transmitter.

divisor = round(clock_hz / baud) clock cycles per bit,  error = clock_hz / (divisor · baud) − 1, at most 2 % either way
"""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from softstream.hw.errors import UserError

__all__ = ["MAXIMUM_ERROR", "MINIMUM_DIVISOR", "Receiver", "Transmitter", "divisor"]

MAXIMUM_ERROR = 0.02
"""Largest error of a side's rate. Two sides may differ by twice as much, which is 0.38 of a bit over 9.5 bits."""
MINIMUM_DIVISOR = 4
"""Fewest clock cycles per bit: with fewer the sample is not near the middle of the bit."""


def divisor(clock_hz: float, baud: int) -> int:
    """Clock cycles per bit. Raises `UserError` for a rate that the clock cannot make within 2 %, with one that it can."""
    if not clock_hz > 0:
        raise UserError(f"clock of {clock_hz} Hz: must be above 0; for example 12e6")
    if baud < 1:
        raise UserError(f"--baud {baud}: must be 1 bit/s at least; for example 115200")
    cycles = max(1, round(clock_hz / baud))
    error = clock_hz / (cycles * baud) - 1
    if cycles < MINIMUM_DIVISOR or abs(error) > MAXIMUM_ERROR:
        best = round(clock_hz / max(cycles, MINIMUM_DIVISOR))
        why = (
            f"needs {MINIMUM_DIVISOR} clock cycles per bit at least"
            if cycles < MINIMUM_DIVISOR
            else f"off by {100 * error:+.1f} %, must be within {100 * MAXIMUM_ERROR:.0f} %"
        )
        raise UserError(f"--baud {baud}: at a clock of {clock_hz / 1e6:g} MHz {why}; for example --baud {best}")
    return cycles


class Receiver(wiring.Component):
    """Bytes from the line. Each bit is sampled once, in its middle.

    Parameters: `divisor`, clock cycles per bit. Ports: `rx`, the line, not synchronous to the clock; `data`, with `valid`
    for one cycle; `broken` for one cycle instead of `valid` if the stop bit is low; before that each `bit` of the byte when
    it arrives, the lowest first, with `bit_valid` for one cycle. A low level that ends before the middle of a bit is no
    start bit. After a byte the next start bit may come half a bit early, because the sender's clock may be faster.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "bit": Out(1),
                "bit_valid": Out(1),
                "data": Out(8),
                "valid": Out(1),
                "broken": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        timer = Signal(range(self._divisor))
        busy = Signal()
        broken = Signal()  # the line stays low; a start bit needs a high line before it
        # The start bit is the only zero among ones; its place tells the number of bits so far.
        shift = Signal(9, init=0x1FF)
        sample = busy & (timer == 0)
        stop = sample & ~shift[0]
        start = shift.all()
        m.d.comb += [
            self.bit.eq(line),
            self.bit_valid.eq(sample & shift[0] & ~start),
            self.data.eq(shift[1:]),
            self.valid.eq(stop & line),
            self.broken.eq(stop & ~line),
        ]
        with m.If(~busy):
            m.d.sync += [timer.eq(self._divisor // 2 - 1), shift.eq(0x1FF), broken.eq(broken & ~line)]
            m.d.sync += busy.eq(~line & ~broken)
        with m.Elif(timer == 0):
            m.d.sync += [timer.eq(self._divisor - 1), shift.eq(Cat(shift[1:], line))]
            with m.If(stop | (start & line)):
                m.d.sync += [busy.eq(0), broken.eq(~line)]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m


class Transmitter(wiring.Component):
    """Bytes to the line. Parameters: `divisor`, clock cycles per bit. Ports: `i`, stream of bytes; `tx`, from a register."""

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        timer = Signal(range(self._divisor))
        shift = Signal(10, init=1)  # start bit, data, stop bit; the stop bit stays
        idle = (timer == 0) & (shift[1:] == 0)
        m.d.comb += [self.tx.eq(shift[0]), self.i.ready.eq(idle)]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(shift[1:] != 0):
            m.d.sync += [timer.eq(self._divisor - 1), shift.eq(shift[1:])]
        with m.Elif(self.i.valid):
            m.d.sync += [timer.eq(self._divisor - 1), shift.eq(Cat(0, self.i.payload, 1))]
        return m
