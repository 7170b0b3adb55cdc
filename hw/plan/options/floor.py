"""Plan of the probability floor, and the number of vectors on their way to it."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.composition import POSTS
from softstream.hw.numbers.floor import floor_code, floor_warning
from softstream.hw.plan.options.smoothing import SMOOTHING, smoothing_latency
from softstream.hw.plan.records import OptionPlan, StagePlan
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.texts import each_cycle

__all__ = ["FLOOR", "entry_cycles", "floor_latency", "floor_vectors"]


def entry_cycles(config: Config) -> int:
    """Registers behind the queue of the probabilities: one in `fast`, because the block RAM of an iCE40 has none."""
    return int(config.profile == "fast")


def floor_latency(config: Config, inner: Config) -> int:
    """From a probability to that above the floor: by a multiplier where the normaliser has one, else by adders alone."""
    return entry_cycles(config) + (3 if config.division == "reciprocal" else 1 + ceil_log2(inner.output_width + 1))


def floor_vectors(config: Config, inner: Config) -> int:
    """Vectors whose share may wait for their probabilities: as many of one element as come in while one is on its way."""
    if config.two_pass:
        return 4  # one after the other
    cycles = schedule(inner)
    before = smoothing_latency(config, inner) if SMOOTHING.applies(config) else 0
    # Credits are counted two cycles late.
    way = cycles.vector_latency + cycles.emission_latency + before + entry_cycles(config) + 4
    return way // max(cycles.vector_interval, cycles.quotient_interval) + 4


def _row(config: Config, inner: Config) -> StagePlan:
    form = f"{inner.probability_qformat}"
    code = floor_code(config, inner)
    return StagePlan(
        "floor",
        f"f + (1 − f·N)·p, f = {code}·2^−{inner.probability_width} = {code / (1 << inner.probability_width):.6g}",
        form,
        form,
        floor_latency(config, inner),
        each_cycle(config),
        note="N at run time, counted while the vector comes in",
    )


def _warnings(config: Config, inner: Config) -> list[str]:
    warning = floor_warning(config, inner)
    return [] if warning is None else [warning]


FLOOR = OptionPlan(
    applies=POSTS["floor"].applies,
    without=POSTS["floor"].without,
    row=_row,
    warnings=_warnings,
)
