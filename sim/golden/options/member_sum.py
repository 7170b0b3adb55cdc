"""Golden model of `hw/options/member_sum.py`: sums over the members of ensembles, and their flags."""

import numpy as np

__all__ = ["flags", "member_sum"]


def member_sum(values: np.ndarray, lengths: np.ndarray, members: int) -> np.ndarray:
    """Σ over each `members` rows of values [V, N] with lengths [V]: int64 [V / members, N].

    A value beyond its own row's length, or beyond that of its ensemble's first row, counts as 0.
    """
    first = np.repeat(lengths[::members], members)
    present = np.arange(values.shape[1]) < np.minimum(lengths, first)[:, None]
    return np.where(present, values, 0).reshape(-1, members, values.shape[1]).sum(axis=1)


def flags(lengths: np.ndarray, overlong: np.ndarray, members: int) -> dict[str, np.ndarray]:
    """Flags of the ensembles of vectors of these lengths [V], of which some were cut to it, bool [V / members].

    `overlong`: a member of the first one's length was cut. `uneven`: a member's length is not the first one's.
    """
    rows, cut = lengths.reshape(-1, members), overlong.reshape(-1, members)
    same = rows == rows[:, :1]
    return {"overlong": (cut & same).any(axis=1), "uneven": ~same.all(axis=1)}
