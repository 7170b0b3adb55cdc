"""Plan of hardmax: 1.0 for the winner, 0 for all other elements."""

from softstream.hw.config.config import Config
from softstream.hw.plan.fields import Output, probability_field, vector_flags
from softstream.hw.plan.records import ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, maximum_row, steady_plan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, maximum_latency
from softstream.hw.plan.texts import each_cycle

__all__ = ["HARDMAX", "HARDMAX_VECTORS"]

HARDMAX_VECTORS = 16
"""Winners that may wait: more than the cycles of a credit, so vectors of one element follow each other without a bubble."""


def _latency(config: Config) -> int:
    """c: the first beat is transferred B + c cycles after its vector's first of B, with nothing waiting."""
    # The last of B beats comes B − 1 cycles after the first; framing takes one cycle more.
    return maximum_latency(config) + QUEUE_LATENCY + 1


def _plan(config: Config) -> Plan:
    maximum, code = maximum_row(config, maximum_latency(config)), config.probability_form
    stages = (
        frame_row(config),
        maximum,
        StagePlan(
            "hardmax",
            "1.0 at the winner's index, 0 elsewhere",
            maximum.output_format,
            code,
            QUEUE_LATENCY + 1,
            each_cycle(config),
            note=f"with a queue of {HARDMAX_VECTORS} winners and lengths",
        ),
    )
    return steady_plan(config, stages, _latency(config))


def _outputs(config: Config) -> tuple[Output, ...]:
    code = probability_field(config, "one_hot", "code of 1.0 or 0")
    return (Output("m_axis", "o", (code,), "element", "element", vector_flags(config)),)


HARDMAX = ModePlan(_plan, _outputs)
