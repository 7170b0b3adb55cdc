"""Golden model of `hw/normalisers/logarithm.py`: a difference of logarithms, and its antilogarithm, by tables.

The entries of the tables are in `hw/numbers/logarithm.py`.
"""

import numpy as np

from softstream.hw.numbers.softmax import Numerics

__all__ = ["emit", "factor"]


def factor(widths: Numerics, divisor: np.ndarray) -> np.ndarray:
    """log2 m in units of 2^-G: T at the first F fraction bits of m, plus the next one."""
    tables = widths.logarithms
    assert tables is not None
    cut = divisor >> (widths.divisor_fraction - tables.working_fraction)
    return tables.logarithm[(cut >> 1) - (1 << tables.fraction)] + (cut & 1)


def emit(widths: Numerics, sum_exponent: np.ndarray, factor: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Probability codes: the entry at {1, f} >> (zi + 1), where z = zi + f = n + log2 m − β·i − 2^-G."""
    tables = widths.logarithms
    assert tables is not None
    working = tables.working_fraction
    z = (sum_exponent << working) + factor - tables.position[position] - 1
    # A position above the maximum does not occur in a vector. `softmax` may evaluate it all the same; its z is negative.
    octave = np.clip(z >> working, 0, tables.fraction + 1)
    address = ((1 << working) | (z & ((1 << working) - 1))) >> (octave + 1)
    return widths.antilogarithm[address]
