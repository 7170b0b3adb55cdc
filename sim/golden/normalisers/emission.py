"""Golden model of `hw/normalisers/emission.py`: the significand of an element, its quotient, and the final shift."""

from collections.abc import Callable

import numpy as np

from softstream.hw.numbers.softmax import Numerics
from softstream.sim.golden.normalisers.round import distance, round_quotient
from softstream.sim.golden.stages.exponential import exponential

__all__ = ["emission"]

_Emit = Callable[[Numerics, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def emission(quotient: Callable[[Numerics, np.ndarray, np.ndarray], np.ndarray]) -> _Emit:
    """emit(widths, n, factor, positions) -> probability codes: exponential, distance, quotient, rounding."""

    def emit(widths: Numerics, sum_exponent: np.ndarray, factor: np.ndarray, position: np.ndarray) -> np.ndarray:
        exponent, significand = exponential(widths, position, widths.element_tables)
        # `softmax` may evaluate positions that do not occur. They can lie above the sum; their codes are never looked up.
        shift = np.maximum(distance(sum_exponent, exponent), 0)
        return round_quotient(widths, quotient(widths, significand, factor), shift)

    return emit
