"""Golden model of `hw/stages/draw_set.py`: the elements of an ordered list that a draw is among."""

import numpy as np

from softstream.hw.numbers.ranked_draw import RankedDraw

__all__ = ["draw_set"]


def draw_set(
    numbers: RankedDraw, positions: np.ndarray, present: np.ndarray, codes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(which elements belong to the set [V, L], whether it reaches beyond the K-th [V]), bool, of ordered positions [V, L].

    `present` [V, L] tells which ranks have an element, `codes` [V, L] are their probability codes.
    """
    belongs = present.copy()
    if numbers.distance is not None:
        belongs &= positions[:, :1] - positions <= numbers.distance
    if numbers.share is not None:
        assert codes is not None
        before = np.cumsum(codes, axis=1) - codes
        belongs &= (before < numbers.share) | (np.arange(codes.shape[1]) == 0)
    truncated = belongs[:, numbers.count :].any(axis=1)
    return belongs & (np.arange(positions.shape[1]) < numbers.count), truncated
