"""Plan of softmax: the sum of the exponentials on the way in, each probability on the way out, and the winner."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound, bound
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.plan.fields import Output, overlong_flag, probability_field, sink_sidebands, winner_output
from softstream.hw.plan.modes.two_pass import two_pass_plan
from softstream.hw.plan.normalisers import NORMALISER_PLANS
from softstream.hw.plan.normalisers.exact_sum import exact_rows
from softstream.hw.plan.normalisers.interface import element_interval
from softstream.hw.plan.records import Cycles, ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import length_warnings, replay_row, serial_term, sum_rows
from softstream.hw.plan.schedule import Schedule, schedule

__all__ = ["SOFTMAX", "softmax_plan", "softmax_rows"]


def softmax_plan(config: Config, limits: Bound | None = None) -> Plan:
    """The plan of a softmax head with `limits`, which are not checked; without them, with the bound, which is."""
    if config.two_pass:
        return two_pass_plan(config, limits or bound(config))
    widths, cycles = numerics(config), schedule(config)
    limits = limits or bound(config, widths)
    return Plan(
        config=config,
        stages=tuple(softmax_rows(config, widths, cycles, limits)),
        fixed_latency_cycles=cycles.fixed_latency,
        best_latency_cycles=cycles.winner_latency,
        interval_terms=(Cycles(cycles.quotient_interval), *serial_term(cycles.vector_interval)),
        output_spacing=cycles.quotient_interval,
        bound=limits,
        warnings=tuple(length_warnings(config)),
    )


def softmax_rows(
    config: Config, widths: Numerics, cycles: Schedule, limits: Bound, emission: Config | None = None
) -> list[StagePlan]:
    """The rows of a softmax; `emission` differs from `config` if elements leave in other lanes than they came in."""
    normaliser, emission = NORMALISER_PLANS[config.division], emission or config
    return [
        *sum_rows(config, widths, cycles, limits.accumulator, True),
        *normaliser.factor_rows(config, widths, cycles.normaliser),
        replay_row(emission, cycles, element_interval(emission, cycles.normaliser)),
        *(exact_rows if config.exact_sum else normaliser.emission_rows)(emission, widths, cycles.normaliser, limits),
    ]


def _outputs(config: Config) -> tuple[Output, ...]:
    return (
        Output("m_axis", "o", (probability_field(config),), "element", "probability", (overlong_flag(config),)),
        winner_output(config, "m_axis_best", "o_best"),
    )


SOFTMAX = ModePlan(softmax_plan, _outputs, sink_sidebands)
