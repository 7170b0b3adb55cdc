"""The hardmax head: 1.0 at the winner, 0 elsewhere."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.frame import Block
from softstream.sim.golden.stages.maximum import maximum

__all__ = ["hardmax"]


def hardmax(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The code of 1.0 at the index of each vector's winner, that of 0 elsewhere, [V, N]; 0 beyond each length."""
    index, _ = maximum(block.positions, block.taking_part, last_wins=config.last_wins)
    wins = block.taking_part & (np.arange(block.positions.shape[1]) == index[:, None])
    zero, one = config.probability_codes
    return {"one_hot": np.where(block.valid, np.where(wins, one, zero), 0), **block.flags}
