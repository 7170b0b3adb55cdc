"""Golden model of `hw/stages/insertion.py`: the K largest of each vector, in order."""

import numpy as np

__all__ = ["insertion"]


def insertion(
    positions: np.ndarray, valid: np.ndarray, count: int, *, last_wins: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(indices [V, K], positions [V, K]) of the K largest positions [V, N] where valid, largest first, and the lower index
    first among equal ones, or with `last_wins` the higher one. Both are 0 beyond the min(K, N) elements of a vector.
    """
    length = positions.shape[1]
    width = (length - 1).bit_length()
    # A key is the position, then the index, upwards or downwards. No two are equal, so their order is that of the K largest.
    priority = np.arange(length) if last_wins else length - 1 - np.arange(length)
    keys = np.where(valid, positions << width, -1 << width) + priority
    largest = np.sort(
        np.partition(keys, length - count, axis=1)[:, length - count :] if count < length else keys, axis=1
    )
    best = largest[:, ::-1] >> width
    order = largest[:, ::-1] & ((1 << width) - 1)
    if not last_wins:
        order = length - 1 - order
    missing = ((0, 0), (0, count - order.shape[1]))
    return np.pad(np.where(best < 0, 0, order), missing), np.pad(np.maximum(best, 0), missing)
