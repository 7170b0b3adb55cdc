"""Golden model of `hw/stages/lane_merge.py`: the K largest of each vector from the sorted lists of its lanes."""

import numpy as np

__all__ = ["merged"]


def merged(indices: np.ndarray, positions: np.ndarray, held: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices [V, K], positions [V, K]) of the K largest entries of the sorted lists [V, L, k] of L lanes.

    `held` [V, L, k] marks the entries that exist. Each rank takes the largest of the lists' first entries, the lowest index among
    equal ones. Both are 0 beyond the number of entries. An index is that in the vector: index in the list · L + lane.
    """
    vectors, lanes, places = positions.shape
    whole = indices * lanes + np.arange(lanes)[:, None]
    row, heads = np.arange(vectors), np.zeros((vectors, lanes), dtype=np.int64)
    merged_lists = np.zeros((2, vectors, count), dtype=np.int64)
    for rank in range(count):
        head = (row[:, None], np.arange(lanes), np.minimum(heads, places - 1))
        present = held[head] & (heads < places)
        best = np.where(present, positions[head], -1)
        leads = best == best.max(axis=1, keepdims=True)
        lane = np.where(leads, whole[head], whole.max() + 1).argmin(axis=1)
        remains = present[row, lane]
        merged_lists[:, :, rank] = [np.where(remains, values[head][row, lane], 0) for values in (whole, positions)]
        heads[row, lane] += remains
    return merged_lists[0], merged_lists[1]
