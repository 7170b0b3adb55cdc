"""Golden model of `hw/stages/leading_one.py`: the sum as a power of two and a divisor in [1, 2)."""

import numpy as np

from softstream.hw.numbers.softmax import Numerics

__all__ = ["normalise"]


def normalise(widths: Numerics, reference: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n + s [V], m [V]): the sum is 2^n · m·2^-D, m an integer in [2^D, 2^(D+1)), bits below it cut off."""
    # frexp of a float64 could round a 62-bit sum up to the next power of two: find the leading one by halves.
    leading = np.zeros_like(total)
    rest = total.copy()
    for bits in (32, 16, 8, 4, 2, 1):
        above = rest >= 1 << bits
        leading += np.where(above, bits, 0)
        rest = np.where(above, rest >> bits, rest)
    down = np.maximum(leading - widths.divisor_fraction, 0)
    up = np.maximum(widths.divisor_fraction - leading, 0)
    exponent = widths.reference_step * reference + leading - widths.accumulator_fraction
    return exponent + widths.numerator_octaves, (total >> down) << up
