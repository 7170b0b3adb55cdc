"""What every normaliser has in common: the streams that it joins.

A normaliser is a module with `factor_width(widths)`, the bits that a vector hands to each of its elements; `Factor`, the
component that makes them from the divisor, once per vector; and `Quotient`, the component that turns an element's
significand and its vector's factor into a quotient in UQ1.(P+1). `head` chooses the module by the configuration's
`normaliser`; the golden model has a module of the same stem for each.
"""

from typing import Any

from amaranth import Module, ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .division import quotient_layout
from .normalise import divisor_layout
from .numerics import Numerics
from .streams import pulse

__all__ = ["FactorInterface", "PassFactor", "QuotientInterface", "element_layout", "factor_layout"]


def factor_layout(widths: Numerics, factor_width: int) -> data.StructLayout:
    """What a vector hands to its elements: n, the normaliser's factor, and the vector's flag."""
    return data.StructLayout({"exponent": widths.sum_exponent_width, "factor": factor_width, "overlong": 1})


def element_layout(widths: Numerics, factor_width: int, tag: ShapeLike) -> data.StructLayout:
    """One element before the quotient: M in UQ1.B, its vector's factor, and whatever travels along."""
    return data.StructLayout({"significand": widths.significand_width, "factor": factor_width, "tag": tag})


class FactorInterface(wiring.Component):
    """Once per vector: `i`, n and m; `o`, n and the factor; with back-pressure where `serial`."""

    def __init__(self, widths: Numerics, factor_width: int, *, serial: bool) -> None:
        self._widths = widths
        self._serial = serial
        kind = stream.Signature if serial else pulse
        super().__init__({"i": In(kind(divisor_layout(widths))), "o": Out(kind(factor_layout(widths, factor_width)))})


class PassFactor(FactorInterface):
    """factor = m, or nothing where the factor has no bits. Latency 0."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.payload.exponent.eq(self.i.payload.exponent),
            self.o.payload.factor.eq(self.i.payload.divisor),
            self.o.payload.overlong.eq(self.i.payload.overlong),
        ]
        if self._serial:
            m.d.comb += self.i.ready.eq(self.o.ready)
        return m


class QuotientInterface(wiring.Component):
    """Once per element: `i`, M, the factor and a tag; `o`, a quotient in UQ1.(P+1) and the tag; no back-pressure.

    A serial one takes elements no closer than the schedule's `quotient_interval`, which its user observes.
    """

    def __init__(self, widths: Numerics, factor_width: int, tag: ShapeLike, *, serial: bool) -> None:
        self._widths = widths
        self._tag = tag
        self._serial = serial
        super().__init__(
            {
                "i": In(pulse(element_layout(widths, factor_width, tag))),
                "o": Out(pulse(quotient_layout(widths.quotient_width, tag))),
            }
        )
