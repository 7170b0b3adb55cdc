"""Golden model of `hw/normalisers/power_of_two.py`: no divider stage, exponentials over a power of two."""

import numpy as np

from softstream.hw.numbers.softmax import Numerics
from softstream.sim.golden.normalisers.emission import emission

__all__ = ["emit", "factor", "quotient"]


def factor(widths: Numerics, divisor: np.ndarray) -> np.ndarray:
    """Zeros: the elements share no factor, because the power of two is in n."""
    return np.zeros_like(divisor)


def quotient(widths: Numerics, significand: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """floor(M/2 · 2^(P+1)): with the final shift by n − E, each element is w_i / 2^(n+1)."""
    return significand >> (widths.significand_fraction - widths.probability_width)


emit = emission(quotient)
