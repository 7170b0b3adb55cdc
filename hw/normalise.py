"""Leading one of the sum: the sum as 2^n times a divisor m in [1, 2)."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .numerics import Numerics
from .schedule import DIGIT, normalise_digits
from .streams import delay, pulse

__all__ = ["Normalise", "divisor_layout"]


def divisor_layout(widths: Numerics, tag: ShapeLike) -> data.StructLayout:
    """n on the scale of E, m in UQ1.D, and whatever belongs to the vector."""
    return data.StructLayout({"exponent": widths.sum_exponent_width, "divisor": widths.divisor_width, "tag": tag})


class Normalise(wiring.Component):
    """2^n <= sum < 2^(n+1), m = floor(sum / 2^(n−D)): the sum moves up four bits a cycle.

    It stops as soon as a one is among the first four; the last shift, by less than four, is a selection. n is the
    number of bits below the leading one: position within the accumulator − A + c·H.

    Ports: `sum`, `ends`, `reference` as `Accumulate` puts them out, `tag` along with the last segment; `o`, n, m and the
    tag, which stay until the next vector's. With K = `normalise_digits` and S segments the latency is K + 2 cycles from
    the last segment, and vectors that come closer than the schedule's `normalise_interval` spoil each other.
    """

    def __init__(self, widths: Numerics, segments: tuple[int, ...], tag: ShapeLike) -> None:
        if len(segments) > 1 and segments[-1] < DIGIT:
            raise ValueError(f"segments {segments}: the last must hold the first {DIGIT} bits that are looked at")
        self._widths, self._segments = widths, segments
        super().__init__(
            {
                "sum": In(widths.accumulator_width),
                "ends": In(len(segments)),
                "reference": In(max(1, widths.coarse_width)),
                "tag": In(tag),
                "o": Out(pulse(divisor_layout(widths, tag))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        digits, first_digit, padding = normalise_digits(widths)
        loaded = self.ends[-1]

        # Zeros above the sum, so that its digits end where the numbers of positions want it.
        total = Signal(widths.accumulator_width + padding, reset_less=True)
        raised = Cat(Const(0, DIGIT), total[:-DIGIT])
        moving = Signal()
        low = 0
        for j, width in enumerate(self._segments):
            high = low + width if j < len(self._segments) - 1 else len(total)
            with m.If(self.ends[j]):
                m.d.sync += total[low:high].eq(self.sum[low:high])
            with m.Elif(moving):
                m.d.sync += total[low:high].eq(raised[low:high])
            low = high

        # Decided a cycle ahead, from the digit that comes to the top.
        digit = Signal((first_digit + digits).bit_length(), reset_less=True)
        tag = Signal.like(Value.cast(self.tag), reset_less=True)
        reference = Signal.like(self.reference, reset_less=True)
        with m.If(loaded):
            m.d.sync += [
                moving.eq(~self.sum[padding - DIGIT :].any()),
                digit.eq(first_digit),
                tag.eq(Value.cast(self.tag)),
                reference.eq(self.reference),
            ]
        with m.Elif(moving):
            m.d.sync += [moving.eq(~total[-2 * DIGIT : -DIGIT].any()), digit.eq(digit + 1)]

        wanted = widths.divisor_width + DIGIT - 1
        missing = max(0, wanted - len(total))
        noted = Cat(Const(0, missing), total[max(0, len(total) - wanted) :])
        fine = Signal(range(DIGIT))
        m.d.comb += [
            fine.eq(Mux(noted[-1], 0, Mux(noted[-2], 1, Mux(noted[-3], 2, 3)))),
            self.o.valid.eq(delay(m, loaded, digits + 2, "loaded", reset=True)),
            Value.cast(self.o.payload.tag).eq(tag),
        ]
        m.d.sync += [
            self.o.payload.divisor.eq(noted.bit_select(~fine, widths.divisor_width)),
            # Positions count from a power of two down: their complement counts from 0 up.
            self.o.payload.exponent.eq(~Cat(fine, digit)[: _position_width(widths)] + _above(widths, reference)),
        ]
        return m


def _position_width(widths: Numerics) -> int:
    return max(2, (widths.accumulator_width - 1 - widths.accumulator_fraction).bit_length())


def _above(widths: Numerics, reference: Value) -> Value:
    return Const(0, 1) if widths.absolute else reference * widths.reference_step
