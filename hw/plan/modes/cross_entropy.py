"""Plan of cross-entropy: the loss of each vector's label."""

from dataclasses import dataclass
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.plan.fields import Field, Output, Sideband, vector_flags
from softstream.hw.plan.normalisers.log_sum import log_sum_row, positions_text
from softstream.hw.plan.records import Cycles, ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import serial_term, sum_rows
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY

__all__ = ["CROSS_ENTROPY", "LossSchedule", "loss_schedule"]


@dataclass(frozen=True)
class LossSchedule:
    """Cycles of a cross-entropy head: those of the sum, its logarithm, and a difference."""

    lookup: int
    """From ln Σ to the loss."""
    vector: int
    """From the transfer of a vector's last element to that of its loss."""
    interval: int
    """Between the last elements of two vectors, at the least."""


@lru_cache(maxsize=256)
def loss_schedule(config: Config) -> LossSchedule:
    """The schedule of a cross-entropy head."""
    cycles, lookup = schedule(config), 2
    return LossSchedule(lookup, cycles.vector_latency + lookup + QUEUE_LATENCY, cycles.vector_interval)


def _plan(config: Config) -> Plan:
    numbers, cycles, times = log_numerics(config, signed=False), schedule(config), loss_schedule(config)
    limits = log_bound(config)
    stages = (
        *sum_rows(config, numbers.widths, cycles, limits.accumulator, False),
        log_sum_row(config, numbers, limits),
        StagePlan(
            "cross_entropy",
            f"ln Σ − x of the label, {positions_text(numbers)}; rounded half up",
            f"UQ{config.score_width}.0, {QFormat(numbers.widths.sum_exponent_width, numbers.tables.working_fraction)}",
            f"{numbers.format}",
            times.lookup + QUEUE_LATENCY,
            "1 vector/cycle",
            numbers.tables.position_bits,
            float(limits.rounding),
            "with the output queue; the label's score is caught while its vector passes",
        ),
    )
    return Plan(
        config=config,
        stages=stages,
        fixed_latency_cycles=times.vector - 1,
        best_latency_cycles=times.vector - 1,
        interval_terms=(Cycles(1), *serial_term(times.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


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
