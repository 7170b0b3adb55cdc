"""Golden model of `hw/stages/maximum.py`: the largest score of each vector and its first index."""

import numpy as np

__all__ = ["maximum"]


def maximum(positions: np.ndarray, valid: np.ndarray, *, last_wins: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(index [V], position [V]) of the maximum of positions [V, N] where valid; the first index wins a tie, or the last one.

    The index is 0 where nothing is valid.
    """
    # Whole arrays of elements are the commonest case, and a selection costs several times the search.
    ranked = positions if valid.all() else np.where(valid, positions, -1)
    index = ranked.argmax(axis=1)
    if last_wins:
        index = np.where(valid.any(axis=1), ranked.shape[1] - 1 - ranked[:, ::-1].argmax(axis=1), 0)
    return index, np.take_along_axis(positions, index[:, None], axis=1)[:, 0]
