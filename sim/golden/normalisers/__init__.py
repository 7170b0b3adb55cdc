"""Golden models of the normalisers."""

from types import ModuleType

from softstream.sim.golden.normalisers import divider, logarithm, power_of_two, reciprocal

__all__ = ["NORMALISERS"]

NORMALISERS: dict[str, ModuleType] = {
    "divider": divider,
    "reciprocal": reciprocal,
    "logarithm": logarithm,
    "none": power_of_two,
}
"""Value of the key `normaliser` → its model: a module with `factor` and `emit`."""
