"""Plan of log-sum-exp: the logarithm of each vector's sum relative to its largest score."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.plan.fields import Field, Output, substitute_score, vector_flags
from softstream.hw.plan.modes.vector_logarithm import vector_logarithm_plan
from softstream.hw.plan.records import ModePlan, Plan

__all__ = ["LOG_SUM_EXP"]


def _plan(config: Config) -> Plan:
    note = "the largest score is caught while its vector passes"
    return vector_logarithm_plan(config, "log_sum_exp", "the largest score", note)


def _outputs(config: Config) -> tuple[Output, ...]:
    form = log_numerics(config, signed=False).format
    which = "smallest" if config.selects_smallest else "largest"
    fields = (
        Field("log_sum", "log_sums", form.width, f"ln Σ e^(x − {which}) code in nats", form=str(form)),
        Field("score", "best", config.score_width, f"the {which} score code", config.score_signed),
    )
    flags = vector_flags(config, f"; the {substitute_score(config)} and a logarithm of 0 stand for the result")
    return (Output("m_axis", "o", fields, "vector", "logarithm", flags),)


LOG_SUM_EXP = ModePlan(_plan, _outputs)
