"""cocotb benches of the generated top. They live in the package because cocotb's runner replaces the import path."""

__all__: list[str] = []
