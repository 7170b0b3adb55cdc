"""The Top-K head: the largest scores in order."""

import numpy as np

from softstream.hw.config import Config

from .frame import Block, unframe
from .insertion import insertion

__all__ = ["top_k"]


def top_k(config: Config, block: Block) -> dict[str, np.ndarray]:
    """Indices and score codes of each vector's K largest scores, [V, K], 0 beyond its min(K, N) elements."""
    indices, positions = insertion(block.positions, block.valid, config.top_k)
    there = np.arange(config.top_k) < block.lengths[:, None]
    return {"top_indices": indices, "top_scores": np.where(there, unframe(config, positions), 0)}
