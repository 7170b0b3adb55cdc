"""What measures presets, variants and other blocks."""

__all__: list[str] = []
