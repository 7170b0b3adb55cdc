"""Golden model of `hw/options/floor.py`: guarded probabilities drawn up to the floor."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.floor import floor_code
from softstream.sim.golden.stages.frame import Block

__all__ = ["floor"]


def floor(config: Config, inner: Config, block: Block, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with F + floor(c·p·2^−P' + 1/2) for each element, c = 2^P' − F·N; 0 beyond each length."""
    width, code = inner.probability_width, floor_code(config, inner)
    left = (1 << width) - code * block.lengths[:, None]
    codes = code + ((left * arrays["probabilities"] + (1 << (width - 1))) >> width)
    return {**arrays, "probabilities": np.where(block.valid, codes, 0)}
