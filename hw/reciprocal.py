"""Normaliser with a multiplier: one reciprocal per vector, one product per element."""

from typing import Any

from amaranth import Module, Signal, Value, unsigned
from amaranth.lib import data

from .division import SerialDivision
from .emission import emission
from .normaliser import FactorInterface, QuotientInterface
from .numerics import Numerics
from .streams import delay

__all__ = ["Emission", "Factor", "Quotient", "factor_width"]


def factor_width(widths: Numerics) -> int:
    """Bits of the reciprocal r."""
    return widths.reciprocal_width


class Factor(FactorInterface):
    """r = min(floor(2^(R+D) / m), 2^R − 1): 1/m in UQ0.R, one bit a cycle.

    The dividend 1.0 is the initial remainder 2^D, at most the divisor. Latency and interval R + 1 cycles.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        tag = data.StructLayout({"exponent": widths.sum_exponent_width, "tag": self._tag})
        m.submodules.division = division = SerialDivision(widths.divisor_width, widths.reciprocal_width, tag)
        m.d.comb += [
            division.i.valid.eq(self.i.valid),
            division.i.payload.remainder.eq(1 << widths.divisor_fraction),
            division.i.payload.divisor.eq(self.i.payload.divisor),
            division.i.payload.tag.exponent.eq(self.i.payload.exponent),
            Value.cast(division.i.payload.tag.tag).eq(Value.cast(self.i.payload.tag)),
            self.o.valid.eq(division.o.valid),
            self.o.payload.exponent.eq(division.o.payload.tag.exponent),
            self.o.payload.factor.eq(division.o.payload.quotient),
            Value.cast(self.o.payload.tag).eq(Value.cast(division.o.payload.tag.tag)),
        ]
        return m


class Quotient(QuotientInterface):
    """quotient = floor(M·2^-B · r·2^-R · 2^(P+1)): one multiplication, registered before and after.

    Latency 2 cycles, one element per cycle. On a fabric with multiplier blocks the registers are theirs.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        significand = delay(m, self.i.payload.significand, 1, "significand")
        factor = delay(m, self.i.payload.factor, 1, "factor")
        product = Signal(unsigned(widths.significand_width + widths.reciprocal_width), reset_less=True)
        m.d.sync += product.eq(significand * factor)
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, 2, "valid", reset=True)),
            Value.cast(self.o.payload.tag).eq(delay(m, Value.cast(self.i.payload.tag), 2, "tag")),
            self.o.payload.quotient.eq(
                product[widths.significand_fraction + widths.reciprocal_width - widths.probability_width - 1 :]
            ),
        ]
        return m


Emission = emission(Quotient, factor_width)
