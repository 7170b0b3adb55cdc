"""Builds and simulates the Verilog with Icarus and Verilator."""

__all__: list[str] = []
