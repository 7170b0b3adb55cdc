"""cocotb benches of the generated top.

The package contains them because cocotb's runner replaces the import path.
"""

__all__: list[str] = []
