"""The pages that verbs write."""

__all__: list[str] = []
