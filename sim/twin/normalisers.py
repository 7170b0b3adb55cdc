"""The normalisers on tensors: n and m of a vector's sum, and positions, to probability codes."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from softstream.hw.numbers.reciprocal import ADDRESS_WIDTH, GUARD
from softstream.hw.numbers.softmax import Numerics
from softstream.sim.twin.stages import Exponential, lookup, shifted_product, table

__all__ = ["NORMALISERS", "quotient_of"]

quotient_of = partial(torch.div, rounding_mode="floor")
"""floor(dividend / divisor) of int64 tensors."""


class _Emission(nn.Module):
    """Codes by a quotient of significands: exponential, distance, quotient, rounding."""

    def __init__(self, widths: Numerics) -> None:
        super().__init__()
        self.widths = widths
        self.exponential = Exponential(widths.element_tables)

    def factor(self, divisor: Tensor) -> Tensor:
        """What all elements of a vector share, [V]."""
        return divisor

    def quotient(self, significand: Tensor, factor: Tensor) -> Tensor:
        """M/m in UQ1.(P+1), cut."""
        raise NotImplementedError

    def forward(self, sum_exponent: Tensor, divisor: Tensor, positions: Tensor) -> Tensor:
        """min(floor(quotient·2^-(d+1) + 1/2), code of 1.0), d = n − E, of positions [V, …] for n and m [V]."""
        exponent, significand = self.exponential(positions)
        # `Softmax` may evaluate positions that do not occur and lie above the sum; their codes are never looked up.
        distance = (sum_exponent[:, None] - exponent).clamp(min=0)
        quotient = self.quotient(significand, self.factor(divisor)[:, None])
        return (((quotient >> distance) + 1) >> 1).clamp(max=self.widths.probability_maximum)


class Divider(_Emission):
    """One division per element."""

    def quotient(self, significand: Tensor, factor: Tensor) -> Tensor:
        """floor(M·2^-B / (m·2^-D) · 2^(P+1))."""
        widths = self.widths
        shift = widths.probability_width + 1 + widths.divisor_fraction - widths.significand_fraction
        return quotient_of(significand << shift, factor)


class Reciprocal(_Emission):
    """One reciprocal per vector, from chords where the configuration has them, and one product per element."""

    def __init__(self, widths: Numerics) -> None:
        super().__init__(widths)
        if widths.reciprocals is not None:
            self.register_buffer("start", table(widths.reciprocals.start), persistent=False)
            self.register_buffer("slope", table(widths.reciprocals.slope), persistent=False)

    def factor(self, divisor: Tensor) -> Tensor:
        """1/m in UQ0.R."""
        widths = self.widths
        if widths.reciprocals is not None:
            low_width = widths.reciprocals.low_width
            address, low = (divisor >> low_width) - (1 << ADDRESS_WIDTH), divisor & ((1 << low_width) - 1)
            return (lookup(self.start, address) - (lookup(self.slope, address) * low >> low_width)) >> GUARD
        exponent = widths.reciprocal_width + widths.divisor_fraction
        first = min(exponent, 62)
        dividend = torch.full_like(divisor, 1 << first)
        quotient = quotient_of(dividend, divisor)
        rest, more = dividend - quotient * divisor, exponent - first
        exact = (quotient << more) + quotient_of(rest << more, divisor)
        return exact.clamp(max=(1 << widths.reciprocal_width) - 1)

    def quotient(self, significand: Tensor, factor: Tensor) -> Tensor:
        """floor(M·2^-B · r·2^-R · 2^(P+1))."""
        widths = self.widths
        shift = widths.significand_fraction + widths.reciprocal_width - widths.probability_width - 1
        return shifted_product(significand, factor, shift, widths.significand_width + widths.reciprocal_width)


class PowerOfTwo(_Emission):
    """Exponentials over a power of two."""

    def factor(self, divisor: Tensor) -> Tensor:
        """Zeros: the power of two is in n."""
        return torch.zeros_like(divisor)

    def quotient(self, significand: Tensor, factor: Tensor) -> Tensor:
        """floor(M/2 · 2^(P+1))."""
        return significand >> (self.widths.significand_fraction - self.widths.probability_width)


class Logarithm(nn.Module):
    """A difference of logarithms, and its antilogarithm, by tables."""

    def __init__(self, widths: Numerics) -> None:
        super().__init__()
        assert widths.logarithms is not None
        self.widths, self.tables = widths, widths.logarithms
        self.register_buffer("logarithm", table(widths.logarithms.logarithm), persistent=False)
        self.register_buffer("position", table(widths.logarithms.position), persistent=False)
        working = self.tables.working_fraction
        z = np.arange((self.tables.fraction + 2) << working)
        address = ((1 << working) | (z & ((1 << working) - 1))) >> ((z >> working) + 1)
        self.register_buffer("by_distance", table(widths.antilogarithm[address]), persistent=False)

    def forward(self, sum_exponent: Tensor, divisor: Tensor, positions: Tensor) -> Tensor:
        """The entry at {1, f} >> (zi + 1), where z = zi + f = n + log2 m − β·i − 2^-G; a table holds it by z."""
        tables, working = self.tables, self.tables.working_fraction
        cut = divisor >> (self.widths.divisor_fraction - working)
        logarithm = lookup(self.logarithm, (cut >> 1) - (1 << tables.fraction)) + (cut & 1)
        z = ((sum_exponent << working) + logarithm - 1)[:, None] - lookup(self.position, positions)
        # `Softmax` may evaluate positions that do not occur and lie above the sum; their codes are never looked up.
        return lookup(self.by_distance, z.clamp(0, len(self.by_distance) - 1))


NORMALISERS: dict[str, type[nn.Module]] = {
    "divider": Divider,
    "reciprocal": Reciprocal,
    "logarithm": Logarithm,
    "none": PowerOfTwo,
}
"""Value of the key `normaliser` → its module: (n [V], m [V], positions [V, N]) → codes [V, N]."""
