"""The softmax head: the stages of `hw/modes/softmax.py` in data-path order, on whole arrays of vectors."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.two_pass import differences
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.modes.two_pass import two_pass
from softstream.sim.golden.normalisers import NORMALISERS
from softstream.sim.golden.normalisers.exact_sum import element_codes
from softstream.sim.golden.stages.accumulate import sum_of_exponentials, with_sinks
from softstream.sim.golden.stages.frame import Block
from softstream.sim.golden.stages.leading_one import normalise

__all__ = ["softmax"]


def softmax(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The winner, and the probability code of each element, [V, N], 0 beyond each length."""
    positions, valid = block.positions, block.taking_part
    if config.accumulator == "two_pass":
        return {**argmax(config, block), "probabilities": two_pass(differences(config), positions, valid)}
    if config.exact_sum:
        return {**argmax(config, block), "probabilities": element_codes(config, block)}
    widths = numerics(config)
    normaliser = NORMALISERS[config.division]
    reference, total = sum_of_exponentials(widths, *with_sinks(config, block))
    # No result of a fully masked vector depends on the sum; 1 stands for it.
    total = np.where(valid.any(axis=1), total, 1)
    sum_exponent, divisor = normalise(widths, reference, total)
    factor = normaliser.factor(widths, divisor)
    # A probability depends on the sum of its vector and its own position alone. So each position is evaluated once and
    # looked up where vectors have more elements than positions exist.
    every = np.arange(1 << config.score_width)[None]
    repeated = positions.shape[1] > every.shape[1]
    codes = normaliser.emit(widths, sum_exponent[:, None], factor[:, None], every if repeated else positions)
    if repeated:
        # Row by row within the flat array: several times quicker than take_along_axis.
        codes = codes.ravel().take(positions + np.arange(len(positions))[:, None] * every.shape[1])
    return {**argmax(config, block), "probabilities": codes if valid.all() else np.where(valid, codes, 0)}
