"""Groups: a packet cut into vectors of given sizes, over and over.

With sizes s_0, s_1, … the first s_0 elements of a packet are a vector, the next s_1 another one, and so on; the first size
follows the last. The remaining elements at the end of a packet are a vector too, a short one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Grouping", "group_count"]


def _ends(sizes: Sequence[int], longest: int) -> np.ndarray:
    """Ends of groups up to that of element `longest` − 1, int64."""
    rounds = -(-longest // sum(sizes))
    ends = np.cumsum(np.tile(np.asarray(sizes, dtype=np.int64), rounds))
    return ends[: int(np.searchsorted(ends, longest)) + 1]


def group_count(sizes: Sequence[int], lengths: Any) -> Any:
    """Groups of packets of these lengths, [V]; the last of each may be a short one."""
    lengths = np.asarray(lengths)
    return np.searchsorted(_ends(sizes, int(lengths.max(initial=1))), lengths) + 1


class Grouping:
    """The groups of packets of lengths [V], one behind the other: R of them in all."""

    packet: np.ndarray
    """Packet of each group, [R]."""
    place: np.ndarray
    """Number of each group in its packet, [R]."""
    lengths: np.ndarray
    """Elements of each group, [R]."""
    complete: np.ndarray
    """Whether it has all elements of its size, [R]."""
    final: np.ndarray
    """Whether it is the last of its packet, [R]."""

    def __init__(self, sizes: Sequence[int], lengths: np.ndarray) -> None:
        counts = group_count(sizes, lengths)
        ends = _ends(sizes, int(np.max(lengths, initial=1)))
        self._shape = len(lengths), int(np.max(counts, initial=1))
        self.packet = np.repeat(np.arange(len(lengths)), counts)
        self.place = np.arange(len(self.packet)) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.concatenate([[0], ends[:-1]])[self.place]
        self.lengths = np.minimum(ends[self.place], np.asarray(lengths)[self.packet]) - starts
        self.complete = self.lengths == ends[self.place] - starts
        self.final = self.place == counts[self.packet] - 1
        self._columns = starts[:, None] + np.arange(int(np.max(self.lengths, initial=1)))
        self._inside = self._columns < (starts + self.lengths)[:, None]

    def _aligned(self, columns: int) -> bool:
        """Whether groups of one size fill packets of so many columns, so that both arrays have the same elements in order."""
        return self._columns.size == self._shape[0] * columns and bool(self._inside.all())

    def split(self, values: np.ndarray) -> np.ndarray:
        """Values of elements, [V, N], group by group, [R, S], 0 beyond each length."""
        if self._aligned(values.shape[1]):
            return values.reshape(self._columns.shape)
        columns = np.minimum(self._columns, values.shape[1] - 1) + self.packet[:, None] * values.shape[1]
        elements = values.ravel().take(columns)
        return elements if self._inside.all() else np.where(self._inside, elements, 0)

    def join(self, values: np.ndarray, columns: int) -> np.ndarray:
        """Values of elements, [R, S], packet by packet, [V, N], 0 beyond each length."""
        if self._aligned(columns):
            return values.reshape(self._shape[0], columns)
        whole = np.zeros((self._shape[0], columns), dtype=values.dtype)
        cells = self._columns + self.packet[:, None] * columns
        if self._inside.all():
            whole.ravel()[cells.ravel()] = values.ravel()
        else:
            whole.ravel()[cells[self._inside]] = values[self._inside]
        return whole

    def join_groups(self, values: np.ndarray) -> np.ndarray:
        """Values of groups, [R], packet by packet, [V, G], 0 beyond each packet's groups."""
        whole = np.zeros(self._shape, dtype=values.dtype)
        whole[self.packet, self.place] = values
        return whole

    def split_groups(self, values: np.ndarray) -> np.ndarray:
        """Values of groups, [V, G], one behind the other, [R]."""
        groups: np.ndarray = values[self.packet, self.place]
        return groups
