"""Work of a separate process in a test: the module has a name that a new interpreter can import."""

from pathlib import Path

from softstream.sim.simulators.build import VerilatorBuild

__all__ = ["ensure"]


def ensure(verilog: str, top: str, cache: Path) -> None:
    """Builds a simulation in the cache unless it is there."""
    VerilatorBuild(verilog, top, cache=cache).ensure()
