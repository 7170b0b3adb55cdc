"""Golden models of the options."""

from collections.abc import Callable

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden.options.floor import floor
from softstream.sim.golden.options.inverse_temperature import inverse_temperature
from softstream.sim.golden.options.mean_logits import mean_logits
from softstream.sim.golden.options.mean_probabilities import mean_probabilities
from softstream.sim.golden.options.smoothing import smoothing
from softstream.sim.golden.stages.frame import Block

__all__ = ["FRONTS", "POSTS"]

Arrays = dict[str, np.ndarray]

FRONTS: dict[str, Callable[[Config, Config, Block], Block]] = {
    "mean_logits": mean_logits,
    "inverse_temperature": inverse_temperature,
}
"""Front stage → its model: (configuration before it, configuration behind it, framed vectors) → framed vectors."""

POSTS: dict[str, Callable[[Config, Config, Block, Arrays], Arrays]] = {
    "mean_probabilities": mean_probabilities,
    "smoothing": smoothing,
    "floor": floor,
}
"""Post stage → its model: (outer configuration, inner configuration, vectors, arrays before it) → arrays behind it."""
