"""Verilog of a configuration: the same bytes from the same configuration, on every machine."""

import warnings
from functools import lru_cache

from amaranth.back import verilog as backend
from amaranth.hdl import UnusedElaboratable

from .axi import AxiTop
from .bound import bound
from .config import Config
from .ports import top_ports

__all__ = ["TOP", "verilog"]

TOP = "softstream_top"
"""Name of the generated module."""


@lru_cache(maxsize=32)
def verilog(config: Config) -> str:
    """The generated top as Verilog text, with AXI4-Stream ports (see `ports.top_ports`).

    No source locations and no tool attributes are written, so the text depends on the configuration and on the pinned
    versions of Amaranth and its Yosys alone. Raises `UserError` for a configuration whose error bound exceeds 1 ulp.
    """
    if config.mode == "softmax":
        bound(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = AxiTop(config)
        ports = [getattr(top, port.name) for port in top_ports(config)]
        return backend.convert(top, name=TOP, ports=ports, emit_src=False, strip_internal_attrs=True)
