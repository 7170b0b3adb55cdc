r"""Tables of natural logarithms for log-softmax and cross-entropy, and their error.

The entries are equal on every machine.

The magnitude of a log-softmax is a = ln Σ exp(s·j) − s·i over positions i, j: one logarithm per vector and one subtraction
per element, without exponential and multiplication. The result has P fraction bits. With F = P + k − 2, all logarithms are
integers in units of 2^-H, H = F + 3:

* Y[i] = round(s·i), one entry per score position. Above `DIRECT_WIDTH` bits of score Y is the sum of two entries, one for
  the position's high part and one for its low part.
* The sum is 2^n·m with m in [1, 2). O[n] = round(n·ln 2), one entry per octave, plus half an ulp of the result.
* The first F fraction bits of m address T. The next bit b stands for half an entry's interval: L = O[n] + T[m] + 4·b. The
  slope of ln lies between 1/2 and 1 for m in [1, 2), so adding the whole half interval is no further off than adding
  nothing. T[m] is the integer nearest to the middle of the values that its interval needs.
* magnitude = max(0, floor((L − Y[i]) / 2^(k + 1))). The half ulp in O makes the floor a rounding half up. No log-softmax
  exceeds 0, so the maximum with 0 removes an error of the other sign.

**Error.** L − Y differs from the exact a of the *computed* sum by e in [low, high], measured over every entry. The limits
add the errors of O, T and Y, each over all arguments that lead to its entry. For T these are all real m, so the bits of m
below b cost nothing more. The computed sum is off by a factor in [(1 − t)(1 − ε), 1 + ε], which shifts a by its logarithm;
`bound` derives ε, the relative error of an exponential, and t, the truncation of a running reference. With one rounding

    |code − a·2^P| <= 1/2 + max |e + ln factor · 2^H| / 2^(k + 1)

The maximum with 0 only brings a code nearer to the exact value. In units of 2^-H the tables cost at most 2 + 1/2 (T), 1/2 (O)
and 1/2 (Y), or 1 where Y is split. Where s·2^H is an integer, Y is exact.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np

from softstream.hw.config.limits import DIRECT_WIDTH
from softstream.hw.formats import QFormat

__all__ = ["ENTRY_GUARD", "LnTables", "ln_tables", "magnitude_format", "signed_format", "significand_logarithms"]

_CONTEXT = Context(prec=40, Emin=-(10**9), Emax=10**9)
_LN2 = _CONTEXT.ln(Decimal(2))
_SLACK = Decimal(1).scaleb(-24)
"""Allowance for the rounding of the decimal arithmetic below: far above it, and far below a bound's last printed digit."""

ENTRY_GUARD = 2
"""Fraction bits of an entry below the weight of the bit b of m."""


