r"""Chords of 1/m, the table of the reciprocal normaliser for wide results, and its error, measured over every divisor.

A divisor m of D fraction bits stands for any value of [m, m + 2^-D). Its first `ADDRESS_WIDTH` fraction bits select a chord
of 1/x, and its low bits l are the place on the chord:

    r = (start − floor(slope·l / 2^w)) / 2^g

with w = D − `ADDRESS_WIDTH` and g = `GUARD` extra fraction bits, R = D fraction bits in r. A chord lies above the curve, so it
is lowered by half of the largest distance. It is evaluated at the middle of the interval that m stands for.
(Linear interpolation of a reciprocal from a table: J.-M. Muller, "Elementary Functions", 3rd ed., chapter on
table-based methods.)
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

__all__ = ["ADDRESS_WIDTH", "GUARD", "ReciprocalTables", "reciprocal_tables"]

ADDRESS_WIDTH = 10
"""Fraction bits of the divisor that choose a chord."""

GUARD = 3
"""Fraction bits of a chord beyond those of the reciprocal."""


@dataclass(frozen=True, eq=False)
class ReciprocalTables:
    """The chords of one divisor width, and their largest errors."""

    fraction: int
    """D, and R: fraction bits of the divisor and of its reciprocal."""
    start: np.ndarray
    """Value of each chord at its start in units of 2^-(R + GUARD), in [2^(R+GUARD−1), 2^(R+GUARD)), int64."""
    slope: np.ndarray
    """Fall of each chord from start to end, in the same units, int64."""
    above: Fraction
    """Largest r·x − 1 over every m and every x that it stands for."""
    below: Fraction
    """Largest 1 − r·x of the same."""

    @property
    def low_width(self) -> int:
        """w: bits of the divisor that are the place on the chord."""
        return self.fraction - ADDRESS_WIDTH

    @property
    def slope_width(self) -> int:
        """Bits of the steepest slope."""
        return int(self.slope.max()).bit_length()

    @property
    def bits(self) -> int:
        """Storage in bits; the leading one of every start is implied."""
        return len(self.start) * (self.fraction + GUARD - 1 + self.slope_width)

    def reciprocal(self, divisor: np.ndarray) -> np.ndarray:
        """r in [2^(R−1), 2^R) for divisors in [2^D, 2^(D+1)), int64."""
        address = (divisor >> self.low_width) - (1 << ADDRESS_WIDTH)
        low = divisor & ((1 << self.low_width) - 1)
        return (self.start[address] - (self.slope[address] * low >> self.low_width)) >> GUARD


@lru_cache(maxsize=16)
def reciprocal_tables(fraction: int) -> ReciprocalTables:
    """The chords for divisors of `fraction` bits, above `ADDRESS_WIDTH`; their error is that of every divisor."""
    width = fraction - ADDRESS_WIDTH
    unit = 1 << (fraction + GUARD)

    def curve(divisor: int) -> Fraction:
        return unit / (Fraction(2 * divisor + 1, 2 << fraction))

    start, slope = [], []
    for first in range(1 << fraction, 2 << fraction, 1 << width):
        at, half, end = curve(first), curve(first + (1 << width - 1)), curve(first + (1 << width))
        sag = (at + end) / 2 - half
        # Rounded once: half a unit of r is added here, and what the table has beyond is cut off behind.
        start.append(min(int(at - sag / 2 + (1 << GUARD - 1)), unit - 1))
        slope.append(round(at - end))
    draft = ReciprocalTables(fraction, np.array(start), np.array(slope), Fraction(0), Fraction(0))
    divisors = np.arange(1 << fraction, 2 << fraction)
    reciprocals = draft.reciprocal(divisors)
    assert reciprocals.min() >= 1 << (fraction - 1)
    assert reciprocals.max() < 1 << fraction
    one = 1 << 2 * fraction
    return ReciprocalTables(
        fraction,
        draft.start,
        draft.slope,
        Fraction(int((reciprocals * (divisors + 1)).max()) - one, one),
        Fraction(one - int((reciprocals * divisors).min()), one),
    )
