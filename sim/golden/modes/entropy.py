"""Golden model of `hw/modes/entropy.py`: the winner, and the entropy of the vector."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.entropy import entropy_numerics
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.stages.accumulate import sum_of_exponentials
from softstream.sim.golden.stages.entropy_code import entropy_code
from softstream.sim.golden.stages.frame import Block
from softstream.sim.golden.stages.leading_one import normalise

__all__ = ["entropy"]


def entropy(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The arrays of the winner, and the code of the entropy, [V]; 0 for a fully masked vector."""
    numbers, exists = entropy_numerics(config), block.taking_part.any(axis=1)
    widths = numbers.widths
    reference, total = sum_of_exponentials(widths, block.positions, block.taking_part)
    _, moment = sum_of_exponentials(numbers.moment, block.positions, block.taking_part)
    # No result of a fully masked vector depends on the sum; 2^A, the least possible sum, stands for it.
    total = np.where(exists, total, 1 << widths.accumulator_fraction)
    exponent, divisor = normalise(widths, reference, total)
    scale = widths.divisor_fraction - widths.accumulator_fraction - exponent
    cut = np.where(scale < 0, moment >> np.maximum(-scale, 0), moment << np.maximum(scale, 0))
    code = entropy_code(numbers, exponent, divisor, cut)
    return {**argmax(config, block), "entropies": np.where(exists, code, 0)}
