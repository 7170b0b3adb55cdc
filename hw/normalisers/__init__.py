"""The divider stage: divider, reciprocal, logarithm and power of two behind one interface."""

__all__: list[str] = []
