"""The argmax head: the winner alone."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.maximum import maximum

__all__ = ["argmax"]


def argmax(config: Config, block: Block) -> dict[str, np.ndarray]:
    """First index of the largest score, and that score's code, [V]; and whether all of a vector is masked, if it can be."""
    index, position = maximum(block.positions, block.taking_part)
    return {"argmax": index, "best": unframe(config, position), **block.flags}
