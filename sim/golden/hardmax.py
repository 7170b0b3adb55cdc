"""Golden model of `hw/hardmax.py`: 1.0 at the winner, 0 elsewhere."""

import numpy as np

from .maximum import maximum

__all__ = ["hardmax"]


def hardmax(positions: np.ndarray, valid: np.ndarray, one: int) -> np.ndarray:
    """Codes [V, N]: `one`, the code of 1.0, at the first index of each vector's largest position, 0 elsewhere."""
    index, _ = maximum(positions, valid)
    return np.where(np.arange(positions.shape[1]) == index[:, None], one, 0)
