r"""Tables of the logarithmic normaliser, equal on every machine, and the error of every entry.

A probability is a difference of logarithms, p_i = 2^-(L − y_i) with L = log2 Σ2^(y_j) and y_i = β·i, so the normaliser needs
no multiplier and no divider. All logarithms are in units of 2^-G, with F = P + k − 2 and G = F + 1 fraction bits:

* Y[i] = round(β·i), one entry per score position.
* The sum is 2^n·m with m in [1, 2). The first F fraction bits of m address T, and the next bit b is added to the entry:
  L = n + T[m] + b. Adding b replaces one address bit, because the slope of log2 lies between 0.72 and 1.44. T[m] is the
  integer nearest to the middle of the values that its interval needs.
* z = L − Y[i] − 2^-G = zi + f: the hardware adds the complement of Y, with b as its carry. The address is {1, f} >> (zi + 1),
  truncated to F + 1 bits. It holds fewer bits of f for a smaller probability, in proportion, so one table of 2^(F+1)
  entries serves every octave. From zi = F + 1 on the address is 0.
* The entry of an address is the code nearest to the middle of the probabilities that lead to this address.

A negative z would wrap round. So the exponentials in the sum are those of y + offset, where the offset just exceeds the
largest negative error. The table of probabilities takes the offset into account.

(A single logarithm conversion and an antilogarithm in place of a divider: J. N. Mitchell, "Computer multiplication and
division using binary logarithms", IRE Trans. EC-11, 1962; this module has tables instead of straight lines. The address with
a leading one has the form of a floating-point number.)
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from softstream.hw.numbers.exponential import scale_in_octaves

__all__ = ["LogTables", "log_tables"]

_CONTEXT = Context(prec=32, Emin=-(10**9), Emax=10**9)
_LN2 = _CONTEXT.ln(Decimal(2))
_SLACK = Decimal(1).scaleb(-24)
"""Allowance for the rounding of the decimal arithmetic below: far above it, and far below a bound's last printed digit."""


def _log2(value: Decimal) -> Decimal:
    return _CONTEXT.divide(_CONTEXT.ln(value), _LN2)


def _exp2(value: Decimal) -> Decimal:
    return _CONTEXT.exp(_CONTEXT.multiply(value, _LN2))


def _round(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))


@dataclass(frozen=True, eq=False)
class LogTables:
    """The three tables of one (score width, scale, P, k), and their largest errors."""

    levels: int
    """Steps of a probability code from 0 to 1.0: 2^P, or L."""
    fraction: int
    """F: address bits of the table of logarithms; the table of probabilities has one more."""
    position: np.ndarray
    """Y[i] in units of 2^-G, int64 [2^W]."""
    logarithm: np.ndarray
    """T[m] in units of 2^-G, below 2^G, int64 [2^F]."""
    low: Decimal
    """Least z − z* − offset in units of 2^-G, where z* is the exact difference of logarithms of the computed sum."""
    high: Decimal
    """Largest z − z* − offset in the same units."""
    epsilon: Decimal
    """The relative error of an exponential in the sum that the offset allows for."""
    offset: Fraction
    """Octaves added to the exponent of every exponential in the sum."""

    def clipped(self, low: int, high: int) -> "LogTables":
        """The same tables for scores clipped to the positions `low` to `high`."""
        return replace(self, position=self.position[np.clip(np.arange(len(self.position)), low, high)])

    @property
    def working_fraction(self) -> int:
        """G: fraction bits of all logarithms."""
        return self.fraction + 1

    @cached_property
    def antilogarithm(self) -> np.ndarray:
        """Probability codes by address, at most `levels`, int64 [2^(F+1)]."""
        one = self.levels
        limits = self._error_limits(1 - Fraction(self.epsilon), 1 + Fraction(self.epsilon))
        codes = [_round((least + largest) / 2 * one) for least, largest in _probability_ranges(self, *limits)]
        return np.minimum(np.array(codes, dtype=np.int64), one)

    def error(self, sum_low: Fraction, sum_high: Fraction) -> Fraction:
        """Largest |code − p·levels| over every address, before saturation; the computed sum is off by a factor in
        [sum_low, sum_high]."""
        one = self.levels
        ranges = _probability_ranges(self, *self._error_limits(sum_low, sum_high))
        codes = self.antilogarithm.tolist()
        worst = max(abs(code - p * one) for code, ends in zip(codes, ranges, strict=True) for p in ends)
        return Fraction(worst + _SLACK)

    def _error_limits(self, sum_low: Fraction, sum_high: Fraction) -> tuple[Decimal, Decimal]:
        """Least and largest z − z* − offset, z* of the exact sum.

        The computed sum is off by a factor in [sum_low, sum_high].
        """
        unit = 1 << self.working_fraction
        below, above = (
            _CONTEXT.multiply(_log2(Decimal(x.numerator) / Decimal(x.denominator)), Decimal(unit))
            for x in (sum_low, sum_high)
        )
        return self.low + below - _SLACK, self.high + above + _SLACK


