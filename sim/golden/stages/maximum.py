"""Golden model of `hw/stages/maximum.py`: the largest score of each vector and its first index."""

import numpy as np

__all__ = ["maximum"]


def maximum(positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(index [V], position [V]) of the maximum of positions [V, N] where valid; the first index wins a tie."""
    index = np.where(valid, positions, -1).argmax(axis=1)
    return index, np.take_along_axis(positions, index[:, None], axis=1)[:, 0]
