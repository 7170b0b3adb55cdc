"""Plan of the mean of an ensemble's probabilities, behind the head."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2, signed_digits
from softstream.hw.numbers.composition import POSTS, composition
from softstream.hw.numbers.ensemble import mean_division, mean_format
from softstream.hw.plan.fields import Field, Output
from softstream.hw.plan.options.ensemble import with_uneven
from softstream.hw.plan.records import OptionPlan, Plan, StagePlan
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = ["MEAN_PROBABILITIES", "best_mean_latency", "late_cycles", "mean_latency", "sums_latency"]


def sums_latency(config: Config) -> int:
    """From a beat of the last member to the sums over the members, behind a register."""
    return memory_cycles(config) + 3


def mean_latency(config: Config, inner: Config) -> int:
    """From a beat of guarded probabilities of the last member to that of their mean: a cycle for each level of the product."""
    division = mean_division(config.ensemble, inner.probability_width)
    return sums_latency(config) + ceil_log2(len(signed_digits(division.multiplier)))


def late_cycles(config: Config) -> int:
    """From the comparison of a sum with the best one to its replacement: none in the profile small."""
    return int(config.profile != "small")


def best_mean_latency(config: Config) -> int:
    """From the last beat to the winner of the mean: a cycle for each level of the tree over the lanes, and those of the loop."""
    return sums_latency(config) + ceil_log2(config.lanes) + 1 + late_cycles(config)


def _row(config: Config, inner: Config) -> StagePlan:
    form = f"{inner.probability_qformat}"
    return StagePlan(
        "mean_probabilities",
        f"Σ of the probabilities of {config.ensemble} members, over {config.ensemble}; {config.tie} index of the largest sum",
        form,
        form,
        mean_latency(config, inner),
        each_cycle(config),
        note=f"sums exact, {mean_format(config, inner)}, with a memory of {config.beats(config.max_length)}",
    )


def _times(config: Config, head: Plan) -> Plan:
    """The members pass the head one after the other."""
    return replace(
        head,
        lead_terms=tuple(term.times(config.ensemble - 1) for term in head.interval_terms),
        interval_terms=tuple(term.times(config.ensemble) for term in head.interval_terms),
        best_passes=head.passes + head.output_spacing,
        # From the last member's last probability, which stands for its winner, through the skid.
        best_latency_cycles=head.fixed_latency_cycles - head.output_spacing + best_mean_latency(config) + 1,
    )


def _outputs(config: Config, softmax: tuple[Output, ...]) -> tuple[Output, ...]:
    """Those of softmax; but a mean leaves before its last member has been checked, and its winner has a sum, not a score."""
    means, best = softmax
    parts = composition(config)
    assert parts is not None
    form = mean_format(config, parts.inner)
    meaning = f"the sum of its {config.ensemble} probabilities, before any rounding of their mean"
    total = Field("sum", "best_sum", form.width, meaning, form=str(form))
    index = replace(best.fields[0], meaning="index of the largest mean")
    return with_uneven((replace(means, flags_at_last=True), replace(best, fields=(index, total))))


MEAN_PROBABILITIES = OptionPlan(
    applies=POSTS["mean_probabilities"].applies,
    without=POSTS["mean_probabilities"].without,
    row=_row,
    outputs=_outputs,
    times=_times,
)
