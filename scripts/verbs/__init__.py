"""The work behind each verb of the command line."""

__all__: list[str] = []
