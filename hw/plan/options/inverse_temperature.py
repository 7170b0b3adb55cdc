"""Plan of the temperature per vector: a product of each score, in front of the head."""

from functools import partial

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.composition import FRONTS
from softstream.hw.numbers.temperature import range_text, temperature_codes
from softstream.hw.plan.fields import Sideband
from softstream.hw.plan.records import OptionPlan, StagePlan
from softstream.hw.plan.stage_cycles import product_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = ["INVERSE_TEMPERATURE", "scaling_cycles"]


def scaling_cycles(config: Config) -> int:
    """From a score to its product: a cycle for the two factors, those of the product, and in `fastest` one for the multiplier's
    own register."""
    return 1 + product_cycles(config, config.temperature_bits) + (config.profile == "fastest")


def _row(before: Config, after: Config) -> StagePlan:
    code = QFormat(before.temperature_bits - before.temperature_fraction, before.temperature_fraction)
    return StagePlan(
        "inverse_temperature",
        f"({'largest code − code' if before.selects_smallest else 'code − smallest code'}) · u, exact; {range_text(before)}",
        f"{before.score_format}, {code}",
        f"UQ{after.score_width}.0",
        scaling_cycles(before) + 1,
        each_cycle(before),
        note="the bound holds for every u",
    )


def _sidebands(config: Config) -> tuple[Sideband, ...]:
    meaning = f"temperature: u, the vector's inverse temperature in units of 2^−{config.temperature_fraction}"
    return (
        Sideband(
            "temperature",
            "temperatures",
            config.temperature_bits,
            meaning,
            per="vector",
            limit=(1 << config.temperature_bits) - 1,
            quantise=partial(temperature_codes, config),
        ),
    )


INVERSE_TEMPERATURE = OptionPlan(
    applies=FRONTS["inverse_temperature"].applies,
    without=FRONTS["inverse_temperature"].without,
    row=_row,
    sidebands=_sidebands,
)
