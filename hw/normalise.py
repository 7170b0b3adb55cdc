"""Leading one of the sum: the sum as 2^n times a divisor m in [1, 2)."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .accumulate import sum_layout
from .numerics import Numerics
from .schedule import LEVELS_PER_CYCLE, normalise_cycles, serial_steps, shift_levels
from .streams import delay, pulse

__all__ = ["Normalise", "SerialNormalise", "divisor_layout"]


def divisor_layout(widths: Numerics) -> data.StructLayout:
    """n on the scale of E, m in UQ1.D, and the vector's flag."""
    return data.StructLayout({"exponent": widths.sum_exponent_width, "divisor": widths.divisor_width, "overlong": 1})


def _top(widths: Numerics, total: Value) -> Value:
    """The divisor: the top bits of a sum whose leading one is its topmost bit."""
    missing = widths.divisor_width - len(total)
    return Cat(Const(0, missing), total) if missing > 0 else total[-widths.divisor_width :]


def _exponent(widths: Numerics, reference: Value, shifted: Value) -> Value:
    """n = c·H + (position of the leading one) − A, with that position = accumulator_width − 1 − shifted."""
    return reference * widths.reference_step + (widths.accumulator_width - 1 - widths.accumulator_fraction - shifted)


class Normalise(wiring.Component):
    """2^n <= sum < 2^(n+1), m = floor(sum / 2^(n−D)): leading zeros found and shifted out by halves.

    Each level tests and shifts by a power of two; `LEVELS_PER_CYCLE` levels lie between two registers.

    Ports: `i`, sums, no back-pressure; `o`, n and m. Latency `normalise_cycles`, one vector per cycle.
    """

    def __init__(self, widths: Numerics) -> None:
        self._widths = widths
        super().__init__({"i": In(pulse(sum_layout(widths))), "o": Out(pulse(divisor_layout(widths)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        count_width = max(1, shift_levels(widths))
        cycles = normalise_cycles(widths)
        total: Value = self.i.payload.sum
        shifted: Value = Const(0, count_width)
        others: Value = Cat(self.i.payload.reference, self.i.payload.overlong)
        levels = list(reversed(range(shift_levels(widths))))
        for cycle in range(cycles):
            for level in levels[cycle * LEVELS_PER_CYCLE : (cycle + 1) * LEVELS_PER_CYCLE]:
                bits = 1 << level
                zeros = ~total[-bits:].any()
                moved = Signal(len(total), name=f"moved_{bits}")
                count = Signal(count_width, name=f"shifted_{bits}")
                m.d.comb += [moved.eq(Mux(zeros, total << bits, total)), count.eq(shifted | (zeros << level))]
                total, shifted = moved, count
            total = delay(m, total, 1, f"sum_{cycle}")
            shifted = delay(m, shifted, 1, f"shift_{cycle}")
            others = delay(m, others, 1, f"others_{cycle}")
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            self.o.payload.divisor.eq(_top(widths, total)),
            self.o.payload.exponent.eq(_exponent(widths, others[:-1], shifted)),
            self.o.payload.overlong.eq(others[-1]),
        ]
        return m


class SerialNormalise(wiring.Component):
    """The same n and m, one small shift per cycle: by four while four zeros lead, then by one while a zero leads.

    The number of cycles does not depend on the sum. Ports: `i`, stream of sums; `o`, stream of n and m. With s =
    sum(serial_steps) the latency is s + 1 cycles and the interval s + 2. Cuts the ready path.
    """

    def __init__(self, widths: Numerics) -> None:
        self._widths = widths
        super().__init__(
            {"i": In(stream.Signature(sum_layout(widths))), "o": Out(stream.Signature(divisor_layout(widths)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        by_four, by_one = serial_steps(widths)
        total = Signal(widths.accumulator_width, reset_less=True)
        shifted = Signal(max(1, shift_levels(widths)), reset_less=True)
        reference = Signal.like(self.i.payload.reference, reset_less=True)
        step = Signal(range(by_four + by_one + 1))
        busy = Signal()
        m.d.comb += [
            self.i.ready.eq(~busy),
            self.o.valid.eq(busy & (step == 0)),
            self.o.payload.divisor.eq(_top(widths, total)),
            self.o.payload.exponent.eq(_exponent(widths, reference, shifted)),
        ]
        with m.If(~busy):
            m.d.sync += [
                busy.eq(self.i.valid),
                step.eq(by_four + by_one),
                total.eq(self.i.payload.sum),
                shifted.eq(0),
                reference.eq(self.i.payload.reference),
                self.o.payload.overlong.eq(self.i.payload.overlong),
            ]
        with m.Elif(step != 0):
            m.d.sync += step.eq(step - 1)
            with m.If((step > by_one) & ~total[-4:].any()):
                m.d.sync += [total.eq(total << 4), shifted.eq(shifted + 4)]
            with m.Elif((step <= by_one) & ~total[-1]):
                m.d.sync += [total.eq(total << 1), shifted.eq(shifted + 1)]
        with m.Elif(self.o.ready):
            m.d.sync += busy.eq(0)
        return m
