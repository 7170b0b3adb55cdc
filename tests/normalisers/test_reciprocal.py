"""The normaliser of `hw/normalisers/reciprocal.py` against its golden model, in every profile."""

import pytest
from support.normaliser_bench import check_factor, check_quotient

from softstream.hw.config.config import Config
from softstream.hw.normalisers import reciprocal as hardware
from softstream.sim.golden.normalisers import reciprocal as golden

CONFIGS = [
    Config(max_length=16, normaliser="reciprocal", probability_width=width, guard_bits=guard_bits, profile=profile)
    for width, guard_bits in ((2, 4), (8, 4), (13, 3), (16, 3), (16, 4), (24, 4))
    for profile in ("fast", "fastest", "small")
]


@pytest.mark.parametrize("per_vector", ["serial", "pipelined"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"P{c.probability_width}-k{c.guard_bits}-{c.profile}")
def test_factor_equals_golden(config: Config, per_vector: str) -> None:
    check_factor(config.replace(per_vector=per_vector), hardware, golden)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"P{c.probability_width}-k{c.guard_bits}-{c.profile}")
def test_quotient_equals_golden(config: Config) -> None:
    check_quotient(config, hardware, golden)
