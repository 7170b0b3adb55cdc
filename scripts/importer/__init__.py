"""The import of a head from a model file in ONNX: what the graph says about its scores and results, as configuration keys."""

__all__: list[str] = []
