"""Rows behind the last post stage: the one rounding of guarded probabilities, and the register that cuts the ready path."""

from softstream.hw.config.config import Config
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.texts import each_cycle

__all__ = ["final_rows"]


def final_rows(config: Config, inner: Config) -> list[StagePlan]:
    before, after, each = f"{inner.probability_qformat}", f"{config.probability_qformat}", each_cycle(config)
    return [
        StagePlan("final_round", "rounded half up, saturated", before, after, 1, each, bound_share_ulp=0.5),
        StagePlan("skid", "probability held until accepted", after, after, 1, each),
    ]
