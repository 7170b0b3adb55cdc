"""Golden model of `hw/stages/insertion.py`: the K largest of each vector, in order."""

import numpy as np

__all__ = ["insertion"]


def insertion(
    positions: np.ndarray, valid: np.ndarray, count: int, *, last_wins: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(indices [V, K], positions [V, K]) of the K largest positions [V, N] where valid, largest first, and the lower index
    first among equal ones, or with `last_wins` the higher one. Both are 0 beyond the min(K, N) elements of a vector.
    """
    ranked = np.where(valid, positions, -1)
    if last_wins:
        order = ranked.shape[1] - 1 - np.argsort(-ranked[:, ::-1], axis=1, kind="stable")[:, :count]
    else:
        order = np.argsort(-ranked, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(ranked, order, axis=1)
    missing = ((0, 0), (0, count - order.shape[1]))
    return np.pad(np.where(best < 0, 0, order), missing), np.pad(np.maximum(best, 0), missing)
