"""Golden model of `hw/modes/cdf.py`: the cumulative code of each element."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.normalisers.exact_sum import cumulative_codes
from softstream.sim.golden.stages.frame import Block

__all__ = ["cdf"]


def cdf(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The winner, and the cumulative code of each element, [V, N], 0 beyond each length."""
    return {**argmax(config, block), "cumulative": np.where(block.valid, cumulative_codes(config, block), 0)}
