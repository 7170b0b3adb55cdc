"""Every normaliser of the registry against its golden model: the factor of a vector, and the quotient of an element."""

import numpy as np
import pytest
from support.normaliser_bench import check_factor, check_quotient

from softstream.hw.config.config import Config
from softstream.hw.normalisers import NORMALISERS
from softstream.hw.numbers.softmax import numerics
from softstream.sim.golden.normalisers import NORMALISERS as GOLDEN

PROFILES = ("small", "fast", "fastest")
WIDTHS = ((2, 4), (8, 4), (16, 4), (24, 4))
"""Probability width P and guard bits k that a normaliser is tested with unless `OTHER_WIDTHS` lists it."""

OTHER_WIDTHS = {
    "reciprocal": (*WIDTHS, (13, 3), (16, 3)),  # P + k of 16 to 20 take the reciprocal from chords
    "logarithm": ((2, 2), (4, 3), (5, 4), (4, 4)),  # its tables limit P + k to 14
}
EXHAUSTIVE = 9
"""Largest number of divisor bits for which every divisor is tested."""

CONFIGS = [
    Config(max_length=16, normaliser=name, probability_width=width, guard_bits=guard_bits, profile=profile)
    for name in NORMALISERS
    for width, guard_bits in OTHER_WIDTHS.get(name, WIDTHS)
    for profile in PROFILES
]
WITH_QUOTIENT = [config for config in CONFIGS if hasattr(NORMALISERS[config.division], "Quotient")]


def label(config: Config) -> str:
    return f"{config.division}-P{config.probability_width}-k{config.guard_width}-{config.profile}"


def test_hardware_and_model_have_the_same_normalisers() -> None:
    assert list(NORMALISERS) == list(GOLDEN)


@pytest.mark.parametrize("per_vector", ["serial", "pipelined"])
@pytest.mark.parametrize("config", CONFIGS, ids=label)
def test_factor_equals_golden(config: Config, per_vector: str) -> None:
    """All divisors at small widths; both ends and random ones at large widths."""
    fraction = numerics(config).divisor_fraction
    divisors = np.arange(1 << fraction, 2 << fraction) if fraction <= EXHAUSTIVE else None
    name = config.division
    check_factor(config.replace(per_vector=per_vector), NORMALISERS[name], GOLDEN[name], divisors)


@pytest.mark.parametrize("config", WITH_QUOTIENT, ids=label)
def test_quotient_equals_golden(config: Config) -> None:
    check_quotient(config, NORMALISERS[config.division], GOLDEN[config.division])
