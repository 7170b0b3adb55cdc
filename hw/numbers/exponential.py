r"""The exponential's tables, equal on every machine, and their error, measured over every input.

The argument of the exponential is the score's position i = code − smallest code (`Settings.position`). So i runs from 0 to
2^W − 1, and the exponent E of 2^(βi) = 2^E·M is never negative. (A common factor of all exponentials cancels in softmax.)

* Up to `DIRECT_WIDTH` bits of score, one table holds (E, M) for each i, M correctly rounded.
* Above, the position is split, i = i_high·2^l + i_low, and 2^(βi) = 2^(β·i_high·2^l) · 2^(β·i_low). Each factor has a table.
  One multiplication, M = X·(1 + δ), interpolates between the entries of the first table. Because exp(a + b) = exp(a)·exp(b)
  holds exactly, the method adds only rounding errors. A coarse scale, whose low part spans octaves of its own, needs no
  special case. (Table-driven exponentials with a multiplicative correction: P. T. P. Tang, "Table-driven
  implementation of the exponential function in IEEE floating-point arithmetic", ACM TOMS 15(2), 1989, section 2.)

Decimal arithmetic of 50 digits computes the tables, not floating point, so every machine gets the same digits.
"""

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from softstream.hw.config.limits import BETA_LIMIT, DIRECT_WIDTH
from softstream.hw.numbers.wide import shifted_product

__all__ = ["ExponentialTables", "decay", "exponential_tables", "scale_in_octaves"]

SPLIT_GUARD = 3
"""Extra fraction bits of both factors and of their product, before the product is truncated to M."""

SPLIT_ROUNDING = 5
"""Units added to every X of a split table, so that the truncation of the product rounds.

A product below 2 loses `SPLIT_GUARD` bits, which asks for 4 units; a product from 2 on loses one more, which asks for 8. A value
between them keeps both errors close to half a step of M. So the hardware needs no adder behind the product.
"""

_CONTEXT = Context(prec=50, Emin=-(10**9), Emax=10**9)
_EXACT_BITS = 100


def scale_in_octaves(score_scale: float) -> Decimal:
    """β: octaves per score step, capped at `BETA_LIMIT`, to 50 digits."""
    log2e = _CONTEXT.divide(Decimal(1), _CONTEXT.ln(Decimal(2)))
    return min(_CONTEXT.multiply(Decimal(score_scale), log2e), Decimal(BETA_LIMIT))


def _exact(position: int, beta: Decimal, offset: Decimal = Decimal(0)) -> tuple[int, int]:
    """(E, X) with 2^(β·position + offset) = 2^E · X/2^100, X in [2^100, 2^101), to 45 decimal digits."""
    octaves = _CONTEXT.add(_CONTEXT.multiply(beta, Decimal(position)), offset)
    exponent = int(octaves)  # octaves >= 0: truncation is the floor
    natural = _CONTEXT.multiply(_CONTEXT.subtract(octaves, Decimal(exponent)), _CONTEXT.ln(Decimal(2)))
    significand = _CONTEXT.multiply(_CONTEXT.exp(natural), Decimal(1 << _EXACT_BITS))
    return exponent, int(significand)


