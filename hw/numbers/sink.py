"""Sinks of vectors: the score of the sink in the sideband of a vector, and its position.

The sideband holds the score code of the sink as its W bits, in two's complement where scores are signed, so 0 to 2^W − 1. Its
position is that of a score of these bits. Its term in the sum is the one that an element of that score has. So a vector of N
elements with the sink has, bit for bit, the sum of N + 1 elements, and the bound of `max_length` + 1.
"""

from typing import Any

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["sink_bits", "sink_positions"]


def sink_positions(config: Config, bits: Any) -> Any:
    """The positions of sinks, from the bits of their score codes: integers, or an array or a tensor of them."""
    every = (1 << config.score_width) - 1
    flip = (1 << (config.score_width - 1)) * config.score_signed ^ every * config.selects_smallest
    return bits ^ flip


def sink_bits(config: Config, scores: np.ndarray) -> np.ndarray:
    """The bits of the nearest score codes of real scores, float64 [V] to int64 [V]; scores beyond the format saturate."""
    form = config.score_format
    codes = np.rint(np.asarray(scores, dtype=np.float64) / config.score_scale) + config.score_zero_point
    return np.clip(codes, form.minimum, form.maximum).astype(np.int64) & ((1 << config.score_width) - 1)
