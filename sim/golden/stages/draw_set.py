"""Golden model of `hw/stages/draw_set.py`: the elements of an ordered list that a draw is among."""

from collections.abc import Mapping

import numpy as np

from softstream.hw.numbers.ranked_draw import RankedDraw

__all__ = ["bounds_of", "draw_set"]


def bounds_of(
    numbers: RankedDraw, sideband: Mapping[str, np.ndarray]
) -> tuple[np.ndarray | int, np.ndarray | int | None, np.ndarray | int | None]:
    """(K, share, distance), each [V, 1] from the sideband of the vectors, or that of the configuration."""
    if not numbers.vector_bounds:
        return numbers.count, numbers.share, numbers.distance
    count, share, distance = (sideband[f"{name}s"][:, None] for name in ("draw_top_k", "draw_top_p", "draw_min_p"))
    return np.maximum(count, 1), share, distance


def draw_set(
    numbers: RankedDraw,
    positions: np.ndarray,
    present: np.ndarray,
    codes: np.ndarray | None,
    sideband: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """(which elements belong to the set [V, L], whether it reaches beyond the K-th [V]), bool, of ordered positions [V, L].

    `present` [V, L] tells which ranks have an element, `codes` [V, L] are their probability codes, and `sideband` holds the
    bounds of each vector where the configuration has none.
    """
    count, share, distance = bounds_of(numbers, sideband)
    ranks, belongs = np.arange(positions.shape[1]), present.copy()
    if distance is not None:
        belongs &= positions[:, :1] - positions <= distance
    if share is not None:
        assert codes is not None
        before = np.cumsum(codes, axis=1) - codes
        belongs &= (before < share) | (ranks == 0)
    truncated = np.any(belongs & (ranks >= count), axis=1)
    return belongs & (ranks < count), truncated
