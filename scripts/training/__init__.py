"""The classifiers behind `sim/data`."""

__all__: list[str] = []
