"""The differentiable twin of a head in PyTorch: the module, its losses, and heads in place of softmax layers."""

__all__: list[str] = []
