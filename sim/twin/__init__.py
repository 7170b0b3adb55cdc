"""The head as PyTorch modules: the integer model on tensors, and the exact function whose gradient training takes.

`stages`, `normalisers`, `modes` and `options` hold the integer model, one `nn.Module` for each model of `sim/golden`, with its
tables as buffers. `integer` joins them, bit for bit equal to the golden model. `exact` holds the differentiable functions,
`head` the module of a network, `losses` what is trained with, and `replacement` the search for softmax layers in a network.
"""

__all__: list[str] = []
