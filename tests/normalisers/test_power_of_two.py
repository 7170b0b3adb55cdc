"""The normaliser of `hw/normalisers/power_of_two.py` against its golden model, in both profiles."""

import pytest
from support.normaliser_bench import check_factor, check_quotient

from softstream.hw.config.config import Config
from softstream.hw.normalisers import power_of_two as hardware
from softstream.sim.golden.normalisers import power_of_two as golden

CONFIGS = [
    Config(max_length=16, normaliser="none", probability_width=width, profile=profile)
    for width in (2, 8, 16, 24)
    for profile in ("fast", "small")
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"P{c.probability_width}-{c.profile}")
def test_factor_equals_golden(config: Config) -> None:
    check_factor(config, hardware, golden)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"P{c.probability_width}-{c.profile}")
def test_quotient_equals_golden(config: Config) -> None:
    check_quotient(config, hardware, golden)
