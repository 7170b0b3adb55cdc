"""Golden model of `hw/modes/cross_entropy.py`: the labelled element's log-softmax, negated."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.sim.golden.modes.log_softmax import magnitude
from softstream.sim.golden.normalisers.log_sum import vector_logarithm
from softstream.sim.golden.stages.frame import Block

__all__ = ["cross_entropy"]


def cross_entropy(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The loss code of each vector, and the flag of a label that names no element or a masked one, [V].

    The loss of such a label is the largest code.
    """
    numbers, labels = log_numerics(config, signed=False), block.sideband["labels"]
    index = np.where(labels < block.lengths, labels, 0)[:, None]
    labelled_here = (labels < block.lengths) & np.take_along_axis(block.taking_part, index, axis=1)[:, 0]
    labelled = np.take_along_axis(block.positions, index, axis=1)[:, 0]
    losses = magnitude(numbers, vector_logarithm(numbers, block.positions, block.taking_part), labelled)
    return {"losses": np.where(labelled_here, losses, numbers.limit), "unlabelled": ~labelled_here, **block.flags}
