"""Plan of the mean of an ensemble's scores, in front of the head."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import FRONTS
from softstream.hw.plan.options.ensemble import with_uneven
from softstream.hw.plan.records import Cycles, OptionPlan, Plan, StagePlan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, memory_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = ["MEAN_LOGITS"]


def _row(config: Config, after: Config) -> StagePlan:
    return StagePlan(
        "mean_logits",
        f"Σ of the scores of {config.ensemble} members, in steps of {after.score_scale:.4g} nats; cut at max_length",
        f"{config.score_format}",
        f"{after.score_format}",
        memory_cycles(config) + 4,
        each_cycle(config),
        note=f"exact, with a memory of {config.beats(config.max_length)} sums, {config.max_length * after.score_width} bits",
        memory_bits=config.max_length * after.score_width,
    )


def _times(config: Config, head: Plan) -> Plan:
    """A beat of each member is accepted in every cycle, whatever the head behind takes."""
    members = config.ensemble
    slower = tuple(term for term in head.interval_terms if term.constant or term.slope > members)
    return replace(
        head,
        lead_terms=(Cycles(members - 1),),
        interval_terms=(Cycles(members), *slower),
        # The flags bypass the head through a queue.
        best_latency_cycles=max(head.best_latency_cycles, QUEUE_LATENCY - 1),
    )


MEAN_LOGITS = OptionPlan(
    applies=FRONTS["mean_logits"].applies,
    without=FRONTS["mean_logits"].without,
    row=_row,
    outputs=lambda config, outputs: with_uneven(outputs),
    times=_times,
)
