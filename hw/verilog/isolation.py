"""Conversions by Amaranth that no tool on PATH and no variable of the environment changes."""

import contextlib
import os
from collections.abc import Iterator

from softstream.hw import cache

__all__ = ["pinned_tools"]


@contextlib.contextmanager
def pinned_tools() -> Iterator[None]:
    """Makes Amaranth convert with the Yosys of its own package, whose version the constraints pin.

    By default Amaranth takes a `yosys` on PATH, and options of platforms from variables `AMARANTH_…`.
    """
    cache.root()  # before that Yosys starts, which cannot do without a cache that can be written
    overrides = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AMARANTH_")}
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    try:
        yield
    finally:
        del os.environ["AMARANTH_USE_YOSYS"]
        os.environ.update(overrides)
