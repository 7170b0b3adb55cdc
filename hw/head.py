"""The head of a configuration: one component per mode, and one around it where stages stand before or behind."""

from .argmax import Argmax
from .composed import Composed
from .composition import composition
from .config import Config
from .cross_entropy import CrossEntropy
from .exponentials import Exponentials
from .groups import Grouped
from .hardmax import Hardmax
from .interface import HeadInterface
from .inverse_cdf import InverseCdf
from .log_softmax import LogSoftmax
from .sample import Sample
from .sigmoid import Sigmoid
from .softmax import Softmax
from .softmax_top_k import SoftmaxTopK
from .top_k import TopK
from .two_pass import TwoPass

__all__ = ["HEADS", "Head"]

HEADS: dict[str, type[HeadInterface]] = {
    "argmax": Argmax,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "cross_entropy": CrossEntropy,
    "exponential": Exponentials,
    "sigmoid": Sigmoid,
    "sample": Sample,
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
    if config.groups:
        return Grouped(config, Head(config.replace(groups=[])))
    parts = composition(config)
    if parts is not None:
        return Composed(config, parts, Head)
    if config.mode == "softmax" and config.accumulator == "two_pass":
        return TwoPass(config)
    if config.mode == "sample" and config.sampler == "inverse_cdf":
        return InverseCdf(config)
    return HEADS[config.mode](config)
