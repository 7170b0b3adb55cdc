"""Golden model of `hw/stages/running_sum.py`: the exact sum of a vector's exponentials up to each element."""

import numpy as np

__all__ = ["running_sum"]


def running_sum(exponent: np.ndarray, significand: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Σ_(j<=i) 2^E·M over the valid elements, int64 [V, N]; elements that are not valid add 0."""
    return np.cumsum((significand << exponent) * valid, axis=1)
