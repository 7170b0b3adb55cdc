"""Plan of cross-entropy: the loss of each vector's label."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.plan.fields import Field, Output, Sideband, vector_flags
from softstream.hw.plan.modes.vector_logarithm import vector_logarithm_plan
from softstream.hw.plan.records import ModePlan, Plan

__all__ = ["CROSS_ENTROPY"]


def _plan(config: Config) -> Plan:
    note = "the label's score is caught while its vector passes"
    return vector_logarithm_plan(config, "cross_entropy", "the label", note)


def _outputs(config: Config) -> tuple[Output, ...]:
    form = log_numerics(config, signed=False).format
    overlong, *all_masked = vector_flags(config)
    meaning = "unlabelled: the label is none of the vector's elements" + (", or a masked one" if config.mask else "")
    flags = (overlong, Field("unlabelled", "unlabelled", 1, meaning), *all_masked)
    loss = Field("loss", "losses", form.width, "cross-entropy code in nats", form=str(form))
    return (Output("m_axis", "o", (loss,), "vector", "loss", flags),)


def _sidebands(config: Config) -> tuple[Sideband, ...]:
    meaning = f"label: index of the element whose loss is wanted; {config.max_length}: none"
    return (
        Sideband("label", "labels", config.label_width, meaning, per="vector", limit=(1 << config.label_width) - 1),
    )


CROSS_ENTROPY = ModePlan(_plan, _outputs, _sidebands)
