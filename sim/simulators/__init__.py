"""How Verilog is built and simulated: Icarus and Verilator."""

__all__: list[str] = []
