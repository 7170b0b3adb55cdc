"""The integer model of `hw/modes`."""

__all__: list[str] = []
