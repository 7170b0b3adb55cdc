"""Golden model of `hw/normalisers/divider.py`: one division per element."""

import numpy as np

from softstream.hw.numbers.softmax import Numerics
from softstream.sim.golden.normalisers.emission import emission

__all__ = ["emit", "factor", "quotient"]


def factor(widths: Numerics, divisor: np.ndarray) -> np.ndarray:
    """The factor that all elements of a vector share: the divisor m itself."""
    return divisor


def quotient(widths: Numerics, significand: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """floor(M·2^-B / (m·2^-D) · 2^(P+1)), in UQ1.(P+1)."""
    shift = widths.probability_width + 1 + widths.divisor_fraction - widths.significand_fraction
    return (significand << shift) // factor


emit = emission(quotient)
