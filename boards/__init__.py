"""Where a head runs: the parts it is measured on and the tool chain that measures it."""

__all__: list[str] = []
