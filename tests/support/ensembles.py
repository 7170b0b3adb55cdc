"""Vectors for the members of ensembles."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.beats import pad_vectors
from softstream.sim.stimulus import corner_vectors, limit_vectors

__all__ = ["members"]


def members(config: Config, seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Vectors of even, uneven and overlong members; as a list, and as scores and lengths."""
    rng = np.random.default_rng(seed)
    vectors = corner_vectors(config, rng) + limit_vectors(config, rng)
    low = config.score_format.minimum
    return vectors, *pad_vectors(vectors, low)
