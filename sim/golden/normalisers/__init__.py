"""The integer model of `hw/normalisers`."""

__all__: list[str] = []
