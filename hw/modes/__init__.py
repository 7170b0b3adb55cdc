"""One head per mode; a mode whose keys choose between several heads has a function here."""

from collections.abc import Callable

from softstream.hw.config.config import Config
from softstream.hw.modes.argmax import Argmax
from softstream.hw.modes.cdf import Cdf
from softstream.hw.modes.cross_entropy import CrossEntropy
from softstream.hw.modes.entropy import Entropy
from softstream.hw.modes.exact_softmax import ExactSoftmax
from softstream.hw.modes.gumbel import GumbelSample
from softstream.hw.modes.hardmax import Hardmax
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.modes.inverse_cdf import InverseCdf
from softstream.hw.modes.log_softmax import LogSoftmax
from softstream.hw.modes.log_sum_exp import LogSumExp
from softstream.hw.modes.ranked_draw import RankedDraw, RankedShare
from softstream.hw.modes.sigmoid import Sigmoid
from softstream.hw.modes.softmax import Softmax
from softstream.hw.modes.softmax_top_k import SoftmaxTopK
from softstream.hw.modes.top_k import TopK
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.modes.unnormalised import Unnormalised

__all__ = ["HEADS"]


def _softmax(config: Config) -> HeadInterface:
    """Softmax in two passes, with codes of an exact sum, or each code rounded by itself."""
    if config.two_pass:
        return TwoPass(config)
    return (ExactSoftmax if config.exact_sum else Softmax)(config)


def _sample(config: Config) -> HeadInterface:
    """A draw among all elements or among the best, by either sampler."""
    if config.ranked_draw:
        return (RankedShare if config.inverse_cdf else RankedDraw)(config)
    return (InverseCdf if config.inverse_cdf else GumbelSample)(config)


HEADS: dict[str, Callable[[Config], HeadInterface]] = {
    "argmax": Argmax,
    "softmax": _softmax,
    "log_softmax": LogSoftmax,
    "cross_entropy": CrossEntropy,
    "exponential": Unnormalised,
    "sigmoid": Sigmoid,
    "sample": _sample,
    "hardmax": Hardmax,
    "top_k": TopK,
    "softmax_top_k": SoftmaxTopK,
    "cdf": Cdf,
    "log_sum_exp": LogSumExp,
    "entropy": Entropy,
}
"""Mode → its component for a configuration without stages around the head."""
