"""Golden model of `hw/options/inverse_temperature.py`: positions times the code of their vector."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.frame import Block

__all__ = ["inverse_temperature"]


def inverse_temperature(before: Config, after: Config, block: Block) -> Block:
    """The vectors of the configuration behind the product: position · code."""
    sideband = dict(block.sideband)
    codes = sideband.pop("temperatures")
    return replace(block, positions=block.positions * codes[:, None], sideband=sideband)
