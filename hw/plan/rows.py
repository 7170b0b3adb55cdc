"""Rows that plans of several modes have: framing, the maximum, the sum of exponentials, the ring, lists and logarithms."""

from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.log_softmax import LogNumerics
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.ports import top_ports
from softstream.hw.plan.records import Plan, StagePlan, beats_text, each_cycle, once
from softstream.hw.plan.schedule import Schedule, schedule
from softstream.hw.plan.top_k import INSERTION_LATENCY, list_of, tag_width

__all__ = [
    "clip_text",
    "exponential_format",
    "frame_row",
    "insertion_row",
    "kept_row",
    "length_warnings",
    "log_sum_row",
    "maximum_row",
    "method_text",
    "positions_text",
    "replay_row",
    "serial_term",
    "steady_plan",
    "sum_stages",
]


def frame_row(config: Config, cycles: int = 1) -> StagePlan:
    code = f"{config.score_format}"
    return StagePlan(
        "frame",
        "position = code − smallest code; cut at max_length",
        code,
        f"UQ{config.score_width}.0",
        cycles,
        each_cycle(config),
    )


def maximum_row(config: Config, cycles: int) -> StagePlan:
    return StagePlan(
        "maximum",
        "first index of the largest score",
        f"UQ{config.score_width}.0",
        f"{config.index_width}-bit index, {config.score_format}",
        cycles,
        each_cycle(config),
        note="exact, from the raw scores",
    )


def serial_term(interval: int) -> list[tuple[str, int, int]]:
    """What the parts that work once per vector make of the interval of vectors, where they are serial."""
    return [(str(interval), 0, interval)] if interval > 1 else []


def steady_plan(config: Config, stages: tuple[StagePlan, ...], constant: int) -> Plan:
    """The plan of a mode that takes a beat in every cycle and is exact."""
    return Plan(
        config=config,
        stages=stages,
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=((beats_text(config), 1, 0),),
        output_spacing=1,
        bound=None,
        warnings=(),
    )


def insertion_row(config: Config) -> StagePlan:
    count = list_of(config, 0).top_k
    tags = f"{count} tags of {tag_width(count)} bits"
    return StagePlan(
        "insertion",
        f"sorted list of the {count} largest{' of each lane' if config.lanes > 1 else ''}",
        f"UQ{config.score_width}.0",
        tags if config.lanes == 1 else f"{config.lanes} times {tags}",
        INSERTION_LATENCY,
        each_cycle(config),
        note="exact, from the raw scores",
    )


def kept_row(config: Config, vectors: int, cycles: int) -> StagePlan:
    stored = f"{vectors} · {1 << tag_width(list_of(config, 0).top_k)} entries"
    several = config.lanes > 1
    return StagePlan(
        "merged" if several else "kept",
        f"the first of {config.lanes} lists' largest, again and again"
        if several
        else f"index and score by tag, {stored}",
        insertion_row(config).output_format,
        f"{config.index_width}-bit index, UQ{config.score_width}.0",
        cycles,
        "1 element/cycle",
        note=f"with {config.lanes} memories, index and score by tag, {stored}" if several else "a memory, not a table",
    )


def sum_stages(
    config: Config, widths: Numerics, cycles: Schedule, accumulator: Fraction, maximum: bool
) -> list[StagePlan]:
    """The rows up to the normalised sum, with or without that of the winner."""
    tables = widths.tables
    position = f"UQ{config.score_width}.0"
    direct_terms = cycles.align == 0
    total = f"{widths.accumulator_format}"
    each = each_cycle(config)
    rows = [
        frame_row(config, cycles.frame + cycles.entry),
        *([maximum_row(config, cycles.maximum)] if maximum else []),
    ]
    if direct_terms:
        term = QFormat(1 + tables.exponent_maximum, widths.significand_fraction)
        rows.append(
            StagePlan("exponential", f"M·2^E, shifted terms from a table{clip_text(config)}", position, f"{term}",
                      cycles.lookup, each, config.lanes * len(tables.high) * term.width)
        )  # fmt: skip
    else:
        rows.append(
            StagePlan("exponential", f"2^(βx): {method_text(widths)}{clip_text(config)}", position,
                      exponential_format(widths), cycles.lookup, each,
                      config.lanes * tables.bits,
                      note="monotone" if tables.monotone else "not monotone; the winner is not affected")
        )  # fmt: skip
    rows += [
        StagePlan(
            "accumulate",
            "Σ exact, every octave at once"
            if widths.absolute
            else f"Σ against a running reference of {widths.reference_step} octaves",
            rows[-1].output_format,
            total,
            cycles.align + cycles.merge + cycles.accumulate,
            each,
            bound_share_ulp=float(accumulator),
        ),
        StagePlan(
            "normalise",
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
    return StagePlan(
        "replay",
        f"raw scores again, {cycles.replay_entries(config.beats(config.max_length))} entries",
        position,
        position,
        cycles.replay,
        element,
        note="a memory, not a table",
    )


def clip_text(config: Config) -> str:
    return f", x clipped to {config.clip_minimum}…{config.clip_maximum}" if config.clips else ""


def method_text(widths: Numerics) -> str:
    tables = widths.tables
    if not tables.low:
        return f"one table of {len(tables.high)} entries"
    return f"tables of {len(tables.high)} and {len(tables.low)} entries, interpolating product"


def exponential_format(widths: Numerics) -> str:
    return f"2^E·M, E {widths.exponent_width} bits, M {widths.significand_format}"


def length_warnings(config: Config) -> list[str]:
    found = []
    if config.max_length > 1 << (config.probability_width - 2) and config.normaliser != "none":
        found.append(
            f"max_length = {config.max_length} exceeds 2^(P − 2) = {1 << (config.probability_width - 2)}: in a long vector "
            f"many probabilities lie below half an ulp and round to 0; probability_width = "
            f"{min(24, (config.max_length - 1).bit_length() + 2)} would keep them apart"
        )
    if config.effective_scale * 2**config.score_width < 2.0**-config.probability_width:
        found.append(
            f"{config.scale_text}: the whole range of scores changes a probability by less than one ulp; "
            "check the scale"
        )
    return found


def log_sum_row(config: Config, numbers: LogNumerics, limits: Bound) -> StagePlan:
    cycles, tables = schedule(config), numbers.tables
    return StagePlan(
        "log_sum",
        f"ln Σ, tables of {len(tables.octave)} and {1 << tables.fraction} entries",
        f"{numbers.widths.divisor_format}",
        f"{QFormat(numbers.widths.sum_exponent_width, tables.working_fraction)}",
        cycles.factor,
        "1 vector/cycle",
        tables.sum_bits,
        float(limits.exponential + limits.normaliser),
    )


def positions_text(numbers: LogNumerics) -> str:
    """How a position becomes nats."""
    tables = numbers.tables
    if tables.position_shift is not None:
        return "the position shifted"
    parts = [len(entries) for entries in (tables.position_high, tables.position_low) if len(entries)]
    return f"{'table' if len(parts) == 1 else 'tables'} of {' and '.join(map(str, parts))} entries"
