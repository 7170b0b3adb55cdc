"""Golden models of the modes."""

from collections.abc import Callable

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.modes.cdf import cdf
from softstream.sim.golden.modes.cross_entropy import cross_entropy
from softstream.sim.golden.modes.entropy import entropy
from softstream.sim.golden.modes.gumbel import sample
from softstream.sim.golden.modes.hardmax import hardmax
from softstream.sim.golden.modes.inverse_cdf import inverse_cdf
from softstream.sim.golden.modes.log_softmax import log_softmax
from softstream.sim.golden.modes.log_sum_exp import log_sum_exp
from softstream.sim.golden.modes.ranked_draw import ranked_draw
from softstream.sim.golden.modes.sigmoid import sigmoid
from softstream.sim.golden.modes.softmax import softmax
from softstream.sim.golden.modes.softmax_top_k import softmax_top_k
from softstream.sim.golden.modes.top_k import top_k
from softstream.sim.golden.modes.unnormalised import exponentials
from softstream.sim.golden.stages.frame import Block

__all__ = ["MODELS"]


def _draw(config: Config, block: Block) -> dict[str, np.ndarray]:
    """A draw among all elements by either sampler, or among the best."""
    if config.ranked_draw:
        return ranked_draw(config, block)
    return (inverse_cdf if config.inverse_cdf else sample)(config, block)


MODELS: dict[str, Callable[[Config, Block], dict[str, np.ndarray]]] = {
    "argmax": argmax,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "cross_entropy": cross_entropy,
    "exponential": exponentials,
    "sigmoid": sigmoid,
    "sample": _draw,
    "hardmax": hardmax,
    "top_k": top_k,
    "softmax_top_k": softmax_top_k,
    "cdf": cdf,
    "log_sum_exp": log_sum_exp,
    "entropy": entropy,
}
"""Mode → its model: framed vectors in, the arrays of the mode's outputs out, all but `overlong`."""
