"""Golden model of `hw/options/composed.py`: front stages, the model of the inner configuration, post stages, one rounding."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import Composition
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.options import FRONTS, POSTS
from softstream.sim.golden.options.final_round import finish
from softstream.sim.golden.stages.frame import Block

__all__ = ["composed"]

Arrays = dict[str, np.ndarray]


def composed(
    parts: Composition,
    models: Mapping[str, Callable[[Config, Block], Arrays]],
    config: Config,
    block: Block,
) -> Arrays:
    """The arrays of a composed head; `models` holds the model of each mode."""
    winner: Arrays = {}
    for front in parts.fronts:
        if front.argmax is not None:
            winner = argmax(front.argmax, block)
        block = FRONTS[front.name](front.before, front.after, block)
    arrays = {**models[parts.inner.mode](parts.inner, block), **winner}
    for name in parts.posts:
        arrays = POSTS[name](config, parts.inner, block, arrays)
        members = len(block.lengths) // max(1, len(arrays["probabilities"]))
        if members > 1:
            # The stage merged vectors: from here on each ensemble is one vector, as long as its first member.
            block = replace(block, positions=block.positions[::members], lengths=block.lengths[::members])
    for name, present in _present(config, block).items():
        if parts.finished:
            arrays = {**arrays, name: np.where(present, finish(config, parts.inner, arrays[name]), 0)}
        elif parts.shifted:
            arrays = {**arrays, name: np.where(present, arrays[name] + config.output_zero_point, 0)}
    return arrays


def _present(config: Config, block: Block) -> dict[str, np.ndarray]:
    """Name of the array of probability codes → which of its codes exist."""
    if config.traits.top_k:
        # A fully masked vector has one substitute.
        ranks = np.maximum(block.taking_part.sum(axis=1), 1)
        return {"top_probabilities": np.arange(config.top_k) < ranks[:, None]}
    return {"probabilities": block.valid}
