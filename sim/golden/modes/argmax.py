"""The argmax head: the winner alone."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.maximum import margin, maximum

__all__ = ["argmax"]


def argmax(config: Config, block: Block) -> dict[str, np.ndarray]:
    """Index of the winner, its code, and its margin where the head has one, [V]; with a mask the flag of fully masked vectors."""
    index, position = maximum(block.positions, block.taking_part, last_wins=config.last_wins)
    arrays = {"argmax": index, "best": unframe(config, position), **block.flags}
    if config.has_margin:
        arrays["margins"] = margin(block.positions, block.taking_part, config.score_width)
    return arrays
