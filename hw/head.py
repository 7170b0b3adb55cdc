"""The head of a configuration: one component per mode."""

from .argmax import Argmax
from .config import Config
from .interface import HeadInterface
from .softmax import Softmax

__all__ = ["HEADS", "Head"]

HEADS: dict[str, type[HeadInterface]] = {"argmax": Argmax, "softmax": Softmax}
"""Mode → its component."""


def Head(config: Config) -> HeadInterface:
    """The streaming head of a configuration, to instantiate in an Amaranth design.

    Ports: `i`, stream of {score, last}, and the mode's output streams, the first of them `o` (see `ports.outputs`).
    Latency and interval are those of `plan(config)`.
    """
    return HEADS[config.mode](config)
