"""Plan of the stage that drops null beats, in front of everything else."""

from dataclasses import replace

from softstream.hw.plan.records import Plan, StagePlan
from softstream.hw.plan.texts import each_cycle

__all__ = ["LATENCY", "behind_null_beats"]

LATENCY = 3
"""From a beat to the same beat behind the stage and its skid buffer, where the next beat follows at once."""


def behind_null_beats(head: Plan) -> Plan:
    """The plan of a head with the stage in front of it."""
    config = head.config
    row = StagePlan(
        "null_beats",
        "drops beats without bytes; one with tlast ends the vector at the beat before it",
        f"{config.score_format}",
        f"{config.score_format}",
        LATENCY,
        each_cycle(config),
        note="a beat waits until the next one tells whether it is the vector's last; a skid buffer follows",
    )
    late = _later(head)
    return replace(late, stages=(row, *head.stages), vectors=None if late.vectors is None else _later(late.vectors))


def _later(head: Plan) -> Plan:
    return replace(
        head,
        fixed_latency_cycles=head.fixed_latency_cycles + LATENCY,
        best_latency_cycles=head.best_latency_cycles + LATENCY,
    )
