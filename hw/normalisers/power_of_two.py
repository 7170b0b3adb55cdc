"""The normaliser without a division: exponentials over the power of two above the sum."""

from typing import Any

from amaranth import Module, Value

from softstream.hw.normalisers.emission import emission
from softstream.hw.normalisers.interface import PassFactor, QuotientInterface
from softstream.hw.numbers.softmax import Numerics

__all__ = ["Emission", "Factor", "Quotient", "factor_width"]

Factor = PassFactor


def factor_width(widths: Numerics) -> int:
    """No bits: n alone determines the power of two."""
    return 0


class Quotient(QuotientInterface):
    """quotient = floor(M/2 · 2^(P+1)), so that each element becomes w_i / 2^(n+1), with 2^n <= Σw < 2^(n+1).

    The results are the probabilities times a factor in [1/2, 1) that is common to the vector. Ratios and order are exact,
    and the user divides by the sum of the results where needed. Latency 0, one element per cycle, no back-pressure.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            Value.cast(self.o.payload.tag).eq(Value.cast(self.i.payload.tag)),
            self.o.payload.quotient.eq(
                self.i.payload.significand[widths.significand_fraction - widths.probability_width :]
            ),
        ]
        return m


Emission = emission(Quotient, factor_width)
