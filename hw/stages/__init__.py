"""What heads are made of, in data-path order from the frame to the replay of scores."""

__all__: list[str] = []
