"""The steps of an exact sum of codes: running sum, shift, quotient, rounding, difference."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat, ceil_log2
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
        Step("quotient", "shift", SHIFT_CYCLES),
        Step("quotient", "quotient", quotient),
        Step("difference", "share", share_cycles(config, numbers)),
        Step("difference", "difference", 2),
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
    ratio, code = QFormat(0, numbers.quotient_width), config.probability_form
    method = "r, one multiplier" if config.division == "reciprocal" else "m, one bit a step"
    share = f"{numbers.minimum}·i + (2^P − {numbers.minimum}·N)·a/m" if numbers.minimum else "2^P·a/m"
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
            "quotient",
            f"a shifted by n, {'·' if config.division == 'reciprocal' else '/'} {method}",
            f"{widths.accumulator_format}, {widths.divisor_format}",
            f"{ratio}",
            cycles.row("quotient"),
            element_interval(config, cycles),
            bound_share_ulp=float(limits.normaliser),
        ),
        StagePlan(
            "difference",
            f"C = {share}, rounded half up; C − C of the element before",
            f"{ratio}",
            code,
            cycles.row("difference") + QUEUE_LATENCY,
            each,
            bound_share_ulp=float(limits.rounding),
            note="with the output queue; the codes of a vector sum to 2^P",
        ),
    ]
