"""Golden model of `hw/normalisers/round.py`: the quotient shifted into place, rounded once, saturated."""

import numpy as np

from softstream.hw.numbers.softmax import Numerics

__all__ = ["distance", "round_quotient"]


def distance(widths: Numerics, sum_exponent: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """d = min(n − E, P + 2): how far the element lies below the sum; never negative, for no term exceeds the sum."""
    return np.minimum(sum_exponent - exponent, widths.distance_maximum)


def round_quotient(widths: Numerics, quotient: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """min(floor(quotient·2^-(d+1) + 1/2), code of 1.0)."""
    return np.minimum(((quotient >> distance) + 1) >> 1, widths.probability_maximum)
