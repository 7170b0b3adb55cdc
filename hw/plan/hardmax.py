"""Schedule of hardmax: what the plan states and the hardware is built to, without the hardware description."""

from softstream.hw.config.config import Config
from softstream.hw.plan.schedule import QUEUE_LATENCY, maximum_latency

__all__ = ["HARDMAX_VECTORS", "hardmax_latency"]

HARDMAX_VECTORS = 16
"""Winners that may wait: more than the credits take cycles, so vectors of one element follow each other without a bubble."""


def hardmax_latency(config: Config) -> int:
    """c: the first beat is transferred B + c cycles after its vector's first of B, with nothing waiting."""
    # The last of B beats comes B − 1 cycles after the first; framing takes one cycle more.
    return maximum_latency(config) + QUEUE_LATENCY + 1
