"""The error of the tables of exponentials, at every score code of direct and of split tables."""

import numpy as np
import pytest

from softstream.hw.numbers.exponential import exponential_tables


@pytest.mark.parametrize("fraction", [4, 11])
@pytest.mark.parametrize(("width", "scale"), [(2, 0.7), (8, 0.0625), (8, 3.0), (10, 0.011), (12, 0.5), (14, 2.0**-9)])
def test_the_measured_error_is_that_of_the_worst_score(width: int, scale: float, fraction: int) -> None:
    tables = exponential_tables(width, scale, fraction)
    exponents, significands = tables.all_positions
    assert len(exponents) == 1 << width
    assert np.all((significands >= 1 << fraction) & (significands < 2 << fraction))
    octaves = np.arange(1 << width).astype(np.longdouble) * np.longdouble(scale) / np.log(np.longdouble(2))
    # Relative to the octave of the exponent, so that nothing overflows.
    errors = np.abs(significands / np.longdouble(1 << fraction) / np.exp2(octaves - exponents) - 1)
    assert errors.max() <= float(tables.error) + 1e-15
    assert errors.max() >= float(tables.error) * (1 - 1e-9) - 1e-14
    assert tables.exponent_maximum == exponents.max() == exponents[-1]


def test_clipped_entries_are_those_of_the_limits() -> None:
    tables = exponential_tables(4, 0.3, 6)
    clipped = tables.clipped(3, 11)
    for before, after in zip(tables.all_positions, clipped.all_positions, strict=True):
        assert np.array_equal(after, before[np.clip(np.arange(16), 3, 11)])
