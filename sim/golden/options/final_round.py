"""Golden model of `hw/options/final_round.py`: the one rounding of a composed head."""

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["finish"]


def finish(config: Config, inner: Config, codes: np.ndarray) -> np.ndarray:
    """Codes of the inner configuration to codes of the outer: min(floor(L·code·2^−P' + 1/2), code of 1.0) + zero point.

    Without `output_levels` L is 2^P.
    """
    levels, fraction = config.levels, inner.probability_width
    if not config.rescales:
        # The powers of two cancel, so that the product fits 64 bits whatever P is.
        levels, fraction = 1, inner.probability_width - config.probability_width
    rounded = (codes * levels + (1 << (fraction - 1))) >> fraction
    return np.minimum(rounded, config.probability_maximum) + config.output_zero_point
