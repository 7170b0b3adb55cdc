"""Golden model of `hw/modes/sigmoid.py`: each score to the code of its own logistic function."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.sigmoid import address_width, sigmoid_codes
from softstream.sim.golden.stages.frame import Block

__all__ = ["codes", "sigmoid"]


def codes(config: Config, positions: np.ndarray) -> np.ndarray:
    """Positions (score code − smallest code) to probability codes, same shape, int64: σ(x / temperature).

    Scores wider than the table are cut to its ends, around code 0 where they are signed.
    """
    entries = 1 << address_width(config)
    lowest = (1 << (config.score_width - 1)) - entries // 2 if config.score_signed else 0
    return sigmoid_codes(config)[np.clip(positions - lowest, 0, entries - 1)]


def sigmoid(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The probability code of each element, [V, N]: that of 0 where masked, and 0 beyond each length."""
    probabilities = np.where(block.taking_part, codes(config, block.positions), config.output_zero_point)
    return {"probabilities": np.where(block.valid, probabilities, 0), **block.flags}
