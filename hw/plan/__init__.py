"""What is promised: stages, cycles and ports of a configuration."""

__all__: list[str] = []
