"""Plan of groups: packets of several vectors."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.plan.fields import GAP_TEXT, OVERLONG, Field, Output
from softstream.hw.plan.records import OptionPlan, Plan, StagePlan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.plan.texts import each_cycle

__all__ = ["GROUPS"]

_INCOMPLETE = Field("incomplete", "incomplete", 1, "incomplete: the packet ended inside the group")


def _row(config: Config, inner: Config) -> StagePlan:
    code = f"{config.score_format}"
    return StagePlan(
        "groups",
        f"ends of groups of {', '.join(map(str, config.groups))}, over and over",
        code,
        code,
        0,
        each_cycle(config),
        note="a queue around the head holds a mark for each group: the packet's end, and whether the group is short",
    )


def _times(config: Config, vectors: Plan) -> Plan:
    # A winner waits for its group's mark, which passes through a queue.
    return replace(vectors, best_latency_cycles=max(vectors.best_latency_cycles, QUEUE_LATENCY - 1))


def _grouped(config: Config, output: Output) -> Output:
    """An output of the head of vectors as that of packets of groups: a group, which is never cut, may be short."""
    meaning = f"{_INCOMPLETE.meaning}, {GAP_TEXT}" if config.flags_gaps else _INCOMPLETE.meaning
    incomplete = replace(_INCOMPLETE, meaning=meaning)
    flags = tuple(incomplete if flag.name == OVERLONG.name else flag for flag in output.flags)
    if output.per == "vector":
        return replace(output, per="group", flags=flags)
    return replace(output, flags=flags, flags_at_last=True, ends=True)


GROUPS = OptionPlan(
    applies=lambda config: bool(config.groups),
    without=lambda config: config.replace(groups=[]),
    row=_row,
    outputs=lambda config, outputs: tuple(_grouped(config, output) for output in outputs),
    times=_times,
)
