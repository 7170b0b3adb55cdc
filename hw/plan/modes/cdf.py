"""Plan of the cumulative probabilities: that of softmax with an exact sum, whose rounded running sums are the results."""

from softstream.hw.config.config import Config
from softstream.hw.plan.fields import Field, Output, overlong_flag, winner_output
from softstream.hw.plan.modes.softmax import softmax_plan
from softstream.hw.plan.records import ModePlan

__all__ = ["CDF"]


def _outputs(config: Config) -> tuple[Output, ...]:
    code = Field(
        "cumulative", "cumulative", config.output_width, "cumulative probability code", form=config.probability_form
    )
    return (
        Output("m_axis", "o", (code,), "element", "cumulative probability", (overlong_flag(config),)),
        winner_output(config, "m_axis_best", "o_best"),
    )


CDF = ModePlan(softmax_plan, _outputs)
