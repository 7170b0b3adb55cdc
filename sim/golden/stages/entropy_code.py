"""Golden model of `hw/stages/entropy_code.py`: the entropy of a vector, from its two sums.

The weights, the table and the offset are in `hw/numbers/entropy.py`.
"""

import numpy as np

from softstream.hw.numbers.entropy import EntropyNumerics

__all__ = ["entropy_code", "mean_octaves"]


def mean_octaves(numbers: EntropyNumerics, divisor: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """β·μ in units of 2^-h: the weights b >> j of the bits q_j of floor(2^f·t/m), the highest first."""
    rest, mean = moment >> numbers.position_bits, np.zeros_like(moment)
    for step, weight in enumerate(numbers.weights):
        below = numbers.position_bits - 1 - step
        rest = (rest << 1) + ((moment >> below) & 1 if below >= 0 else 0)
        bit = rest >= divisor
        rest = rest - divisor * bit
        mean += weight * bit
    return mean


def entropy_code(numbers: EntropyNumerics, exponent: np.ndarray, divisor: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """max(0, floor((log2 S + c − β·μ) / 2^(h − P))), the sum being 2^n·m and t the moment in the units of m."""
    cut = divisor >> (numbers.widths.divisor_fraction - numbers.fraction - 1)
    worth = numbers.logarithm_fraction - numbers.fraction - 1
    entry = numbers.logarithm[(cut >> 1) - (1 << numbers.fraction)] + ((cut & 1) << worth)
    logarithm = (exponent << numbers.logarithm_fraction) + entry
    total = (logarithm << (numbers.working_fraction - numbers.logarithm_fraction)) + numbers.offset
    return np.maximum(0, (total - mean_octaves(numbers, divisor, moment)) >> numbers.shift)
