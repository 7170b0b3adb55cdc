"""The golden model: pure integers in NumPy, one file per stage under the same stem as in `hw/`."""

from softstream.sim.golden.head import Result, golden

__all__ = ["Result", "golden"]
