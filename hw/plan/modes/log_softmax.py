"""Plan of log-softmax: the natural logarithm of each probability, and the winner."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.plan.fields import Field, Output, overlong_flag, sink_sidebands, winner_output
from softstream.hw.plan.normalisers.log_sum import log_sum_row, positions_text
from softstream.hw.plan.records import Cycles, ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import replay_row, serial_term, sum_rows
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.texts import each_cycle

__all__ = ["LOG_SOFTMAX"]


def _plan(config: Config) -> Plan:
    numbers, cycles = log_numerics(config, signed=True), schedule(config)
    limits, each = log_bound(config), each_cycle(config)
    stages = (
        *sum_rows(config, numbers.widths, cycles, limits.accumulator, True),
        log_sum_row(config, numbers, limits),
        replay_row(config, cycles, each),
        StagePlan(
            "log_softmax",
            f"x − ln Σ, {positions_text(numbers)}; rounded half away from zero",
            f"UQ{config.score_width}.0, {QFormat(numbers.widths.sum_exponent_width, numbers.tables.working_fraction)}",
            f"{numbers.format}",
            cycles.probability + cycles.queue,
            each,
            config.lanes * numbers.tables.position_bits,
            float(limits.rounding),
            "with the output queue",
        ),
    )
    return Plan(
        config=config,
        stages=stages,
        fixed_latency_cycles=cycles.fixed_latency,
        best_latency_cycles=cycles.winner_latency,
        interval_terms=(Cycles(1), *serial_term(cycles.vector_interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


def _outputs(config: Config) -> tuple[Output, ...]:
    form = log_numerics(config, signed=True).format
    code = Field(
        "log_probability", "log_probabilities", form.width, "log-softmax code in nats", signed=True, form=str(form)
    )
    if config.mask:
        code = replace(code, meaning=f"{code.meaning}, the most negative where masked")
    return (
        Output("m_axis", "o", (code,), "element", "log-softmax", (overlong_flag(config),)),
        winner_output(config, "m_axis_best", "o_best"),
    )


LOG_SOFTMAX = ModePlan(_plan, _outputs, sink_sidebands)
