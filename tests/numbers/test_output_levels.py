"""Scaled exponentials and tables of codes: steps of 1/L keep the printed bound, and 1.0 is the code L."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from support.formulas import Question

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.exponential import exponential_tables
from softstream.hw.numbers.output_levels import numerators
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden

TABLES = {
    "direct": exponential_tables(8, 0.1467, 11),
    "coarse": exponential_tables(4, 1.7, 8),
    "clipped": exponential_tables(8, 0.0625, 11).clipped(60, 200),
    "split": exponential_tables(12, 0.01, 11),
}


@pytest.mark.parametrize(("name", "levels"), [*product(TABLES, [255, 254, 170, 129, 128, 127, 100, 3, 1])])
def test_every_scaled_exponential_is_within_its_error(name: str, levels: int) -> None:
    tables, width = TABLES[name], 8
    scaled = numerators(tables, levels, width)
    factor = Fraction(levels << scaled.octaves, 1 << width)
    assert 1 <= factor < 2
    worst = Fraction(0)
    for before, one, after, other in zip(*tables.all_positions, *scaled.tables.all_positions, strict=True):
        assert after - scaled.octaves <= before
        assert other >> tables.fraction == 1
        exact = factor * int(one) * Fraction(2) ** int(before)
        worst = max(worst, abs(int(other) * Fraction(2) ** int(after) / exact - 1))
    assert worst <= scaled.error <= worst + Fraction(1, 1 << 59)
    assert name == "split" or scaled.error <= Fraction(1, 1 << tables.fraction + 1)
    assert scaled.error or levels & (levels - 1) == 0


@pytest.mark.parametrize("normaliser", ["divider", "reciprocal", "logarithm"])
@pytest.mark.parametrize("levels", [1, 3, 8, 11, 15])
@pytest.mark.parametrize("zero", [0, -8])
def test_every_pair_of_narrow_scores_keeps_the_bound_in_steps_of_a_level(
    normaliser: str, levels: int, zero: int
) -> None:
    config = Config(
        max_length=2, score_width=4, score_scale=0.31, probability_width=4, guard_bits=3, normaliser=normaliser,
        output_levels=levels, output_zero_point=zero,
    )  # fmt: skip
    pairs = np.array(list(product(range(-8, 8), repeat=2)))
    codes = golden(config, pairs).probabilities
    exact = np.array([Question(config, (pair,)).probabilities for pair in pairs])
    errors = np.abs(codes - zero - exact * levels)
    assert errors.max() <= float(bound(config).total) + 1e-12
    assert errors.max() >= 0.4
    assert golden(config, np.array([[3]])).probabilities.tolist() == [[zero + levels]]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"normaliser": "reciprocal", "score_scale": 0.3},
        {"normaliser": "logarithm"},
        {"score_width": 12, "score_scale": 0.006, "probability_width": 10, "output_levels": 1000},
        {"probability_floor": 0.01},
        {"accumulator": "two_pass", "profile": "small"},
    ],
)
def test_the_bound_is_nearly_reached(keys: dict[str, Any]) -> None:
    """The dense scores near the top, where the errors of numerator and sum meet, come within a tenth of a step."""
    config = Config(max_length=4, **{"output_levels": 255, **keys})
    rng, high = np.random.default_rng(5), config.score_format.maximum
    scores = high - rng.integers(0, round(3 / config.score_scale), (20000, 4))
    scores[:, 0] = high
    weights = np.exp(scores.astype(np.longdouble) * config.score_scale - high * config.score_scale)
    exact = weights / weights.sum(axis=1, keepdims=True)
    if config.probability_floor:
        parts = 1 << config.probability_width + config.guarded_bits
        floor = round(config.probability_floor * parts) / parts
        exact = floor + (1 - 4 * floor) * exact
    errors = np.abs(golden(config, scores).probabilities - exact * config.levels)
    total = float(bound(config).total)
    assert total - 0.17 <= errors.max() <= total


def test_a_finer_width_with_the_same_levels_has_a_smaller_bound() -> None:
    bounds = [plan(Config(max_length=16, probability_width=width, output_levels=255)).bound_ulp for width in (8, 9, 12)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == pytest.approx(0.5, abs=0.01)


def test_steps_of_all_levels_are_those_without_the_key() -> None:
    config, scores = Config(max_length=16), np.random.default_rng(1).integers(-128, 128, (50, 16))
    same = config.replace(output_levels=256)
    assert plan(same).bound == plan(config).bound
    np.testing.assert_array_equal(golden(same, scores).probabilities, golden(config, scores).probabilities)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"output_levels": 257}, "output_levels = 257 with probability_width = 8: .* at most 256 levels are possible; "
         "output_levels = 255 would do, or probability_width = 9"),
        ({"output_levels": -1}, "output_levels = -1: must be an integer from 0 to 16777216 steps; for example 0"),
        ({"output_levels": 255, "mode": "log_softmax"}, "output_levels = 255 with mode = 'log_softmax': its results are "
         "logarithms.*; mode = 'softmax' would do, or output_levels = 0"),
        ({"output_zero_point": -128, "mode": "cross_entropy"}, "output_zero_point = -128 with mode = 'cross_entropy': .*; "
         "mode = 'softmax' would do, or output_zero_point = 0"),
        ({"output_levels": 255, "mode": "exponential"}, "output_levels = 255 with mode = 'exponential': the user divides"),
        ({"output_levels": 255, "accumulator": "two_pass", "profile": "small", "guard_bits": 2}, "output_levels = 255 with "
         "probability_width = 8 and guard_bits = 2: probabilities need 2 more guard bits .*; guard_bits = 4 would do"),
        ({"output_levels": 1 << 24, "probability_width": 23}, "at most 8388608 levels .*; output_levels = 8388607 would"),
    ],
)  # fmt: skip
def test_refusals(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Config(max_length=16, **keys)


@pytest.mark.parametrize("mode", ["argmax", "top_k", "sample"])
def test_modes_without_codes_ignore_the_keys(mode: str) -> None:
    """One configuration serves argmax and softmax."""
    config = Config(mode=mode, output_levels=255, output_zero_point=-128)
    assert set(config.without_effect()) == {"output_levels", "output_zero_point"}
