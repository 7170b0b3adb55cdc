"""Golden model of `hw/options/final_round.py`: the one rounding of a composed head."""

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["finish"]


def finish(config: Config, inner: Config, codes: np.ndarray) -> np.ndarray:
    """Codes of the inner configuration to codes of the outer: rounded half up, saturated."""
    extra = inner.probability_width - config.probability_width
    return np.minimum((codes + (1 << (extra - 1))) >> extra, config.probability_maximum)
