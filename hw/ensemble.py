"""Ensembles in numbers: the configuration behind the sums of scores, and the vectors that make one result.

The mean of the M members' logits is Σ_m x_m / M. The sums of score codes are exact and M times too large, so they are what
the head behind them takes for its scores, in steps of score_scale / M: nothing is rounded and nothing is divided. It is the
logarithm of the geometric mean of the members' distributions, but for a constant that softmax does not see.
"""

from typing import Any

from .config import Config
from .formats import ceil_log2

__all__ = ["result_lengths", "sum_offset", "summed"]


def summed(config: Config) -> Config:
    """The configuration behind the sums of an ensemble's scores: ceil(log2 M) bits more, steps of 1/M."""
    return config.replace(
        ensemble=1,
        score_width=config.score_width + ceil_log2(config.ensemble),
        score_scale=config.score_scale / config.ensemble,
    )


def sum_offset(config: Config) -> int:
    """The sum of the members' smallest score codes: a sum of codes is that of the codes above the smallest, and this."""
    return config.ensemble * config.score_format.minimum


def result_lengths(config: Config, lengths: Any) -> Any:
    """Lengths of the results for vectors of these lengths [V]: those of each ensemble's first member, [V / M]."""
    return lengths[:: config.ensemble]
