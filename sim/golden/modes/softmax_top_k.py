"""The head of the K largest scores with their probabilities."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.modes.softmax import softmax
from softstream.sim.golden.modes.top_k import top_k
from softstream.sim.golden.stages.frame import Block

__all__ = ["softmax_top_k"]


def softmax_top_k(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The arrays of `top_k`, and the probability codes of softmax at its indices, [V, K], 0 beyond the elements."""
    ranked = top_k(config, block)
    codes = np.take_along_axis(softmax(config, block)["probabilities"], ranked["top_indices"], axis=1)
    present = np.arange(config.top_k) < block.taking_part.sum(axis=1)[:, None]
    return {**ranked, "top_probabilities": np.where(present, codes, 0)}
