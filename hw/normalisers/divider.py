"""Normaliser without a multiplier: each element is divided by its vector's sum."""

from typing import Any

from amaranth import Module, Value

from softstream.hw.normalisers.division import division_of
from softstream.hw.normalisers.emission import emission
from softstream.hw.normalisers.interface import PassFactor, QuotientInterface
from softstream.hw.numbers.softmax import Numerics

__all__ = ["Emission", "Factor", "Quotient", "factor_width"]

Factor = PassFactor


def factor_width(widths: Numerics) -> int:
    """Bits of the divisor m."""
    return widths.divisor_width


class Quotient(QuotientInterface):
    """quotient = floor(M·2^-B / (m·2^-D) · 2^(P+1)), T = P + 2 bits.

    M < 2 <= 2m, so M as initial remainder is below the divisor (D = B + 1), and T steps give the integer bit and P + 1
    fraction bits. No back-pressure. Latency T cycles and one element per cycle; serial: T + 1 cycles, one element per T + 1.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        if widths.divisor_fraction != widths.significand_fraction + 1:
            raise ValueError("the significand must be the dividend's initial remainder: D = B + 1")
        m.submodules.division = division = division_of(
            widths.divisor_width, widths.quotient_width, self._tag, pipelined=not self._serial
        )
        m.d.comb += [
            division.i.valid.eq(self.i.valid),
            division.i.payload.remainder.eq(self.i.payload.significand),
            division.i.payload.divisor.eq(self.i.payload.factor),
            Value.cast(division.i.payload.tag).eq(Value.cast(self.i.payload.tag)),
            self.o.valid.eq(division.o.valid),
            Value.cast(self.o.payload).eq(Value.cast(division.o.payload)),
        ]
        return m


Emission = emission(Quotient, factor_width)
