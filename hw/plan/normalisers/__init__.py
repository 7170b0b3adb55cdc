"""The plan's rows of the normalisers."""

from softstream.hw.plan.normalisers.divider import DIVIDER
from softstream.hw.plan.normalisers.entropy_code import ENTROPY_CODE
from softstream.hw.plan.normalisers.interface import NormaliserPlan
from softstream.hw.plan.normalisers.log_sum import LOG_SUM
from softstream.hw.plan.normalisers.logarithm import LOGARITHM
from softstream.hw.plan.normalisers.power_of_two import POWER_OF_TWO
from softstream.hw.plan.normalisers.reciprocal import RECIPROCAL

__all__ = ["NORMALISER_PLANS"]

NORMALISER_PLANS: dict[str, NormaliserPlan] = {
    "divider": DIVIDER,
    "reciprocal": RECIPROCAL,
    "logarithm": LOGARITHM,
    "none": POWER_OF_TWO,
    "natural": LOG_SUM,
    "entropy": ENTROPY_CODE,
}
"""`Config.division` → its plan: the values of the key `normaliser`, the natural logarithm of the log modes, and the entropy."""
