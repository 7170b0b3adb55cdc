"""What a person types: the command line, and the work behind each of its verbs."""

__all__: list[str] = []
