"""Plan of argmax: the winner of each vector."""

from softstream.hw.config.config import Config
from softstream.hw.plan.fields import Output, winner_output
from softstream.hw.plan.records import ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, maximum_row, steady_plan
from softstream.hw.plan.stage_cycles import maximum_latency, skewed

__all__ = ["ARGMAX"]


def _plan(config: Config) -> Plan:
    stages = [frame_row(config), maximum_row(config, maximum_latency(config))]
    if skewed(config):
        winner = stages[-1].output_format
        stages.append(StagePlan("skid", "winner held until accepted", winner, winner, 1, "1 vector/cycle"))
    return steady_plan(config, tuple(stages), sum(stage.latency_cycles for stage in stages) - 1)


def _outputs(config: Config) -> tuple[Output, ...]:
    return (winner_output(config, "m_axis", "o"),)


ARGMAX = ModePlan(_plan, _outputs, passes_ready=lambda config: not skewed(config))
