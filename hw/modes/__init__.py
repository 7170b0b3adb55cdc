"""One head per mode."""

from softstream.hw.modes.argmax import Argmax
from softstream.hw.modes.cdf import Cdf
from softstream.hw.modes.cross_entropy import CrossEntropy
from softstream.hw.modes.entropy import Entropy
from softstream.hw.modes.gumbel import GumbelSample
from softstream.hw.modes.hardmax import Hardmax
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.modes.log_softmax import LogSoftmax
from softstream.hw.modes.log_sum_exp import LogSumExp
from softstream.hw.modes.sigmoid import Sigmoid
from softstream.hw.modes.softmax import Softmax
from softstream.hw.modes.softmax_top_k import SoftmaxTopK
from softstream.hw.modes.top_k import TopK
from softstream.hw.modes.unnormalised import Unnormalised

__all__ = ["HEADS"]

HEADS: dict[str, type[HeadInterface]] = {
    "argmax": Argmax,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "cross_entropy": CrossEntropy,
    "exponential": Unnormalised,
    "sigmoid": Sigmoid,
    "sample": GumbelSample,
    "hardmax": Hardmax,
    "top_k": TopK,
    "softmax_top_k": SoftmaxTopK,
    "cdf": Cdf,
    "log_sum_exp": LogSumExp,
    "entropy": Entropy,
}
"""Mode → its component."""
