"""The divider stage: divider, reciprocal, logarithm and power of two behind one interface."""

from types import ModuleType

from softstream.hw.normalisers import divider, logarithm, power_of_two, reciprocal

__all__ = ["NORMALISERS"]

NORMALISERS: dict[str, ModuleType] = {
    "divider": divider,
    "reciprocal": reciprocal,
    "logarithm": logarithm,
    "none": power_of_two,
}
"""Value of the key `normaliser` → its module, which has what `interface` describes."""
