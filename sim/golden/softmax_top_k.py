"""Golden model of `hw/softmax_top_k.py`: the probabilities of the K largest scores."""

import numpy as np

__all__ = ["softmax_top_k"]


def softmax_top_k(indices: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Codes [V, K]: of the softmax's codes [V, N] those at the indices [V, K] that `top_k` gives, 0 where there is none."""
    codes = np.take_along_axis(probabilities, np.maximum(indices, 0), axis=1)
    return np.where(indices < 0, 0, codes)
