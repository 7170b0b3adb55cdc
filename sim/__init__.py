"""What the hardware must equal: the golden model, the float64 reference, benches, and the runner of simulators."""

__all__: list[str] = []
