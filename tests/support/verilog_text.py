"""The generated Verilog without its comments: what the hardware is."""

import re

from softstream.hw.config.config import Config
from softstream.hw.verilog import TOP, verilog

__all__ = ["code"]


def code(config: Config) -> str:
    """The Verilog of a configuration under one name, without comments, which also tell keys that have no effect."""
    return re.sub(r" *//.*\n|/\*.*?\*/\n?", "", verilog(config, TOP))
