"""The plan of each mode: rows, cycles and output streams."""

from softstream.hw.plan.modes.argmax import ARGMAX
from softstream.hw.plan.modes.cdf import CDF
from softstream.hw.plan.modes.cross_entropy import CROSS_ENTROPY
from softstream.hw.plan.modes.entropy import ENTROPY
from softstream.hw.plan.modes.gumbel import SAMPLE
from softstream.hw.plan.modes.hardmax import HARDMAX
from softstream.hw.plan.modes.log_softmax import LOG_SOFTMAX
from softstream.hw.plan.modes.log_sum_exp import LOG_SUM_EXP
from softstream.hw.plan.modes.sigmoid import SIGMOID
from softstream.hw.plan.modes.softmax import SOFTMAX
from softstream.hw.plan.modes.softmax_top_k import SOFTMAX_TOP_K
from softstream.hw.plan.modes.top_k import TOP_K
from softstream.hw.plan.modes.unnormalised import UNNORMALISED
from softstream.hw.plan.records import ModePlan

__all__ = ["MODE_PLANS"]

MODE_PLANS: dict[str, ModePlan] = {
    "argmax": ARGMAX,
    "softmax": SOFTMAX,
    "log_softmax": LOG_SOFTMAX,
    "cross_entropy": CROSS_ENTROPY,
    "exponential": UNNORMALISED,
    "sigmoid": SIGMOID,
    "sample": SAMPLE,
    "hardmax": HARDMAX,
    "top_k": TOP_K,
    "softmax_top_k": SOFTMAX_TOP_K,
    "cdf": CDF,
    "log_sum_exp": LOG_SUM_EXP,
    "entropy": ENTROPY,
}
"""Mode → its plan; a test compares the names with `MODES`."""
