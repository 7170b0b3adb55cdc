"""Golden model of `hw/members.py`: sums over the members of ensembles."""

import numpy as np

__all__ = ["member_sum", "uneven_ensembles"]


def member_sum(values: np.ndarray, lengths: np.ndarray, members: int) -> np.ndarray:
    """Σ over each `members` rows of values [V, N] with lengths [V]: int64 [V / members, N].

    A value beyond its own row's length, or beyond that of its ensemble's first row, counts as 0.
    """
    first = np.repeat(lengths[::members], members)
    there = np.arange(values.shape[1]) < np.minimum(lengths, first)[:, None]
    return np.where(there, values, 0).reshape(-1, members, values.shape[1]).sum(axis=1)


def uneven_ensembles(lengths: np.ndarray, members: int) -> np.ndarray:
    """Whether not all members of each ensemble are of the same length, bool [V / members]."""
    rows = lengths.reshape(-1, members)
    return (rows != rows[:, :1]).any(axis=1)
