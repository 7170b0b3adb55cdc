"""The plan of each mode, without the stages that options put around it."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound, bound
from softstream.hw.numbers.gumbel import gumbel_table
from softstream.hw.numbers.inverse_cdf import cdf_law, exact_sum
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.numbers.random_words import WORD
from softstream.hw.numbers.sigmoid import sigmoid_codes
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.numbers.two_pass import differences
from softstream.hw.numbers.unnormalised import exponential_bound, exponential_codes, sum_format
from softstream.hw.plan.hardmax import HARDMAX_VECTORS, hardmax_latency
from softstream.hw.plan.inverse_cdf import inverse_cdf_schedule
from softstream.hw.plan.ports import top_ports
from softstream.hw.plan.records import Plan, StagePlan, beats_text, each_cycle, once
from softstream.hw.plan.rows import (
    clip_text,
    exponential_format,
    frame_row,
    insertion_row,
    kept_row,
    length_warnings,
    log_sum_row,
    maximum_row,
    method_text,
    positions_text,
    replay_row,
    serial_term,
    steady_plan,
    sum_stages,
)
from softstream.hw.plan.schedule import (
    QUEUE_LATENCY,
    Schedule,
    exponential_schedule,
    loss_schedule,
    maximum_latency,
    memory_cycles,
    sample_latency,
    schedule,
    sigmoid_latency,
    skewed,
    two_pass_schedule,
)
from softstream.hw.plan.top_k import (
    join_latency,
    kept_latency,
    kept_vectors,
    merged_pause,
    softmax_top_k_latency,
    softmax_top_k_vectors,
    top_k_latency,
    top_k_vectors,
)

__all__ = ["PLANS", "softmax_plan"]


def _argmax_plan(config: Config) -> Plan:
    stages = [frame_row(config), maximum_row(config, maximum_latency(config))]
    if skewed(config):
        winner = stages[-1].output_format
        stages.append(StagePlan("skid", "winner kept until taken", winner, winner, 1, "1 vector/cycle"))
    return steady_plan(config, tuple(stages), sum(stage.latency_cycles for stage in stages) - 1)


def _two_pass_plan(config: Config, limits: Bound) -> Plan:
    table, cycles = differences(config), two_pass_schedule(config)
    position, total = f"UQ{config.score_width}.0", f"{QFormat(table.sum_width - table.fraction, table.fraction)}"
    exponential = f"{QFormat(0, table.fraction)}"
    spacing = f"{cycles.element} cycles/element"
    stages = (
        maximum_row(config, 1),
        StagePlan(
            "two_pass",
            f"Σ 2^(−βd), d = maximum − score: one table of {len(table.entries)} entries",
            position,
            total,
            1 + cycles.lookup,
            "1 element/cycle",
            table.bits,
            float(limits.exponential),
        ),
        StagePlan(
            "two_pass",
            f"2^(−βd) / Σ, one bit a step, without the lowest {table.dropped} bits",
            f"{exponential}, {total}",
            f"{config.probability_qformat}",
            cycles.output + 2,
            spacing,
            bound_share_ulp=float(limits.normaliser + limits.rounding),
            note="rounded half up, saturated",
        ),
    )
    beats, slope = beats_text(config), cycles.element + 2
    return Plan(
        config=config,
        stages=stages,
        ports=top_ports(config),
        fixed_latency_cycles=cycles.first_output,
        best_latency_cycles=0,
        interval_terms=((f"{slope}{beats} + {cycles.vector}", slope, cycles.vector),),
        output_spacing=cycles.element,
        bound=limits,
        warnings=tuple(length_warnings(config)),
        passes=2,
    )


def softmax_plan(config: Config, limits: Bound | None = None) -> Plan:
    """`limits` where they are not to be checked."""
    if config.accumulator == "two_pass":
        return _two_pass_plan(config, limits or bound(config))
    widths, cycles = numerics(config), schedule(config)
    limits = limits or bound(config, widths)
    beats = beats_text(config)
    constant = cycles.fixed_latency
    terms: list[tuple[str, int, int]] = [(beats, 1, 0)]
    if cycles.quotient_interval > 1:
        terms = [(f"{cycles.quotient_interval}{beats}", cycles.quotient_interval, 0)]
    return Plan(
        config=config,
        stages=tuple(_softmax_stages(config, widths, cycles, limits)),
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=cycles.frame + cycles.entry + cycles.maximum + cycles.winners - 1,
        interval_terms=(*terms, *serial_term(cycles.vector_interval)),
        output_spacing=cycles.quotient_interval,
        bound=limits,
        warnings=tuple(length_warnings(config)),
    )


def _hardmax_plan(config: Config) -> Plan:
    maximum, code = maximum_row(config, maximum_latency(config)), f"{config.probability_qformat}"
    stages = (
        frame_row(config),
        maximum,
        StagePlan("hardmax", "1.0 at the winner's index, 0 elsewhere", maximum.output_format, code, QUEUE_LATENCY + 1,
                  each_cycle(config), note=f"with a queue of {HARDMAX_VECTORS} winners and lengths"),
    )  # fmt: skip
    return steady_plan(config, stages, hardmax_latency(config))


def _ranks_term(config: Config, spacing: int) -> list[tuple[str, int, int]]:
    """What the beats that come out make of the interval of vectors, where they may take longer than those that come in."""
    pause = merged_pause(config, spacing)
    text = f"{spacing if spacing > 1 else ''}min(N, {config.top_k}){f' + {pause}' if pause else ''}"
    return [(text, 0, 0)] if spacing > 1 or config.lanes > 1 else []


def _top_k_plan(config: Config) -> Plan:
    cycles = join_latency(config) + QUEUE_LATENCY + kept_latency(config)
    kept = kept_row(config, kept_vectors(top_k_vectors(config)), cycles)
    found = steady_plan(config, (frame_row(config), insertion_row(config), kept), top_k_latency(config))
    terms = (*found.interval_terms, *_ranks_term(config, 1))
    return replace(found, interval_terms=terms, output_pause=merged_pause(config, 1))


def _softmax_top_k_plan(config: Config) -> Plan:
    widths, cycles = numerics(config), schedule(config)
    limits = bound(config, widths)
    constant = softmax_top_k_latency(config, cycles)
    terms = [
        (beats_text(config), 1, 0),
        *serial_term(cycles.vector_interval),
        *_ranks_term(config, cycles.quotient_interval),
    ]
    # The sum and the emission are the softmax's; the list stands in the place of the winner, and of the ring of scores.
    kept = kept_vectors(softmax_top_k_vectors(config, cycles))
    instead = {
        "maximum": insertion_row(config),
        "replay": kept_row(config, kept, 1 + kept_latency(config) + cycles.memory - 1),
    }
    one = config.replace(lanes=1)  # of whose elements one leaves after the other
    stages = [instead.get(row.name, row) for row in _softmax_stages(config, widths, cycles, limits, one)]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=tuple(terms),
        output_spacing=cycles.quotient_interval,
        output_pause=merged_pause(config, cycles.quotient_interval),
        bound=limits,
        warnings=tuple(length_warnings(config)),
    )


def _softmax_stages(
    config: Config, widths: Numerics, cycles: Schedule, limits: Bound, emitting: Config | None = None
) -> list[StagePlan]:
    """The rows of a softmax; `emitting` where elements leave in other lanes than they came in."""
    tables = widths.tables
    position = f"UQ{config.score_width}.0"
    factor = {
        "divider": f"{widths.divisor_format}",
        "reciprocal": f"{QFormat(0, widths.reciprocal_width)}",
        "logarithm": f"{QFormat(0, widths.divisor_fraction - 1)}",
        "none": "–",
    }[config.normaliser]
    chords = widths.reciprocals
    rows = sum_stages(config, widths, cycles, limits.accumulator, True)
    config = emitting or config
    each = each_cycle(config)
    if config.normaliser == "reciprocal":
        rows.append(
            StagePlan("reciprocal", "r = 1/m, one bit a step", f"{widths.divisor_format}", factor, cycles.factor,
                      once(cycles.factor_interval))
            if chords is None
            else StagePlan("reciprocal", f"r = 1/m, by {len(chords.start)} chords", f"{widths.divisor_format}", factor,
                           cycles.factor, "1 vector/cycle", chords.bits)
        )  # fmt: skip
    logarithms = widths.logarithms
    if logarithms is not None:
        rows.append(
            StagePlan("logarithm", f"log2 m, one table of {1 << logarithms.fraction} entries", f"{widths.divisor_format}",
                      factor, cycles.factor, "1 vector/cycle", len(logarithms.logarithm) * logarithms.working_fraction)
        )  # fmt: skip
    element = (
        each
        if cycles.quotient_interval == 1
        else f"{cycles.quotient_interval} cycles/{'element' if config.lanes == 1 else 'beat'}"
    )
    rows.append(replay_row(config, cycles, element))
    if logarithms is not None:
        rows.append(
            StagePlan(
                "logarithm",
                f"2^-(log2 Σ − βx), tables of {len(logarithms.position)} and {2 << logarithms.fraction} entries",
                f"{position}, {factor}",
                f"{config.probability_qformat}",
                cycles.exponential + cycles.distance + cycles.quotient + cycles.round + QUEUE_LATENCY,
                each,
                config.lanes
                * (
                    len(logarithms.position) * int(logarithms.position.max()).bit_length()
                    + (2 << logarithms.fraction) * config.output_width
                ),
                float(limits.exponential + limits.normaliser + limits.rounding),
                "with the output queue",
            )
        )
        return rows
    quotient = {
        "divider": ("divider", "M / m, one bit a step"),
        "reciprocal": ("reciprocal", "M · r, one multiplier"),
        "none": ("unnormalised", "M / 2: over a power of two, no divider"),
    }[config.normaliser]
    rows += [
        StagePlan(
            "exponential",
            f"2^(βx): {method_text(widths)}{clip_text(config)}",
            position,
            exponential_format(widths),
            cycles.exponential,
            each,
            config.lanes * tables.bits,
            float(limits.exponential),
            "monotone" if tables.monotone else "not monotone; the winner is not affected",
        ),
        StagePlan(
            quotient[0],
            quotient[1],
            f"M {widths.significand_format}, {factor}",
            f"{widths.quotient_format}",
            cycles.distance + cycles.quotient,
            element,
            bound_share_ulp=float(limits.normaliser),
        ),
        StagePlan(
            "round",
            "shift by n − E, round half up, saturate",
            f"{widths.quotient_format}",
            f"{config.probability_qformat}",
            cycles.round + QUEUE_LATENCY,
            each,
            bound_share_ulp=float(limits.rounding),
            note="with the output queue",
        ),
    ]
    return rows


def _log_softmax_plan(config: Config) -> Plan:
    numbers, cycles = log_numerics(config, signed=True), schedule(config)
    limits, each, beats = log_bound(config), each_cycle(config), beats_text(config)
    stages = [
        *sum_stages(config, numbers.widths, cycles, limits.accumulator, True),
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
    ]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=cycles.fixed_latency,
        best_latency_cycles=cycles.frame + cycles.entry + cycles.maximum + cycles.winners - 1,
        interval_terms=((beats, 1, 0), *serial_term(cycles.vector_interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


def _cross_entropy_plan(config: Config) -> Plan:
    numbers, cycles, times = log_numerics(config, signed=False), schedule(config), loss_schedule(config)
    limits = log_bound(config)
    stages = [
        *sum_stages(config, numbers.widths, cycles, limits.accumulator, False),
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
    ]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=times.vector - 1,
        best_latency_cycles=times.vector - 1,
        interval_terms=((beats_text(config), 1, 0), *serial_term(times.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


def _exponential_plan(config: Config) -> Plan:
    codes = exponential_codes(config)
    limits, cycles, each = exponential_bound(codes), exponential_schedule(config), each_cycle(config)
    narrow = codes.codes is not None
    tables = codes.widths.tables
    lookup = (
        f"min(1, e^(s(x − c))), one table of {1 << config.score_width} entries"
        if narrow
        else f"min(1, e^(s(x − c))), {method_text(codes.widths)}, shift and rounding"
    )
    stages = [
        frame_row(config),
        maximum_row(config, maximum_latency(config)),
        StagePlan(
            "exponentials",
            lookup,
            f"UQ{config.score_width}.0",
            f"{config.probability_qformat}",
            cycles.lookup + QUEUE_LATENCY,
            each,
            config.lanes * ((1 << config.score_width) * config.output_width if narrow else tables.bits),
            float(limits.total),
            f"with the output queue; Σ of the codes beside the winner, {sum_format(config)}",
        ),
    ]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=cycles.element,
        best_latency_cycles=cycles.vector - 1,
        interval_terms=((beats_text(config), 1, 0), *serial_term(cycles.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
        passes=0,
    )


def _sigmoid_plan(config: Config) -> Plan:
    codes = sigmoid_codes(config)
    half = Fraction(1, 2)
    limits = Bound(
        exponential=Fraction(0),
        accumulator=Fraction(0),
        normaliser=Fraction(0),
        rounding=half,
        total=half,
        saturation=Fraction(int(config.probability_format == "UQ0")),
    )
    result = f"{config.probability_qformat}"
    rows = [
        frame_row(config),
        StagePlan(
            "sigmoid",
            f"1/(1 + e^−x), one table of {len(codes)} entries",
            f"UQ{config.score_width}.0",
            result,
            memory_cycles(config),
            each_cycle(config),
            len(codes) * config.output_width,
            float(half),
            "correctly rounded",
        ),
    ]
    if config.profile != "small":
        rows.append(StagePlan("skid", "probability kept until taken", result, result, 1, each_cycle(config)))
    return replace(steady_plan(config, tuple(rows), sigmoid_latency(config)), bound=limits, passes=0)


def _inverse_cdf_plan(config: Config) -> Plan:
    law, cycles = cdf_law(config), inverse_cdf_schedule(config)
    inner, sums, widths, each = exact_sum(config), cycles.sums, law.widths, each_cycle(config)
    first_pass = sum_stages(inner, widths, sums, Fraction(0), False)[:-1]
    position, exponential, total = f"UQ{config.score_width}.0", first_pass[-2], f"{widths.accumulator_format}"
    interval, share = f"{cycles.threshold} cycles/vector", f"UQ0.{law.share_bits}"
    stages = [
        *first_pass,
        StagePlan("generator", "a random word per vector", "–", f"{law.share_bits} of {WORD} bits", 0, "1 vector/cycle",
                  note=f"seed {config.seed}"),
        StagePlan("threshold", f"Σ · u, {cycles.digit} of the {law.share_bits} bits of u a step", f"{total}, {share}", total,
                  cycles.threshold, interval),
        replace(replay_row(inner, sums, each),
                computes=f"raw scores again, {cycles.elements(config.max_length)} entries"),
        StagePlan("search", f"first index whose running sum exceeds it; {exponential.computes}", f"{position}, {total}",
                  f"{config.index_width}-bit index, {config.score_format}", cycles.search + QUEUE_LATENCY, each,
                  exponential.table_bits,
                  note=f"with the output queue; total variation from softmax at most {float(law.bound):.2g}, for every vector"),
    ]  # fmt: skip
    constant = cycles.vector_latency + cycles.output - 1
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=((beats_text(config), 1, 0), (str(cycles.vector_interval), 0, cycles.vector_interval)),
        output_spacing=1,
        bound=None,
        warnings=(),
        distance=float(law.bound),
        searched=True,
    )


def _sample_plan(config: Config) -> Plan:
    if config.sampler == "inverse_cdf":
        return _inverse_cdf_plan(config)
    noise = gumbel_table(config)
    each, position = each_cycle(config), f"UQ{config.score_width}.0"
    units = f"UQ{noise.noise_maximum.bit_length()}.0 in units of {noise.unit:.3g} nats"
    winner = f"{config.index_width}-bit index, {config.score_format}"
    rows = [
        frame_row(config),
        StagePlan("generator", "a random word per element", "–", f"{WORD} bits", 1, each, note=f"seed {config.seed}"),
        StagePlan(
            "sample",
            f"first index of the largest x − ln(−ln u), {len(noise.base)} segments of a straight line",
            f"{position}, {units}",
            winner,
            4 + memory_cycles(config),
            each,
            noise.bits,
            note=f"total variation from softmax at most {noise.bound:.2g}, for every vector",
        ),
    ]
    if config.profile != "small":
        rows.append(StagePlan("skid", "draw kept until taken", winner, winner, 1, "1 vector/cycle"))
    return replace(steady_plan(config, tuple(rows), sample_latency(config) - 1), distance=noise.bound)


PLANS: dict[str, Callable[[Config], Plan]] = {
    "argmax": _argmax_plan,
    "softmax": softmax_plan,
    "log_softmax": _log_softmax_plan,
    "cross_entropy": _cross_entropy_plan,
    "exponential": _exponential_plan,
    "sigmoid": _sigmoid_plan,
    "sample": _sample_plan,
    "hardmax": _hardmax_plan,
    "top_k": _top_k_plan,
    "softmax_top_k": _softmax_top_k_plan,
}
"""Mode → what plans it."""
