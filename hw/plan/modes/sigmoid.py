"""Plan of the sigmoid: the probability of each score by itself, from one table."""

from dataclasses import replace
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.sigmoid import sigmoid_codes
from softstream.hw.plan.fields import Output, probability_field, vector_flags
from softstream.hw.plan.records import ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, steady_plan
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = ["SIGMOID", "sigmoid_latency"]


def sigmoid_latency(config: Config) -> int:
    """From an element's transfer to that of its sigmoid: framing, the memory, and a register that may stop."""
    return 1 + memory_cycles(config) + (config.profile != "small")


def _plan(config: Config) -> Plan:
    codes = sigmoid_codes(config)
    half = Fraction(1, 2)
    limits = Bound(
        exponential=Fraction(0),
        accumulator=Fraction(0),
        normaliser=Fraction(0),
        rounding=half,
        total=half,
        saturation=Fraction(config.levels - config.probability_maximum),
    )
    result = config.probability_form
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
        rows.append(StagePlan("skid", "probability held until accepted", result, result, 1, each_cycle(config)))
    return replace(steady_plan(config, tuple(rows), sigmoid_latency(config)), bound=limits, passes=0)


def _outputs(config: Config) -> tuple[Output, ...]:
    code = probability_field(config)
    return (Output("m_axis", "o", (code,), "element", "probability", vector_flags(config), flags_at_last=True),)


SIGMOID = ModePlan(_plan, _outputs, passes_ready=lambda config: config.profile == "small")
