r"""Numerators in steps of 1/L: the exponentials of a vector's elements, scaled by λ = L/2^P in their tables.

A probability code in steps of 1/L is L·p = 2^P·λ·ŵ_i/Σŵ_j. Only the numerator is scaled, and the sum keeps its own table, so the
division, the shift and the rounding stay those of P fraction bits. The scaled table replaces the one that each element is looked
up in a second time, so steps of 1/L cost neither logic nor a cycle but the addition of s below.

* λ·2^s lies in [1, 2), s = 1 for 2^(P−1) <= L < 2^P, so every scaled significand has its leading one. n, the exponent of the
  sum, grows by the same s.
* A direct table holds (E', M') with 2^E'·M' = λ·2^s·2^E·M·(1 + δ), M' correctly rounded, from the M of the sum, not from the
  exact exponential. So an element's own error cancels in numerator and sum as before, and δ is all that is added.
* A split table has its high factor scaled. δ is measured over every position, as the error of the exponential is.

E' − s <= E, because λ < 1: so no numerator exceeds the sum, and the shift by n + s − E' is never negative.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from softstream.hw.numbers.exponential import SPLIT_ROUNDING, ExponentialTables

__all__ = ["Numerators", "numerators"]


@dataclass(frozen=True, eq=False)
class Numerators:
    """The scaled tables of one (tables, L, P)."""

    tables: ExponentialTables
    octaves: int
    """s."""
    error: Fraction
    """The largest |δ| over all positions."""


def numerators(tables: ExponentialTables, levels: int, probability_width: int) -> Numerators:
    """The tables whose exponentials are those of `tables` times λ·2^s, λ = levels / 2^P < 1."""
    octaves = probability_width - (levels.bit_length() - 1)
    assert octaves >= 1
    numerator, down = levels << octaves, probability_width  # λ·2^s = numerator / 2^down, in [1, 2)
    fraction = tables.work_fraction if tables.low_width else tables.fraction
    rounding = SPLIT_ROUNDING if tables.low_width else 0
    entries = []
    for exponent, significand in tables.high:
        product = (significand - rounding) * numerator
        carry = product >> (down + fraction + 1)
        scaled = (product + (1 << (down + carry - 1))) >> (down + carry)
        if scaled == 2 << fraction:
            carry, scaled = carry + 1, 1 << fraction
        # As in the tables of the sum, a high factor that would reach 2 with its rounding saturates.
        entries.append((exponent + carry, min(scaled + rounding, (2 << fraction) - 1)))
    scaled_tables = replace(tables, high=tuple(entries))
    assert np.all(scaled_tables.all_positions[0] - octaves <= tables.all_positions[0])
    return Numerators(scaled_tables, octaves, _largest_error(tables, scaled_tables, numerator, down))


def _largest_error(tables: ExponentialTables, scaled: ExponentialTables, numerator: int, down: int) -> Fraction:
    """max |2^E'·M' / (λ·2^s·2^E·M) − 1| over every position, rounded up to a multiple of 2^-60."""
    worst = 0
    pairs = {
        (after - before, int(one), int(other))
        for before, one, after, other in zip(*tables.all_positions, *scaled.all_positions, strict=True)
    }
    for octaves, significand, scaled_significand in pairs:
        exact = significand * numerator
        difference = abs((scaled_significand << (int(octaves) + down)) - exact)
        worst = max(worst, (difference << 60) // exact)
    return Fraction(worst + 1, 1 << 60)
