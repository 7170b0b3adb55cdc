"""The stages around a head: options in front of it and behind it."""

from collections.abc import Callable
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.options.floor import Floor
from softstream.hw.options.inverse_temperature import InverseTemperature
from softstream.hw.options.mean_logits import MeanLogits
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.smoothing import Smoothing

__all__ = ["FRONTS", "POSTS"]

FRONTS: dict[str, Callable[[Config, Config], Any]] = {
    "mean_logits": MeanLogits,
    "inverse_temperature": InverseTemperature,
}
"""Front stage → its component, of the configurations before and behind it: elastic streams `i` and `o` of scores.

A stage that flags vectors also has a port `ended`: the flags of the vector whose last beat is offered at `o`.
"""

POSTS: dict[str, Callable[[Config, Config], Any]] = {
    "mean_probabilities": MeanProbabilities,
    "smoothing": Smoothing,
    "floor": Floor,
}
"""Post stage → its component, of the outer and the inner configuration: rigid streams `i` and `o` of guarded beats.

A stage that replaces the winners of the inner head also has a stream `o_best`.
"""