@lru_cache(maxsize=8)
def _powers(unit: int) -> tuple[Decimal, ...]:
    """2^(−j/unit) for j from 0 to unit − 1."""
    return tuple(_exp2(Decimal(-j) / unit) for j in range(unit))


def _probability_ranges(tables: LogTables, low: Decimal, high: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Least and largest exact probability that lead to each address, with z − z* − offset in [low, high]."""
    fraction, unit = tables.fraction, 1 << tables.working_fraction
    offset = Decimal(tables.offset.numerator) / Decimal(tables.offset.denominator) * unit
    powers, halves = _powers(unit), [Decimal(1) / (1 << octave) for octave in range(fraction + 2)]
    # 2^−(z − offset − deviation) as a product, because exponentials of so many addresses would take seconds.
    least, largest = (_exp2((offset + deviation) / unit) for deviation in (low, high))

    def probability(z: int, factor: Decimal) -> Decimal:
        product = _CONTEXT.multiply(_CONTEXT.multiply(powers[z % unit], halves[z // unit]), factor)
        return min(Decimal(1), product)  # no probability exceeds 1

    ranges = [(Decimal(0), probability((fraction + 1) * unit, largest))]
    for address in range(1, 2 << fraction):
        octave = fraction - (address.bit_length() - 1)
        first = octave * unit + ((address - (1 << (fraction - octave))) << (octave + 1))
        last = first + (1 << (octave + 1)) - 1
        ranges.append((probability(last, least), probability(first, largest)))
    return ranges


@lru_cache(maxsize=64)
def log_tables(
    score_width: int, score_scale: float, probability_width: int, guard_bits: int, levels: int | None = None
) -> LogTables:
    """Tables for scores of `score_width` bits with steps of `score_scale` nats.

    P is `probability_width`, the fraction bits of a probability code; k is `guard_bits`. With `levels` = L the codes have steps
    of 1/L, and nothing but the last table changes.
    """
    fraction = probability_width + guard_bits - 2
    unit = 1 << (fraction + 1)
    beta = _CONTEXT.multiply(scale_in_octaves(score_scale), Decimal(unit))
    exact = [_CONTEXT.multiply(beta, Decimal(i)) for i in range(1 << score_width)]
    position = [_round(y) for y in exact]
    rounding = [y - e for y, e in zip(position, exact, strict=True)]

    steps = 2 << fraction  # half intervals of the table of logarithms
    edges = [_CONTEXT.multiply(_log2(Decimal(steps + i) / steps), Decimal(unit)) for i in range(steps + 1)]
    logarithm, low, high = [], Decimal(0), Decimal(0)
    for start in range(0, steps, 2):
        # The upper half adds b = 1, so the entry serves [start, start + 1] and the entry + 1 serves [start + 1, start + 2].
        least, largest = min(edges[start], edges[start + 1] - 1), max(edges[start + 1], edges[start + 2] - 1)
        entry = min(_round((least + largest) / 2), unit - 1)
        logarithm.append(entry)
        low, high = min(low, entry - largest), max(high, entry - least)
    low, high = low - max(rounding) - 1, high - min(rounding) - 1

    # M is correctly rounded to P + k − 1 fraction bits.
    epsilon = Decimal(2) ** -(probability_width + guard_bits)
    need = -low - _CONTEXT.multiply(_log2(1 - epsilon), Decimal(unit)) + _SLACK
    quarters = int((need * 4).to_integral_value(ROUND_CEILING))
    return LogTables(
        levels=levels or 1 << probability_width,
        fraction=fraction,
        position=np.array(position, dtype=np.int64),
        logarithm=np.array(logarithm, dtype=np.int64),
        low=low,
        high=high,
        epsilon=epsilon,
        offset=Fraction(quarters, 4 * unit),
    )
