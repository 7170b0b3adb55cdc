"""Cycles of the temperature per vector."""

from softstream.hw.config.config import Config

__all__ = ["product_cycles"]


def product_cycles(config: Config) -> int:
    """From a score to its product: a cycle for the two factors, one for the product, and where clocks are the fastest one for
    the multiplier's own register."""
    return 3 if config.profile == "fastest" else 2
