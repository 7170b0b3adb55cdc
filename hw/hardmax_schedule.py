"""Schedule of hardmax: what the plan states and the hardware is built to, without the hardware description."""

from .config import Config
from .schedule import QUEUE_LATENCY, maximum_cycles, skewed_cycles

__all__ = ["HARDMAX_VECTORS", "hardmax_latency", "hardmax_maximum", "hardmax_skewed"]

HARDMAX_VECTORS = 16
"""Winners that may wait: more than the credits take cycles, so vectors of one element follow each other without a bubble."""


def hardmax_skewed(config: Config) -> bool:
    """Whether the comparison of the maximum is skewed: but for the smallest, for it is the slowest part."""
    return config.profile != "small"


def hardmax_maximum(config: Config) -> int:
    """From a vector's last framed beat to its winner."""
    return skewed_cycles(config) if hardmax_skewed(config) else maximum_cycles(config)


def hardmax_latency(config: Config) -> int:
    """c: the first beat is transferred B + c cycles after its vector's first of B, with nothing waiting."""
    # The last of B beats comes B − 1 cycles after the first; framing takes one cycle more.
    return hardmax_maximum(config) + QUEUE_LATENCY + 1
