"""Golden model of `hw/options/composed.py`: front stages, the model of the inner configuration, post stages, one rounding."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import Composition
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.options.final_round import finish
from softstream.sim.golden.options.floor import floor
from softstream.sim.golden.options.inverse_temperature import inverse_temperature
from softstream.sim.golden.options.mean_logits import mean_logits
from softstream.sim.golden.options.mean_probabilities import mean_probabilities
from softstream.sim.golden.options.smoothing import smoothing
from softstream.sim.golden.stages.frame import Block

__all__ = ["FRONTS", "POSTS", "composed"]

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


def composed(
    parts: Composition,
    models: Mapping[str, Callable[[Config, Block], Arrays]],
    config: Config,
    block: Block,
) -> Arrays:
    """The arrays of a composed head; `models` holds the model of each mode."""
    winner: Arrays = {}
    for front in parts.fronts:
        if front.winner is not None:
            winner = argmax(front.winner, block)
        block = FRONTS[front.name](front.before, front.after, block)
    arrays = {**models[parts.inner.mode](parts.inner, block), **winner}
    for name in parts.posts:
        arrays = POSTS[name](config, parts.inner, block, arrays)
        if name == "mean_probabilities":
            # From here on each ensemble is one vector, as long as its first member.
            block = replace(
                block, positions=block.positions[:: config.ensemble], lengths=block.lengths[:: config.ensemble]
            )
    if parts.finished:
        arrays = {**arrays, "probabilities": finish(config, parts.inner, arrays["probabilities"])}
    return arrays
