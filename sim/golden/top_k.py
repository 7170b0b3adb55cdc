"""Golden model of `hw/top_k.py`: the K largest scores of each vector, in order."""

import numpy as np

__all__ = ["top_k"]


def top_k(positions: np.ndarray, valid: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices [V, K], positions [V, K]) of the K largest positions [V, N] where valid, largest first; of equal ones the
    first index comes first. Beyond a vector's min(K, N) elements the index is −1 and the position 0.
    """
    missing = max(0, count - positions.shape[1])
    ranked = np.where(valid, positions, -1)
    order = np.argsort(-ranked, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(ranked, order, axis=1)
    indices = np.pad(np.where(best < 0, -1, order), ((0, 0), (0, missing)), constant_values=-1)
    return indices, np.pad(np.maximum(best, 0), ((0, 0), (0, missing)))
