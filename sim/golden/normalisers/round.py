"""Golden model of `hw/normalisers/round.py`: the quotient shifted into place, rounded once, saturated."""

import numpy as np

from softstream.hw.numbers.softmax import Numerics

__all__ = ["distance", "round_quotient"]


def distance(sum_exponent: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """d = n − E: octaves by which the element lies below the sum; never negative, because no term exceeds the sum."""
    return sum_exponent - exponent


def round_quotient(widths: Numerics, quotient: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """min(floor(quotient·2^-(d+1) + 1/2), code of 1.0)."""
    return np.minimum(((quotient >> distance) + 1) >> 1, widths.probability_maximum)