@lru_cache(maxsize=64)
def decay(score_width: int, score_scale: float, fraction: int) -> tuple[int, ...]:
    """2^(−βd) in UQ1.`fraction` for d = 0 … 2^W − 1, truncated; each is known to about 30 decimal digits."""
    beta = scale_in_octaves(score_scale)
    exact = (_exact(difference, beta) for difference in range(1 << score_width))
    return tuple((1 << (fraction + _EXACT_BITS)) // (significand << exponent) for exponent, significand in exact)


def _round_shift(value: int, bits: int) -> int:
    """value / 2^bits, rounded to the nearest integer, halves up."""
    return (value + (1 << (bits - 1))) >> bits


@dataclass(frozen=True, eq=False)
class ExponentialTables:
    """Tables of one (score width, scale, significand fraction)."""

    score_width: int
    fraction: int
    """B, the fraction bits of M."""
    low_width: int
    """l: bits of the position that address the second table; 0 for the direct table."""
    high: tuple[tuple[int, int], ...]
    """(E, M) for each position in the direct table, else (E, X) for each high part, X in UQ1.(B + SPLIT_GUARD) plus
    `SPLIT_ROUNDING`."""
    low: tuple[tuple[int, int], ...]
    """(E, δ) for each low part, δ in UQ0.(B + SPLIT_GUARD); empty for the direct table."""
    error: Fraction
    """ε: the largest |2^E·M / 2^(βi) − 1| over all 2^W positions, each evaluated; rounded up."""

    @property
    def work_fraction(self) -> int:
        """Fraction bits of the factors of a split table."""
        return self.fraction + SPLIT_GUARD

    @property
    def delta_width(self) -> int:
        """Bits of the largest δ; the leading zeros common to all entries are neither stored nor multiplied."""
        return max(1, max((delta for _, delta in self.low), default=0).bit_length())

    @property
    def bits(self) -> int:
        """Storage in bits of the (E, M) tables."""
        high_exponent = max(1, max(e for e, _ in self.high).bit_length())
        width = self.fraction if not self.low else self.work_fraction
        total = len(self.high) * (high_exponent + width)
        if self.low:
            total += len(self.low) * (max(1, max(e for e, _ in self.low).bit_length()) + self.delta_width)
        return total

    def clipped(self, low: int, high: int) -> "ExponentialTables":
        """The direct table for scores clipped to the positions `low` to `high`."""
        assert not self.low_width
        return replace(self, high=tuple(self.high[min(max(i, low), high)] for i in range(len(self.high))))

    @cached_property
    def all_positions(self) -> tuple[np.ndarray, np.ndarray]:
        """E and M for every position 0 … 2^W − 1, bit for bit those of the hardware: two int64 arrays [2^W]."""
        high = np.array(self.high, dtype=np.int64)
        if not self.low:
            return high[:, 0], high[:, 1]
        low = np.array(self.low, dtype=np.int64)
        return split_product(self, high[:, None, :], low[None, :, :])

    @cached_property
    def exponent_maximum(self) -> int:
        """The largest E, which belongs to the largest score because 2^(βi) grows with i."""
        return int(self.all_positions[0].max())

    @property
    def monotone(self) -> bool:
        """Whether a larger score never has a smaller exponential, over the whole domain."""
        exponent, significand = self.all_positions
        rises = np.diff(exponent) > 0
        return bool(np.all(rises | ((np.diff(exponent) == 0) & (np.diff(significand) >= 0))))


def split_product(tables: ExponentialTables, high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E, M) from the two factors: X·(1 + δ), normalised to [1, 2) and truncated to B bits.

    F = B + SPLIT_GUARD, and every δ has z = F − delta_width leading zeros. The product is
    X + floor(floor(X / 2^z) · δ / 2^(F−z)), below 4. A product of 2 or more is halved, and E grows by one. X contains
    `SPLIT_ROUNDING`, so the truncation rounds.
    """
    zeros = tables.work_fraction - tables.delta_width
    factor, delta = high[..., 1], low[..., 1]
    width = tables.delta_width
    product = factor + shifted_product(factor >> zeros, delta, width, 2 * width + 1)
    carry = product >> (tables.work_fraction + 1)
    exponent = high[..., 0] + low[..., 0] + carry
    return exponent.reshape(-1), (product >> (SPLIT_GUARD + carry)).reshape(-1)


def _direct_entry(position: int, beta: Decimal, offset: Decimal, fraction: int) -> tuple[int, int]:
    exponent, exact = _exact(position, beta, offset)
    significand = _round_shift(exact, _EXACT_BITS - fraction)
    return (exponent + 1, 1 << fraction) if significand == 2 << fraction else (exponent, significand)


@lru_cache(maxsize=64)
def exponential_tables(
    score_width: int, score_scale: float, fraction: int, offset: Fraction = Fraction(0)
) -> ExponentialTables:
    """Tables for scores of `score_width` bits with steps of `score_scale` nats and M of `fraction` bits.

    An `offset` in octaves, a dyadic fraction, makes every exponential 2^(βi + offset).
    """
    beta = scale_in_octaves(score_scale)
    offset_octaves = Decimal(offset.numerator) / Decimal(offset.denominator)
    low_width = max(0, score_width - DIRECT_WIDTH)
    high_positions = range(0, 1 << score_width, 1 << low_width)
    exact_high = [_exact(position, beta, offset_octaves) for position in high_positions]
    if not low_width:
        high = tuple(_direct_entry(position, beta, offset_octaves, fraction) for position in high_positions)
        draft = ExponentialTables(score_width, fraction, 0, high, (), Fraction(0))
        exact_low = [(0, 1 << _EXACT_BITS)]
    else:
        work = fraction + SPLIT_GUARD
        exact_low = [_exact(position, beta) for position in range(1 << low_width)]
        # A factor that rounds to 2 or more saturates to the largest value below 2.
        high = tuple(
            (e, min(_round_shift(x, _EXACT_BITS - work) + SPLIT_ROUNDING, (2 << work) - 1)) for e, x in exact_high
        )
        low = tuple((e, min(_round_shift(x, _EXACT_BITS - work), (2 << work) - 1) - (1 << work)) for e, x in exact_low)
        draft = ExponentialTables(score_width, fraction, low_width, high, low, Fraction(0))
    error = _largest_error(draft, exact_high, exact_low)
    return ExponentialTables(score_width, fraction, low_width, draft.high, draft.low, error)


def _largest_error(
    tables: ExponentialTables, exact_high: list[tuple[int, int]], exact_low: list[tuple[int, int]]
) -> Fraction:
    """max |2^E·M / 2^(βi) − 1| over every position, rounded up to a multiple of 2^-60."""
    exponents, significands = (values.tolist() for values in tables.all_positions)
    worst = 0
    position = 0
    precision = 2 * _EXACT_BITS
    for high_exponent, high in exact_high:
        for low_exponent, low in exact_low:
            exact = high * low  # in units of 2^(high_exponent + low_exponent − 200)
            shift = exponents[position] - high_exponent - low_exponent + precision - tables.fraction
            difference = abs((significands[position] << shift) - exact)
            # Both factors of `exact` are below 2^101 in units of 2^-100, so 2^60·difference/exact keeps 60 bits.
            worst = max(worst, (difference << 60) // exact)
            position += 1
    return Fraction(worst + 1, 1 << 60)
