"""Softmax and its family in float64: the error bounds refer to these values."""

__all__: list[str] = []
