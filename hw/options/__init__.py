"""What stands around a head: stages before it and behind it."""

__all__: list[str] = []
