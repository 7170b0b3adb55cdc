"""Steps and rows of a normaliser that computes a quotient of each significand: exponential, quotient, rounding."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, Step, element_interval
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, lookup_cycles, round_cycles
from softstream.hw.plan.texts import clip_text, each_cycle, exponential_format, method_text

__all__ = ["quotient_rows", "quotient_steps"]


def quotient_steps(config: Config, widths: Numerics, row: str, cycles: int) -> tuple[Step, ...]:
    """The steps around a quotient of that many cycles, which has the row `row`."""
    return (
        Step("exponential", "exponential", lookup_cycles(config, widths)),
        Step(row, "distance", 1),
        Step(row, "quotient", cycles),
        Step("round", "round", round_cycles(config)),
    )


def quotient_rows(
    config: Config, widths: Numerics, cycles: NormaliserCycles, limits: Bound, quotient: tuple[str, str, str]
) -> list[StagePlan]:
    """The rows of these steps; `quotient` holds name, text and format of the factor of the quotient's row."""
    tables, each = widths.element_tables, each_cycle(config)
    scaled = f", times {config.levels}/2^{config.probability_width}" if widths.numerators else ""
    name, computes, factor = quotient
    return [
        StagePlan(
            "exponential",
            f"2^(βx){scaled}: {method_text(widths)}{clip_text(config)}",
            f"UQ{config.score_width}.0",
            exponential_format(widths),
            cycles.row("exponential"),
            each,
            config.lanes * tables.bits,
            float(limits.exponential),
            "monotone" if tables.monotone else "not monotone; the winner is not affected",
        ),
        StagePlan(
            name,
            computes,
            f"M {widths.significand_format}, {factor}",
            f"{widths.quotient_format}",
            cycles.row(name),
            element_interval(config, cycles),
            bound_share_ulp=float(limits.normaliser),
        ),
        StagePlan(
            "round",
            "shift by n − E, round half up, saturate",
            f"{widths.quotient_format}",
            config.probability_form,
            cycles.row("round") + QUEUE_LATENCY,
            each,
            bound_share_ulp=float(limits.rounding),
            note="with the output queue",
        ),
    ]
