"""cocotb benches of the generated top. They live in the package because cocotb's runner replaces the import path."""

__all__ = ["BENCHES", "TESTS"]

TESTS = {"stream": 12, "latency": 2, "axi": 3, "reset": 3, "scores": 1}
"""Bench (a module here) to the number of its tests; the runner accepts no fewer, so that none is lost in silence."""

BENCHES = tuple(name for name in TESTS if name != "scores")
"""The benches that need nothing but a configuration."""
