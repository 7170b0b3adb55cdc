"""The design on a board: clock, reset, link or demonstration, LEDs and displays."""

__all__: list[str] = []
