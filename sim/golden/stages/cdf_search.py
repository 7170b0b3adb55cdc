"""Golden model of `hw/stages/cdf_search.py`: the first element with which the running sum exceeds the vector's threshold."""

import numpy as np

__all__ = ["search"]


def search(terms: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """min{i : terms[0] + … + terms[i] > threshold} for terms [V, N] and thresholds [V] below their sums; int64 [V]."""
    return np.argmax(np.cumsum(terms, axis=1) > threshold[:, None], axis=1)
