"""The head of a configuration: one component per mode."""

from .argmax import Argmax
from .config import Config
from .hardmax import Hardmax
from .interface import HeadInterface
from .softmax import Softmax
from .softmax_top_k import SoftmaxTopK
from .top_k import TopK

__all__ = ["HEADS", "Head"]

HEADS: dict[str, type[HeadInterface]] = {
    "argmax": Argmax,
    "softmax": Softmax,
    "hardmax": Hardmax,
    "top_k": TopK,
    "softmax_top_k": SoftmaxTopK,
}
"""Mode → its component."""


def Head(config: Config) -> HeadInterface:
    """The streaming head of a configuration, to instantiate in an Amaranth design.

    Ports: `i`, stream of {score, last}, and the mode's output streams, the first of them `o` (see `ports.outputs`).
    Latency and interval are those of `plan(config)`.
    """
    return HEADS[config.mode](config)
