"""What a configuration means: widths, table contents and error proofs, in integers and exact arithmetic."""

__all__: list[str] = []
