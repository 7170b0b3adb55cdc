"""The chords of 1/m: their error against exact fractions, and the properties that the hardware relies on."""

from fractions import Fraction

import numpy as np
import pytest

from softstream.hw.numbers.reciprocal import ADDRESS_WIDTH, GUARD, reciprocal_tables
from softstream.hw.numbers.softmax import CHORDS


@pytest.mark.parametrize("fraction", CHORDS)
def test_measured_error_is_that_of_the_worst_divisor(fraction: int) -> None:
    """Divisors at random and at both ends of random chords, over what each of them stands for."""
    tables = reciprocal_tables(fraction)
    rng = np.random.default_rng(fraction)
    chords = rng.integers(1 << ADDRESS_WIDTH, 2 << ADDRESS_WIDTH, 300) << tables.low_width
    ends = np.concatenate([chords, chords + (1 << tables.low_width) - 1, [1 << fraction, (2 << fraction) - 1]])
    divisors = np.concatenate([ends, rng.integers(1 << fraction, 2 << fraction, 500)])
    one = Fraction(1 << fraction)
    for m, r in zip(divisors.tolist(), tables.reciprocal(divisors).tolist(), strict=True):
        assert 1 - tables.below <= r / one * (m / one) <= r / one * ((m + 1) / one) <= 1 + tables.above
    # Half a unit of m either way, half a unit of r, which is a whole one of the smallest, and little for the chord.
    assert max(tables.above, tables.below) < Fraction(7, 4) / one


@pytest.mark.parametrize("fraction", CHORDS)
def test_every_reciprocal_has_its_leading_one_in_place(fraction: int) -> None:
    tables = reciprocal_tables(fraction)
    reciprocals = tables.reciprocal(np.arange(1 << fraction, 2 << fraction))
    assert reciprocals.min() >= 1 << (fraction - 1)
    assert reciprocals.max() < 1 << fraction
    assert tables.start.min() >= 1 << (fraction + GUARD - 1)
    assert tables.start.max() < 1 << (fraction + GUARD)
    assert tables.bits == len(tables.start) * (fraction + GUARD - 1 + tables.slope_width)
