"""The integer model of `hw/options`."""

__all__: list[str] = []
