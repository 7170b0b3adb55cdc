"""The argmax head: the winner alone."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.maximum import maximum

__all__ = ["argmax"]


def argmax(config: Config, block: Block) -> dict[str, np.ndarray]:
    """Index of the winner, and its code, [V]; the flag of fully masked vectors where the head has a mask."""
    index, position = maximum(block.positions, block.taking_part, last_wins=config.last_wins)
    return {"argmax": index, "best": unframe(config, position), **block.flags}
