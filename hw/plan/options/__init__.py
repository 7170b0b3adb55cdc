"""The plan of each option: rows, cycles, output streams and sidebands."""

from softstream.hw.plan.options.floor import FLOOR
from softstream.hw.plan.options.groups import GROUPS
from softstream.hw.plan.options.inverse_temperature import INVERSE_TEMPERATURE
from softstream.hw.plan.options.mask import MASK
from softstream.hw.plan.options.mean_logits import MEAN_LOGITS
from softstream.hw.plan.options.mean_probabilities import MEAN_PROBABILITIES
from softstream.hw.plan.options.no_winner import NO_WINNER
from softstream.hw.plan.options.padded_outputs import PADDED_OUTPUTS
from softstream.hw.plan.options.smoothing import SMOOTHING
from softstream.hw.plan.records import OptionPlan

__all__ = ["OPTION_PLANS"]

OPTION_PLANS: dict[str, OptionPlan] = {
    "padded_outputs": PADDED_OUTPUTS,
    "no_winner": NO_WINNER,
    "groups": GROUPS,
    "mean_logits": MEAN_LOGITS,
    "inverse_temperature": INVERSE_TEMPERATURE,
    "mask": MASK,
    "mean_probabilities": MEAN_PROBABILITIES,
    "smoothing": SMOOTHING,
    "floor": FLOOR,
}
"""Option → its plan, the outermost first; the stages of `composition` are here under the same names."""
