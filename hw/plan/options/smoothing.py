"""Plan of smoothing: a weighted local average of the probabilities."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2, signed_digits
from softstream.hw.numbers.composition import POSTS
from softstream.hw.numbers.smoothing import smoothing_tables
from softstream.hw.plan.records import OptionPlan, StagePlan
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = ["SMOOTHING", "smoothing_latency"]


def _ahead(config: Config) -> int:
    windows = 1 + (config.smoothing_edges == "scatter")
    return windows * config.smoothing_passes * (len(config.smoothing) // 2)


def smoothing_latency(config: Config, inner: Config) -> int:
    """From a guarded probability to the smoothed one, through all passes, where elements come in every cycle.

    Each pass has the window, the weighted sum, and the tables of the constants. In scatter the tables come first, behind a
    window of their own, with a cycle that selects the constant, and a cycle at the end rounds.
    """
    tables = smoothing_tables(config, inner)
    weighted = 1 + ceil_log2(sum(len(signed_digits(weight)) for weight in tables.weights))
    divided = memory_cycles(config) + ceil_log2(len(tables.digits))
    windows = (1 + tables.radius) * (1 + tables.scatter)
    return tables.passes * (windows + weighted + divided + 2 * tables.scatter)


def _row(config: Config, inner: Config) -> StagePlan:
    tables, form = smoothing_tables(config, inner), f"{inner.probability_qformat}"
    computes = "Σ w_k·p_(i+k) / D_(i+k)" if tables.scatter else "Σ w_k·p_(i+k) / D_i"
    times = f", {tables.passes} times" if tables.passes > 1 else ""
    return StagePlan(
        "smoothing",
        f"{computes}, {len(tables.weights)} weights, {len(tables.sums)} values of D{times}",
        form,
        form,
        smoothing_latency(config, inner),
        each_cycle(config),
        tables.passes * tables.bits,
        note="mass preserved" if tables.scatter else "local average",
    )


SMOOTHING = OptionPlan(
    applies=POSTS["smoothing"].applies,
    without=POSTS["smoothing"].without,
    row=_row,
    ahead=_ahead,
)
