"""The page of `softstream serve`: a drawn digit, a small network, and a board that computes the last layer."""

__all__: list[str] = []
