"""The entropy of a vector: hardware, model, exact values, masks, refusals."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from support.configurations import framed_vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.entropy import entropy_bound, entropy_numerics
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.golden.stages.entropy_code import mean_octaves

CONFIGS = {
    "fastest": Config(mode="entropy", max_length=13, score_scale=0.1),
    "fast-4": Config(mode="entropy", max_length=13, lanes=4, profile="fast", confidence="margin"),
    "small-2": Config(mode="entropy", max_length=9, lanes=2, profile="small", score_width=10, score_scale=0.01),
    "masked-8": Config(mode="entropy", max_length=21, lanes=8, mask=True, probability_width=10),
    "smallest-masked": Config(
        mode="entropy", max_length=7, select="smallest", mask=True, score_signed=False, tie="last"
    ),
    "groups": Config(mode="entropy", max_length=5, groups=(5, 3)),
    "ensemble": Config(mode="entropy", max_length=6, ensemble=2),
    "warm": Config(mode="entropy", max_length=64, temperature=3.0, score_scale=0.2),
    "flat": Config(mode="entropy", max_length=16, score_scale=1e-4, guard_bits=8, probability_width=4),
    "one": Config(mode="entropy", max_length=1, score_width=2, probability_width=2),
}


STALLED = ("fast-4", "small-2", "ensemble")
"""Configurations that run under pauses on both sides too."""


@pytest.mark.parametrize(
    ("name", "source", "sink"),
    [(name, "never", "never") for name in CONFIGS]
    + [(name, *pauses) for name in STALLED for pauses in (("random", "every3"), ("every3", "random"))],
)
def test_the_hardware_equals_the_model(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = framed_vectors(config, np.random.default_rng(6), 6)
    vectors[2:4] = [np.full_like(vector, config.score_format.maximum) for vector in vectors[2:4]]
    check_head(config, vectors, source=source, sink=sink)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("groups", "ensemble")])
def test_codes_are_within_the_bound_of_scipy(name: str) -> None:
    """Random vectors, equal scores, and one likely class among equal ones, which attains the largest mean deviation."""
    config, rng = CONFIGS[name], np.random.default_rng(7)
    low, high = config.score_format.minimum, config.score_format.maximum
    scores = rng.integers(low, high, (400, config.max_length), endpoint=True)
    scores[:9] = scores[:9, :1]
    scores[9:200, 1:] = low
    scores[9:200, 0] = np.linspace(low, high, 191).round()
    mask = rng.integers(0, 2, scores.shape) if config.mask else np.zeros_like(scores)
    result = golden(config, scores, None, {"mask": mask} if config.mask else None)
    weights = np.where(mask == 0, np.exp(config.position(scores) * config.effective_scale), 0)
    exists = (mask == 0).any(axis=1)
    exact = stats.entropy(weights[exists], base=2, axis=1)
    error = result.entropies[exists] - exact * 2.0**config.probability_width
    assert np.abs(error).max() <= float(entropy_bound(config).total) + 1e-9
    assert not result.entropies[~exists].any()
    plain = golden(config.replace(mode="argmax"), scores, None, {"mask": mask} if config.mask else None)
    assert all(np.array_equal(result[array], plain[array]) for array in plain)


def test_every_short_vector() -> None:
    config = Config(mode="entropy", max_length=3, score_width=2, score_scale=1.1, probability_width=4)
    vectors = [np.array(v) - 2 for n in (1, 2, 3) for v in itertools.product(range(4), repeat=n)]
    check_head(config, vectors)
    assert entropy_numerics(config).format.integer_bits == 1  # log2 3 = 1.58


@pytest.mark.parametrize("name", ["fastest", "small-2", "flat"])
def test_the_steps_of_the_division_stay_within_their_error(name: str) -> None:
    """In rational numbers: the weights of the quotient against the quotient of the exact sums, for the worst remainders."""
    numbers = entropy_numerics(CONFIGS[name])
    beta = Fraction(CONFIGS[name].effective_scale) / Fraction(np.log(2))
    divisors = [1 << numbers.widths.divisor_fraction, (2 << numbers.widths.divisor_fraction) - 1]
    most = (1 << numbers.position_bits) - 1
    for divisor in divisors:
        for moment in (0, divisor * most, divisor * most - 1, divisor // 3, divisor * most // 7):
            mean = mean_octaves(numbers, np.array([divisor]), np.array([moment]))[0]
            exact = beta * moment / divisor * (1 << numbers.working_fraction)
            assert abs(mean - exact) <= 2 * numbers.error + 1, (divisor, moment)


def test_the_mean_deviation_of_logarithms_is_within_the_bound_of_the_proof() -> None:
    """½·ln(N − 1) + 0.44778 nats: over random distributions, and nearly attained by one likely class among equal ones."""
    rng = np.random.default_rng(3)
    for count in (2, 3, 10, 1000):
        shares = np.linspace(0.01, 0.999, 500)
        two_level = np.column_stack([shares, np.tile((1 - shares)[:, None] / (count - 1), count - 1)])
        drawn = rng.dirichlet(np.full(count, 0.3), 200) + 1e-300
        limit = np.log(count - 1) / 2 + 0.44778
        largest = 0.0
        for p in (two_level, drawn):
            logarithm = np.log(p)
            mean = (p * logarithm).sum(axis=1, keepdims=True)
            largest = max(largest, (p * np.abs(logarithm - mean)).sum(axis=1).max())
        assert 0.8 * limit < largest <= limit


def test_margin_and_entropy_share_a_beat() -> None:
    result = golden(CONFIGS["fast-4"], np.array([[3, 3, -5], [9, 1, 2]]))
    assert result.margins.tolist() == [0, 7]
    assert list(result) == ["argmax", "best", "margins", "entropies", "overlong"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"score_width": 11}, "score_width = 11 with mode = 'entropy': a table of each exponential"),
        ({"ensemble": 5}, "a table of each exponential"),
        (
            {"accumulator": "reference"},
            "the mean position is the quotient of two exact sums; accumulator = 'auto' would do",
        ),
        ({"probability_width": 11}, "with P + k = 16 of at most 15; probability_width = 10 would do"),
        (
            {"score_scale": 0.1},
            "that span 32 octaves, in 62 bits; score_scale = 0.084 would do, or mode = 'log_sum_exp'",
        ),
        ({"guard_bits": 3}, "the error bound would be"),
        ({"probability_format": "UQ1", "temperature_bits": 2}, "temperature_bits = 2 with mode = 'entropy'"),
    ],
)
def test_refusals_name_a_value_that_would_do(keys: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as refused:
        plan(Config(**{"mode": "entropy", **keys}))  # type: ignore[arg-type]
    assert message in str(refused.value)
