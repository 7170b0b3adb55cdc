"""Golden model of `hw/cross_entropy.py`: the labelled element's log-softmax, negated."""

import numpy as np

from softstream.hw.config import Config
from softstream.hw.log_numerics import log_numerics

from .frame import Block
from .log_softmax import magnitude
from .log_sum import vector_logarithm

__all__ = ["cross_entropy"]


def cross_entropy(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The loss code of each vector, and whether its label is none of its elements, [V].

    Such a label has the largest code for its loss.
    """
    numbers, labels = log_numerics(config, signed=False), block.beside["labels"]
    inside = labels < block.lengths
    kept = np.where(inside, labels, 0)
    labelled = np.take_along_axis(block.positions, kept[:, None], axis=1)[:, 0]
    losses = magnitude(numbers, vector_logarithm(numbers, block.positions, block.valid), labelled)
    return {"losses": np.where(inside, losses, numbers.limit), "unlabelled": ~inside}
