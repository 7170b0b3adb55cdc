"""One head per mode."""

__all__: list[str] = []
