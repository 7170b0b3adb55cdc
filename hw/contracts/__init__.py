"""What the hardware has to keep at all times, as hardware: properties that a proof assumes or asserts."""

__all__: list[str] = []
