"""Golden model of `hw/log_sum.py` and `hw/log_softmax.py`: the logarithm of the sum, less each element's score."""

import numpy as np

from softstream.hw.log_numerics import LogNumerics

from .accumulate import accumulate
from .exponential import exponential
from .normalise import normalise

__all__ = ["emit", "log_softmax", "log_sum", "magnitude", "vector_logarithm"]


def log_sum(numbers: LogNumerics, sum_exponent: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """L = ln(2^n·m) and half an ulp, in units of 2^-H: O at n, T at the first F fraction bits of m, and the bit below."""
    tables = numbers.tables
    cut = divisor >> (numbers.widths.divisor_fraction - tables.fraction - 1)
    worth = tables.working_fraction - tables.fraction - 1
    entry = tables.logarithm[(cut >> 1) - (1 << tables.fraction)]
    return tables.octave[sum_exponent] + entry + ((cut & 1) << worth)


def vector_logarithm(numbers: LogNumerics, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """L of the vectors [V, N]; int64 [V]."""
    widths = numbers.widths
    return log_sum(numbers, *normalise(widths, *accumulate(widths, *exponential(widths, positions), valid)))


def magnitude(numbers: LogNumerics, logarithm: np.ndarray, position: np.ndarray) -> np.ndarray:
    """min(max(0, floor((L − Y) / 2^(k + 1))), what the format holds)."""
    tables = numbers.tables
    return np.clip((logarithm - tables.positions(position)) >> tables.shift, 0, numbers.limit)


def emit(numbers: LogNumerics, logarithm: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Log-softmax codes, none above 0."""
    return -magnitude(numbers, logarithm, position)


def log_softmax(numbers: LogNumerics, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Log-softmax codes of positions [V, N] where valid, 0 elsewhere."""
    logarithm = vector_logarithm(numbers, positions, valid)
    return np.where(valid, emit(numbers, logarithm[:, None], positions), 0)
