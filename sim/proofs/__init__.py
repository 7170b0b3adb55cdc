"""Proofs about the generated Verilog: for all inputs, all stalls and all time."""

__all__: list[str] = []
