"""The widths of the data path hold the largest sum of every configuration, and none is wider than it needs."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import ACCUMULATOR_LIMIT, numerics
from softstream.sim.golden.stages.accumulate import accumulate
from softstream.sim.golden.stages.exponential import exponential

SCALES = (0.02, 0.0625, 0.3, 1.7)


@pytest.mark.parametrize("length", [1, 2, 3, 16, 33])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("accumulator", ["auto", "reference"])
def test_the_accumulator_holds_the_largest_sum(length: int, scale: float, accumulator: str) -> None:
    config = Config(max_length=length, score_width=5, score_scale=scale, accumulator=accumulator)
    widths = numerics(config)
    assert widths.accumulator_width <= ACCUMULATOR_LIMIT
    positions = np.full((1, length), 31)
    _, total = accumulate(widths, *exponential(widths, positions), np.ones_like(positions, dtype=bool))
    assert total[0] < 1 << widths.accumulator_width


@pytest.mark.parametrize("scale", SCALES)
def test_the_exponent_of_the_sum_has_the_bits_that_it_needs(scale: float) -> None:
    widths = numerics(Config(max_length=16, score_width=5, score_scale=scale))
    largest = widths.tables.exponent_maximum + 1 + 4
    assert largest < 1 << widths.sum_exponent_width <= 2 * largest
    assert widths.tables.exponent_maximum < 1 << widths.exponent_width


def test_implementation_keys_do_not_change_the_numbers() -> None:
    config = Config(max_length=16)
    for keys in ({"profile": "small"}, {"lanes": 4}, {"per_vector": "pipelined"}):
        assert numerics(config.replace(**keys)) is numerics(config)
