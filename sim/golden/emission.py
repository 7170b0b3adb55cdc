"""Golden model of `hw/emission.py`: a significand, its quotient, its place."""

from collections.abc import Callable

import numpy as np

from softstream.hw.numerics import Numerics

from .exponential import exponential
from .round import distance, round_quotient

__all__ = ["emission"]

_Emit = Callable[[Numerics, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def emission(quotient: Callable[[Numerics, np.ndarray, np.ndarray], np.ndarray]) -> _Emit:
    """emit(widths, n, factor, positions) -> probability codes: exponential, distance, quotient, rounding."""

    def emit(widths: Numerics, sum_exponent: np.ndarray, factor: np.ndarray, position: np.ndarray) -> np.ndarray:
        exponent, significand = exponential(widths, position)
        # Positions that do not occur may lie above the sum; nobody looks them up.
        shift = np.maximum(distance(widths, sum_exponent, exponent), 0)
        return round_quotient(widths, quotient(widths, significand, factor), shift)

    return emit