def _round(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def _rounded_entries(exact: list[Decimal]) -> tuple[list[int], Decimal, Decimal]:
    """Values rounded to integers, and the least and the largest rounding error."""
    entries = [_round(value) for value in exact]
    errors = [entry - value for entry, value in zip(entries, exact, strict=True)]
    return entries, min(errors), max(errors)


@dataclass(frozen=True, eq=False)
class LnTables:
    """The tables of one (score width, scale, octaves, P, k), and their largest errors."""

    fraction: int
    """F: address bits of the table of logarithms."""
    guard_bits: int
    """k."""
    low_width: int
    """Bits of the position that address the second table of positions; 0 for a single table."""
    position_high: np.ndarray
    """Y of each high part in units of 2^-H, int64."""
    position_low: np.ndarray
    """Y of each low part in units of 2^-H, int64; empty for a single table."""
    octave: np.ndarray
    """O[n] + half an ulp in units of 2^-H, int64."""
    logarithm: np.ndarray
    """T[m] in units of 2^-H, int64 [2^F]."""
    low: Decimal
    """Least error of a magnitude before its rounding, against the exact one of the computed sum, in units of 2^-H."""
    high: Decimal
    """Largest error of a magnitude in the same sense and units."""

    @property
    def working_fraction(self) -> int:
        """H: fraction bits of all logarithms."""
        return self.fraction + 1 + ENTRY_GUARD

    @property
    def shift(self) -> int:
        """k + 1: bits that the rounding removes."""
        return self.guard_bits + 1

    @property
    def position_shift(self) -> int | None:
        """The exponent e where Y[i] = i·2^e, so that no table is needed; otherwise None."""
        step = int(self.position_high[1]) if not self.low_width else int(self.position_low[1])
        if step < 1 or step & (step - 1):
            return None
        exact = np.arange(1 << self._position_bits) * step
        return step.bit_length() - 1 if np.array_equal(self.positions(np.arange(len(exact))), exact) else None

    @property
    def _position_bits(self) -> int:
        return (len(self.position_high) - 1).bit_length() + self.low_width

    @property
    def sum_bits(self) -> int:
        """Storage of the tables of octaves and of logarithms in bits."""
        return _bits(self.octave) + _bits(self.logarithm)

    @property
    def position_bits(self) -> int:
        """Storage of the tables of positions in bits."""
        return 0 if self.position_shift is not None else _bits(self.position_high) + _bits(self.position_low)

    def positions(self, position: np.ndarray) -> np.ndarray:
        """Y of score positions, in units of 2^-H."""
        high = self.position_high[position >> self.low_width]
        return high + self.position_low[position & ((1 << self.low_width) - 1)] if self.low_width else high

    def error(self, sum_low: Fraction, sum_high: Fraction) -> Fraction:
        """Largest |code − a·2^P| where the computed sum is off by a factor in [sum_low, sum_high]."""
        unit = Decimal(1 << self.working_fraction)
        below, above = (
            _CONTEXT.multiply(_CONTEXT.ln(_CONTEXT.divide(Decimal(x.numerator), Decimal(x.denominator))), unit)
            for x in (sum_low, sum_high)
        )
        worst = max(-(self.low + below), self.high + above) + _SLACK
        return Fraction(1, 2) + Fraction(worst) / (1 << self.shift)


def _bits(entries: np.ndarray) -> int:
    return len(entries) * max(1, int(entries.max()).bit_length()) if len(entries) else 0


def significand_logarithms(fraction: int, unit: Decimal) -> tuple[list[int], Decimal, Decimal]:
    """(T[m] in steps of 1/unit of a natural logarithm, least and largest error of T[m] + 4·b), m of `fraction` address bits.

    A `unit` of 2^H / ln 2 gives the logarithms to base 2 in units of 2^-H.
    """
    steps = 2 << fraction  # half intervals of the table of logarithms
    edges = [_CONTEXT.multiply(_CONTEXT.ln(Decimal(steps + i) / steps), unit) for i in range(steps + 1)]
    half = 1 << ENTRY_GUARD
    logarithm, low, high = [], Decimal(0), Decimal(0)
    for start in range(0, steps, 2):
        # The upper half adds b, so the entry serves the lower half and the entry + half serves the upper one.
        least, largest = min(edges[start], edges[start + 1] - half), max(edges[start + 1], edges[start + 2] - half)
        entry = _round((least + largest) / 2)
        logarithm.append(entry)
        low, high = min(low, entry - largest), max(high, entry - least)
    return logarithm, low, high


@lru_cache(maxsize=64)
def ln_tables(score_width: int, score_scale: float, octaves: int, probability_width: int, guard_bits: int) -> LnTables:
    """Tables for scores of `score_width` bits with steps of `score_scale` nats, and sums below 2^octaves.

    P is `probability_width`, the fraction bits of a result; k is `guard_bits`.
    """
    fraction = probability_width + guard_bits - 2
    unit = Decimal(1 << (fraction + 1 + ENTRY_GUARD))
    step = _CONTEXT.multiply(Decimal(score_scale), unit)
    low_width = max(0, score_width - DIRECT_WIDTH)
    position_high, least_high, largest_high = _rounded_entries(
        [_CONTEXT.multiply(step, Decimal(i)) for i in range(0, 1 << score_width, 1 << low_width)]
    )
    position_low: list[int] = []
    least_low = largest_low = Decimal(0)
    if low_width:
        position_low, least_low, largest_low = _rounded_entries(
            [_CONTEXT.multiply(step, Decimal(i)) for i in range(1 << low_width)]
        )
    octave, least_octave, largest_octave = _rounded_entries(
        [_CONTEXT.multiply(_CONTEXT.multiply(_LN2, Decimal(n)), unit) for n in range(octaves)]
    )

    logarithm, low, high = significand_logarithms(fraction, unit)
    return LnTables(
        fraction=fraction,
        guard_bits=guard_bits,
        low_width=low_width,
        position_high=np.array(position_high, dtype=np.int64),
        position_low=np.array(position_low, dtype=np.int64),
        octave=np.array(octave, dtype=np.int64) + (1 << guard_bits),
        logarithm=np.array(logarithm, dtype=np.int64),
        low=low + least_octave - largest_high - largest_low,
        high=high + largest_octave - least_high - least_low,
    )


def _largest_magnitude(score_width: int, score_scale: float, max_length: int, probability_width: int) -> int:
    """The code of the largest magnitude: s·(2^W − 1) + ln N nats, and an error below 1 ulp."""
    spread = _CONTEXT.multiply(Decimal(score_scale), Decimal((1 << score_width) - 1))
    exact = _CONTEXT.add(spread, _CONTEXT.ln(Decimal(max_length)))
    code = _CONTEXT.multiply(exact, Decimal(1 << probability_width)) + 1 + _SLACK
    return int(code.to_integral_value(ROUND_CEILING))


def magnitude_format(score_width: int, score_scale: float, max_length: int, probability_width: int) -> QFormat:
    """UQm.P with the fewest integer bits that hold every magnitude: s·(2^W − 1) + ln N nats and the error."""
    largest = _largest_magnitude(score_width, score_scale, max_length, probability_width)
    return QFormat(max(0, largest.bit_length() - probability_width), probability_width)


def signed_format(score_width: int, score_scale: float, max_length: int, probability_width: int) -> QFormat:
    """Qm.P, its sign included, with the fewest integer bits that hold every negative magnitude."""
    largest = _largest_magnitude(score_width, score_scale, max_length, probability_width)
    return QFormat(max(1, (largest - 1).bit_length() + 1 - probability_width), probability_width, signed=True)
