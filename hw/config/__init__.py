"""What is asked for: the keys, the rules between them, and the presets."""

__all__: list[str] = []
