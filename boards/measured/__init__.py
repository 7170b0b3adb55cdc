"""Measured cells and clocks: the data behind the tables."""

__all__: list[str] = []
