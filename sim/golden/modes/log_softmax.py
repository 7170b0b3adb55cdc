"""Golden model of `hw/modes/log_softmax.py`: each element's score less the logarithm of its vector's sum."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.log_softmax import LogNumerics, log_numerics
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.normalisers.log_sum import vector_logarithm
from softstream.sim.golden.stages.accumulate import with_sinks
from softstream.sim.golden.stages.frame import Block

__all__ = ["emit", "log_softmax", "magnitude"]


def magnitude(numbers: LogNumerics, logarithm: np.ndarray, position: np.ndarray) -> np.ndarray:
    """min(max(0, floor((L − Y) / 2^(k + 1))), what the format holds)."""
    tables = numbers.tables
    return np.clip((logarithm - tables.positions(position)) >> tables.shift, 0, numbers.limit)


def emit(numbers: LogNumerics, logarithm: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Log-softmax codes, none above 0."""
    return -magnitude(numbers, logarithm, position)


def log_softmax(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The winner, and the log-softmax code of each element, [V, N], the most negative where masked, 0 beyond each length."""
    numbers = log_numerics(config, signed=True)
    logarithm = vector_logarithm(numbers, *with_sinks(config, block))
    codes = np.where(block.taking_part, emit(numbers, logarithm[:, None], block.positions), numbers.format.minimum)
    codes = np.where(block.valid, codes, 0)
    return {**argmax(config, block), "log_probabilities": codes}
