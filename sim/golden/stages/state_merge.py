"""Golden model of `hw/stages/state_merge.py`: two states of a softmax in one."""

from typing import NamedTuple

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.state_merge import GUARD_BITS, state_merge

__all__ = ["State", "merge_states"]


class State(NamedTuple):
    """States of rows of elements, in arrays of one shape."""

    best: np.ndarray
    """Codes of the largest scores."""
    log_sums: np.ndarray
    """Codes of ln Σ e^(x − largest), UQm.P."""
    empty: np.ndarray
    """Whether there is no element: the flag `all_masked` of a head."""


def merge_states(config: Config, first: State, second: State, elements: int) -> State:
    """The states of both sets of elements together, bit for bit as the hardware merges them.

    `elements`: the most elements of a whole row, which decide the format of ln Σ; larger results saturate. Of equal scores the
    first state's is the larger. An empty state changes nothing. Raises `UserError` as `state_merge` does.
    """
    numbers = state_merge(config, elements)
    places = [np.asarray(config.position(np.asarray(state.best, dtype=np.int64))) for state in (first, second)]
    sums = [np.asarray(state.log_sums, dtype=np.int64) << GUARD_BITS for state in (first, second)]
    second_wins = places[1] > places[0]
    near = np.where(second_wins, sums[1], sums[0])
    far = np.where(second_wins, sums[0], sums[1]) - numbers.distance[np.abs(places[1] - places[0])]
    apart = np.abs(near - far)
    rise = np.where(
        apart < len(numbers.rise), numbers.rise[np.minimum(apart, len(numbers.rise) - 1)], 1 << (GUARD_BITS - 1)
    )
    merged = np.minimum((np.maximum(near, far) + rise) >> GUARD_BITS, numbers.format.maximum)
    absent = [np.asarray(state.empty, dtype=bool) for state in (first, second)]
    log_sums = np.where(absent[0], second.log_sums, np.where(absent[1], first.log_sums, merged))
    best = np.where(absent[0] | (~absent[1] & second_wins), second.best, first.best)
    return State(best, log_sums, absent[0] & absent[1])
