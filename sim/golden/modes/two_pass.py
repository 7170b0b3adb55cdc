"""Golden model of `hw/modes/two_pass.py`: the sum relative to the maximum, and each exponential divided by it."""

import numpy as np

from softstream.hw.numbers.two_pass import Differences
from softstream.sim.golden.stages.maximum import maximum

__all__ = ["two_pass"]


def two_pass(table: Differences, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Probability codes of positions [V, N] where valid, 0 elsewhere: min(floor(2^P·(e >> c)/(S >> c) + 1/2), code of 1.0)."""
    _, largest = maximum(positions, valid)
    exponential = table.exponential[np.where(valid, largest[:, None] - positions, 0)] * valid
    # No result of a fully masked vector depends on the sum; 1 stands for it.
    divisor = np.maximum(exponential.sum(axis=1) >> table.dropped, 1)
    quotient = ((exponential >> table.dropped) << (table.probability_width + 1)) // divisor[:, None]
    return np.minimum((quotient + 1) >> 1, table.probability_maximum)
