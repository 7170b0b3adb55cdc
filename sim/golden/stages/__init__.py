"""The integer model of `hw/stages`."""

__all__: list[str] = []
