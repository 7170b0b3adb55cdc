"""Golden model of `hw/options/mean_probabilities.py`: sums of the members' guarded codes, over M, and the winner of the sums."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import result_lengths
from softstream.sim.golden.options.member_sum import member_sum
from softstream.sim.golden.stages.frame import Block
from softstream.sim.golden.stages.maximum import maximum

__all__ = ["mean_probabilities"]


def mean_probabilities(
    config: Config, inner: Config, block: Block, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Guarded codes of the mean, [V / M, N], 0 beyond each length; index of the largest sum, and that sum, [V / M]."""
    sums = member_sum(arrays["probabilities"], block.lengths, config.ensemble)
    valid = np.arange(sums.shape[1]) < result_lengths(config, block.lengths)[:, None]
    index, largest = maximum(sums, valid, last_wins=config.last_wins)
    return {"argmax": index, "best_sum": largest, "probabilities": sums // config.ensemble}
