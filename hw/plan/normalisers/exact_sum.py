"""The steps of an exact sum of codes: running sum, shift, quotient, rounding, difference."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.exact_sum import ExactSum, exact_sum
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.normalisers.interface import NormaliserCycles, Step, element_interval
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.plan.texts import clip_text, each_cycle, method_text

__all__ = ["SHIFT_CYCLES", "exact_cycles", "exact_rows", "share_cycles"]

SHIFT_CYCLES = 3
"""From a running sum to its bits from n − D on: a shift by multiples of sixteen, of four and of one."""


def share_cycles(config: Config, numbers: ExactSum) -> int:
    """From a quotient to its product with K: by a multiplier where the normaliser has one, else by adders; 0 without F."""
    if not numbers.minimum:
        return 0
    return 2 if config.division == "reciprocal" else 1 + ceil_log2(numbers.quotient_width + 1)


def exact_cycles(config: Config, normaliser: NormaliserCycles, terms: int, sums: int) -> NormaliserCycles:
    """The cycles of a normaliser with the running sum in front of its quotient; `terms` and `sums` are the cycles of both."""
    numbers = exact_sum(config)
    serial = normaliser.quotient_interval > 1
    quotient = normaliser.step("quotient")
    if config.division == "divider":
        quotient = numbers.quotient_width + serial
    steps = (
        Step("running_sum", "terms", terms),
        Step("running_sum", "running_sum", sums),
        Step("exact_sum", "shift", SHIFT_CYCLES),
        Step("exact_sum", "quotient", quotient),
        Step("exact_sum", "share", share_cycles(config, numbers)),
        Step("exact_sum", "difference", 2),
    )
    return replace(
        normaliser,
        emission=steps,
        quotient_interval=numbers.quotient_width + 1 if serial else 1,
        late=terms + sums,
    )


def exact_rows(config: Config, widths: Numerics, cycles: NormaliserCycles, limits: Bound) -> list[StagePlan]:
    """The rows of these steps."""
    numbers, each = exact_sum(config), each_cycle(config)
    method = "one multiplier and 1/m" if config.division == "reciprocal" else "division, one bit a step"
    share = f"{numbers.minimum}·i + (2^P − {numbers.minimum}·N)·a/m" if numbers.minimum else "2^P·a/m"
    codes = "" if config.traits.cumulative else "; the code is C less that of the element before"
    return [
        StagePlan(
            "running_sum",
            f"a = Σ up to each element, exact: {method_text(widths)}{clip_text(config)}",
            f"UQ{config.score_width}.0",
            f"{widths.accumulator_format}",
            cycles.row("running_sum"),
            each,
            config.lanes * widths.tables.bits,
            float(limits.exponential),
            "the terms of the first pass again",
        ),
        StagePlan(
            "exact_sum",
            f"C = {share}, rounded half up, by {method}{codes}",
            f"{widths.accumulator_format}, {widths.divisor_format}",
            config.probability_form,
            cycles.row("exact_sum") + QUEUE_LATENCY,
            element_interval(config, cycles),
            bound_share_ulp=float(limits.normaliser + limits.rounding),
            note="with the output queue; the last C of a vector is 2^P",
        ),
    ]
