"""Golden model of `hw/modes/log_sum_exp.py`: the logarithm of a vector's sum relative to its largest score."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.sim.golden.modes.log_softmax import magnitude
from softstream.sim.golden.normalisers.log_sum import vector_logarithm
from softstream.sim.golden.stages.frame import Block, unframe

__all__ = ["log_sum_exp"]


def log_sum_exp(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The code of the logarithm, and that of the largest score, [V]; 0 and the code of position 0 for a fully masked vector."""
    numbers = log_numerics(config, signed=False)
    peak = np.where(block.taking_part, block.positions, 0).max(axis=1)
    logarithm = magnitude(numbers, vector_logarithm(numbers, block.positions, block.taking_part), peak)
    return {
        "log_sums": np.where(block.taking_part.any(axis=1), logarithm, 0),
        "best": unframe(config, peak),
        **block.flags,
    }
