"""Golden model of `hw/normalisers/log_sum.py`: the natural logarithm of a vector's sum.

The entries of the tables are in `hw/numbers/natural_logarithm.py`.
"""

import numpy as np

from softstream.hw.numbers.log_softmax import LogNumerics
from softstream.sim.golden.stages.accumulate import sum_of_exponentials
from softstream.sim.golden.stages.leading_one import normalise

__all__ = ["log_sum", "vector_logarithm"]


def log_sum(numbers: LogNumerics, sum_exponent: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """L = ln(2^n·m) and half an ulp, in units of 2^-H: O at n, T at the first F fraction bits of m, and the bit below."""
    tables = numbers.tables
    cut = divisor >> (numbers.widths.divisor_fraction - tables.fraction - 1)
    worth = tables.working_fraction - tables.fraction - 1
    entry = tables.logarithm[(cut >> 1) - (1 << tables.fraction)]
    return tables.octave[sum_exponent] + entry + ((cut & 1) << worth)


def vector_logarithm(numbers: LogNumerics, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """L of the vectors [V, N]; int64 [V]; undefined for a vector without a valid element."""
    widths = numbers.widths
    reference, total = sum_of_exponentials(widths, positions, valid)
    # No result of a fully masked vector depends on the sum; 2^A, the least possible sum, stands for it.
    total = np.where(valid.any(axis=1), total, 1 << widths.accumulator_fraction)
    return log_sum(numbers, *normalise(widths, reference, total))
