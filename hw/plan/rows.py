"""Rows that plans of several modes share: framing, the maximum, the sum of exponentials, the ring."""

import math
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.gumbel import GumbelTable
from softstream.hw.numbers.random_words import WORD
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.records import Cycles, Plan, StagePlan
from softstream.hw.plan.schedule import Schedule
from softstream.hw.plan.stage_cycles import draw_cycles
from softstream.hw.plan.texts import clip_text, each_cycle, exponential_format, method_text, once

__all__ = [
    "frame_row",
    "length_warnings",
    "maximum_row",
    "noise_rows",
    "replay_row",
    "serial_term",
    "steady_plan",
    "sum_rows",
]


def frame_row(config: Config, cycles: int = 1) -> StagePlan:
    code = f"{config.score_format}"
    return StagePlan(
        "frame",
        f"position = {'largest code − code' if config.selects_smallest else 'code − smallest code'}; cut at max_length",
        code,
        f"UQ{config.score_width}.0",
        cycles,
        each_cycle(config),
    )


def maximum_row(config: Config, cycles: int) -> StagePlan:
    return StagePlan(
        "maximum",
        f"{config.tie} index of the {config.select} score{', its margin' if config.has_margin else ''}",
        f"UQ{config.score_width}.0",
        f"{config.index_width}-bit index, {config.score_format}{f', UQ{config.score_width}.0' if config.has_margin else ''}",
        cycles,
        each_cycle(config),
        note="exact, from the raw scores",
    )


def noise_rows(config: Config, noise: GumbelTable) -> list[StagePlan]:
    """The rows of a draw by Gumbel noise."""
    each = each_cycle(config)
    score = "−x" if config.selects_smallest else "x"
    units = f"UQ{noise.noise_maximum.bit_length()}.0 in units of {noise.unit:.3g} nats"
    return [
        StagePlan(
            "random_words", "a random word per element", "–", f"{WORD} bits", 0, each, note=f"seed {config.seed}"
        ),
        StagePlan(
            "gumbel",
            f"first index of the largest {score} − ln(−ln u), {len(noise.base)} segments of a straight line",
            f"UQ{config.score_width}.0, {units}",
            f"{config.index_width}-bit index, {config.score_format}",
            draw_cycles(config, noise.sum_width(config)),
            each,
            noise.bits,
            note=f"total variation from softmax at most {noise.bound:.2g}, for every vector; each class of "
            f"a probability of at least {noise.smallest:.1g} within {100 * noise.class_error:.2g} % of it",
        ),
    ]


def serial_term(interval: int) -> tuple[Cycles, ...]:
    """The part of stages that work once per vector in the interval of vectors, if they are serial."""
    return (Cycles(0, interval),) if interval > 1 else ()


def steady_plan(config: Config, stages: tuple[StagePlan, ...], constant: int) -> Plan:
    """The plan of a mode that takes a beat in every cycle and is exact."""
    return Plan(
        config=config,
        stages=stages,
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=(Cycles(1),),
        output_spacing=1,
        bound=None,
        warnings=(),
    )


def sum_rows(
    config: Config, widths: Numerics, cycles: Schedule, accumulator: Fraction, maximum: bool
) -> list[StagePlan]:
    """The rows up to the normalised sum, with or without the row of the winner."""
    tables = widths.tables
    position = f"UQ{config.score_width}.0"
    direct_terms = cycles.align == 0
    copies = config.lanes + config.sink_per_vector
    total = f"{widths.accumulator_format}"
    sink_text = ", with the term of the vector's sink" if config.sink_per_vector else ""
    if config.sink == "fixed":
        sink_text = ", from the term of the sink on"
    each = each_cycle(config)
    rows = [
        frame_row(config, cycles.frame + cycles.entry),
        *([maximum_row(config, cycles.maximum)] if maximum else []),
    ]
    if direct_terms:
        octaves = widths.reference_step if widths.windows else 1 + tables.exponent_maximum
        term = QFormat(octaves, widths.significand_fraction)
        entry = term.width + (widths.coarse_width if widths.windows else 0)
        rows.append(
            StagePlan("exponential", f"M·2^E, shifted terms from a table{clip_text(config)}", position, f"{term}",
                      cycles.lookup, each, copies * len(tables.high) * entry)
        )  # fmt: skip
    else:
        rows.append(
            StagePlan("exponential", f"2^(βx): {method_text(widths)}{clip_text(config)}", position,
                      exponential_format(widths), cycles.lookup, each,
                      copies * tables.bits,
                      note="monotone" if tables.monotone else "not monotone; the winner is not affected")
        )  # fmt: skip
    rows += [
        StagePlan(
            "accumulate",
            f"Σ exact, every octave at once{sink_text}"
            if widths.absolute
            else f"Σ in the two highest windows of {widths.reference_step} octaves"
            if widths.windows
            else f"Σ against a running reference of {widths.reference_step} octaves",
            rows[-1].output_format,
            total,
            cycles.align + cycles.merge + cycles.accumulate,
            each,
            bound_share_ulp=float(accumulator),
        ),
        StagePlan(
            "leading_one",
            "leading one: Σ = 2^n·m",
            total,
            f"n {widths.sum_exponent_width} bits, m {widths.divisor_format}",
            cycles.normalise,
            once(cycles.normalise_interval),
        ),
    ]
    return rows


def replay_row(config: Config, cycles: Schedule, element: str) -> StagePlan:
    position = f"UQ{config.score_width}.0"
    entries = cycles.replay_entries(config.beats(config.max_length))
    # The positions and masks of the lanes, which of them but the first hold an element, and the end of the vector.
    entry = config.lanes * (config.score_width + config.mask + 1)
    return StagePlan(
        "replay",
        f"raw scores again, {entries} entries",
        position,
        position,
        cycles.replay,
        element,
        note=f"a memory of {entries * entry} bits, not a table",
        memory_bits=entries * entry,
    )


def length_warnings(config: Config) -> list[str]:
    warnings = []
    if config.max_length > 1 << (config.probability_width - 2) and config.normaliser != "none":
        warnings.append(
            f"max_length = {config.max_length} exceeds 2^(P − 2) = {1 << (config.probability_width - 2)}: in a long vector "
            f"many probabilities lie below half an ulp and round to 0; probability_width = "
            f"{min(24, (config.max_length - 1).bit_length() + 2)} would keep them apart"
        )
    if config.effective_scale * 2**config.score_width < 2.0**-config.probability_width:
        warnings.append(
            f"{config.scale_text}: the whole range of scores changes a probability by less than one ulp; "
            "check the scale"
        )
    if config.effective_scale > (config.probability_width + 1) * math.log(2):
        warnings.append(
            f"{config.scale_text}: a step of the score is {config.effective_scale:.3g} nats, so that all but the largest scores "
            "have the probability 0; check the scale, or take mode = 'argmax'"
        )
    return warnings
