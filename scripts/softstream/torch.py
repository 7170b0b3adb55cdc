"""The differentiable twin of a head, for training in PyTorch: `pip install softstream[torch]`.

from softstream.torch import Head

head = Head(softstream.preset("digits-softmax"))
head(logits)                                       # the value of the hardware, the gradient of softmax
"""

from softstream.hw.extras import absent

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise absent(("torch",), "the twin") from _error

from softstream.scripts.twin.head import Head, Largest
from softstream.scripts.twin.interchange import export_onnx
from softstream.scripts.twin.losses import CrossEntropy, entropy_bonus, range_penalty
from softstream.scripts.twin.replacement import Replaced, Replacement, from_module

__all__ = [
    "CrossEntropy",
    "Head",
    "Largest",
    "Replaced",
    "Replacement",
    "entropy_bonus",
    "export_onnx",
    "from_module",
    "range_penalty",
]
