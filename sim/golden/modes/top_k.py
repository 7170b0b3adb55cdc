"""The Top-K head: the largest scores in order."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.insertion import insertion

__all__ = ["top_k"]


def top_k(config: Config, block: Block) -> dict[str, np.ndarray]:
    """Indices and score codes of each vector's K largest scores, or smallest ones, [V, K], 0 beyond the number of elements.

    A fully masked vector has index 0 and the score of position 0 as its first.
    """
    indices, positions = insertion(block.positions, block.taking_part, config.top_k, last_wins=config.last_wins)
    present = np.arange(config.top_k) < np.maximum(block.taking_part.sum(axis=1), 1)[:, None]
    return {"top_indices": indices, "top_scores": np.where(present, unframe(config, positions), 0), **block.flags}
