"""Rows behind the last post stage: the one rounding of guarded probabilities, and the register that cuts the ready path."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2, signed_digits
from softstream.hw.plan.records import StagePlan
from softstream.hw.plan.texts import each_cycle

__all__ = ["final_round_latency", "final_rows", "rounding_cycles", "shift_row"]


def rounding_cycles(config: Config) -> int:
    """For the rounding: in `fastest` a cycle for the addition, and one for the saturation."""
    return 2 if config.profile == "fastest" else 1


def final_round_latency(config: Config) -> int:
    """From a guarded probability to its code: the levels of the tree that multiplies by L, and the rounding."""
    levels = ceil_log2(len(signed_digits(config.levels))) if config.rescales else 0
    return levels + rounding_cycles(config)


def _computes(config: Config) -> str:
    zero = config.output_zero_point
    product = f"{config.levels}·p, " if config.rescales else ""
    shift = f", {'−' if zero < 0 else '+'} {abs(zero)}" if zero else ""
    return f"{product}rounded half up{'' if config.rescales else ', saturated'}{shift}"


def final_rows(config: Config, inner: Config) -> list[StagePlan]:
    """The rounding and the skid buffer of a guarded head."""
    before, after = f"{inner.probability_qformat}", config.probability_form
    each = each_cycle(config if config.traits.per_element else config.replace(lanes=1))
    cycles = final_round_latency(config)
    return [
        StagePlan("final_round", _computes(config), before, after, cycles, each, bound_share_ulp=0.5),
        StagePlan("skid", "probability held until accepted", after, after, 1, each),
    ]


def shift_row(config: Config) -> StagePlan:
    """The zero point alone, added at the port of a head without a last rounding."""
    each = each_cycle(config if config.traits.per_element else config.replace(lanes=1))
    zero = config.output_zero_point
    return StagePlan(
        "final_round",
        f"{'−' if zero < 0 else '+'} {abs(zero)}",
        config.replace(output_zero_point=0).probability_form,
        config.probability_form,
        0,
        each,
        note="in the logic of the output",
    )
