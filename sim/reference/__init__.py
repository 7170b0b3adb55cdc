"""Softmax and its family in floating-point arithmetic: what the error bounds refer to."""

__all__: list[str] = []
