"""Unsigned non-restoring division, one quotient bit a step: pipelined or serial, the same bits.

With |remainder| <= divisor, a step doubles the remainder and subtracts the divisor where it was not negative, else adds it;
the quotient bit tells whether the new remainder is not negative. The bits are those of restoring division, and each step
is one adder/subtractor without a multiplexer. (B. Parhami, "Computer Arithmetic", 2nd ed., section 13.4.)
"""

from typing import Any

from amaranth import Cat, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay

__all__ = ["PipelinedDivision", "SerialDivision", "dividend_layout", "division_of", "quotient_layout"]


def dividend_layout(divisor_width: int, tag: ShapeLike) -> data.StructLayout:
    """Initial remainder (at most the divisor), divisor, and a tag."""
    return data.StructLayout({"remainder": divisor_width, "divisor": divisor_width, "tag": tag})


def quotient_layout(quotient_width: int, tag: ShapeLike) -> data.StructLayout:
    """Quotient, and the tag."""
    return data.StructLayout({"quotient": quotient_width, "tag": tag})


def _step(remainder: Value, divisor: Value) -> Value:
    """2·remainder ∓ divisor, as wide as `remainder` (signed, one bit more than the divisor), and the quotient bit above.

    The carry is the quotient bit: it comes out where the new remainder is not negative. The doubled remainder's lowest bit is 0,
    so it takes the +1 of the two's complement subtraction: a single carry chain.
    """
    subtract = ~remainder[-1]
    return Cat(subtract, remainder[:-1]) + (divisor ^ subtract.replicate(len(remainder)))


class _Division(wiring.Component):
    """Base of the two dividers: their parameters and ports."""

    def __init__(self, divisor_width: int, quotient_width: int, tag: ShapeLike) -> None:
        self._divisor_width, self._quotient_width = divisor_width, quotient_width
        super().__init__(
            {
                "i": In(pulse(dividend_layout(divisor_width, tag))),
                "o": Out(pulse(quotient_layout(quotient_width, tag))),
            }
        )


class PipelinedDivision(_Division):
    """quotient = min(floor(2^T · remainder / divisor), 2^T − 1), T = quotient_width, for remainder <= divisor.

    Ports: `i`, remainder, divisor and tag; `o`, quotient and tag; no back-pressure. Latency T cycles, one division per
    cycle.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self._divisor_width
        remainder: Value = Cat(self.i.payload.remainder, 0)
        divisor: Value = self.i.payload.divisor
        bits: Value = Signal(0)
        for step in range(self._quotient_width):
            following = Signal(signed(width + 1), name=f"remainder_{step + 1}", reset_less=True)
            m.d.sync += following.eq(_step(remainder, Cat(divisor, 0))[: width + 1])
            divisor = delay(m, divisor, 1, f"divisor_{step}") if step < self._quotient_width - 1 else divisor
            bits = Cat(~following[-1], delay(m, bits, 1, f"bits_{step}"))
            remainder = following
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, self._quotient_width, "valid", reset=True)),
            Value.cast(self.o.payload.tag).eq(delay(m, Value.cast(self.i.payload.tag), self._quotient_width, "tag")),
            self.o.payload.quotient.eq(bits),
        ]
        return m


class SerialDivision(_Division):
    """The same quotient from one adder, one bit per cycle.

    Ports: `i`, remainder, divisor and tag; `o`, quotient and tag, which stay until the next; no back-pressure. Latency and
    interval T + 1 cycles; an earlier dividend overwrites the current one. `start` is the initial remainder where it is constant.
    """

    def __init__(self, divisor_width: int, quotient_width: int, tag: ShapeLike, *, start: int = 0) -> None:
        self._start = start
        super().__init__(divisor_width, quotient_width, tag)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Flip-flops of some fabrics can be set without a gate only where they also begin with 1.
        remainder = Signal(signed(self._divisor_width + 1), reset_less=True, init=self._start)
        divisor = Signal(self._divisor_width, reset_less=True)
        quotient = Signal(self._quotient_width, reset_less=True)
        tag = Signal.like(Value.cast(self.i.payload.tag), reset_less=True)
        step, busy = Signal(range(self._quotient_width + 1)), Signal()  # `busy`: step is not 0
        following = Signal(self._divisor_width + 2)
        m.d.comb += [
            self.o.payload.quotient.eq(quotient),
            Value.cast(self.o.payload.tag).eq(tag),
            following.eq(_step(remainder, Cat(divisor, 0))),
        ]
        m.d.sync += [self.o.valid.eq(busy & (step == 1)), busy.eq(self.i.valid | (busy & (step != 1)))]
        with m.If(self.i.valid):
            m.d.sync += [
                step.eq(self._quotient_width),
                divisor.eq(self.i.payload.divisor),
                tag.eq(Value.cast(self.i.payload.tag)),
            ]
        with m.Elif(busy):
            m.d.sync += [step.eq(step - 1), quotient.eq(Cat(following[-1], quotient))]
        # The remainder does not stay, because a multiplexer behind the adder would slow down each step.
        m.d.sync += remainder.eq(Mux(self.i.valid, self.i.payload.remainder, following[:-1]))
        return m


def division_of(
    divisor_width: int, quotient_width: int, tag: ShapeLike, *, pipelined: bool, start: int = 0
) -> PipelinedDivision | SerialDivision:
    """The divider of a schedule: one division per cycle where it is `pipelined`, else one adder for all steps.

    `start` is the initial remainder where it is constant.
    """
    if pipelined:
        return PipelinedDivision(divisor_width, quotient_width, tag)
    return SerialDivision(divisor_width, quotient_width, tag, start=start)
