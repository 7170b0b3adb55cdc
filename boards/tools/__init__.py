"""The tool chain: synthesis, place and route, and their reports."""

__all__: list[str] = []
