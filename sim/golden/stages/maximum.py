"""Golden model of `hw/stages/maximum.py`: the largest score of each vector and its first index."""

import numpy as np

__all__ = ["margin", "maximum"]


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


def margin(positions: np.ndarray, valid: np.ndarray, width: int) -> np.ndarray:
    """Distance [V] of the largest of positions [V, N] of `width` bits where valid from the largest one of the others.

    It is the largest code where one element is valid, and 0 where none is.
    """
    ranked = np.pad(np.where(valid, positions, -1), ((0, 0), (1, 0)), constant_values=-1)
    second, best = np.moveaxis(np.partition(ranked, -2, axis=1)[:, -2:], 1, 0)
    return np.where(second >= 0, best - second, np.where(best >= 0, (1 << width) - 1, 0))
