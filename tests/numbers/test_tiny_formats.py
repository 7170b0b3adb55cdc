"""Tiny formats, all inputs: the codes of the hardware are within the bound of the exact values, in rational arithmetic alone.

Every vector of up to `LENGTH` scores of `WIDTH` bits goes through the hardware, in random order and under random stalls. Each
code is compared with an interval of rational numbers around the exact value, not with a table of the model and not in float64.
"""

import itertools
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from support.head_bench import check_head
from support.long_cases import mostly_long

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

LENGTH, WIDTH = 3, 2
KEYS = {"max_length": LENGTH, "score_width": WIDTH, "probability_width": 4}
SHAPES = {
    "divider": Config(**KEYS, score_scale=0.5),
    "divider, small": Config(**KEYS, score_scale=1.7, profile="small"),
    "logarithm": Config(**KEYS, score_scale=0.5, normaliser="logarithm"),
    "reciprocal": Config(**KEYS, score_scale=0.9, normaliser="reciprocal", score_signed=False),
    "two passes": Config(**KEYS, score_scale=0.5, accumulator="two_pass", profile="small"),
    "sigmoid": Config(**KEYS, mode="sigmoid", score_scale=0.5),
    "log-softmax": Config(**KEYS, mode="log_softmax", score_scale=0.5),
}
SHORT = ("divider", "sigmoid", "log-softmax")
_ONE = 1 << 160
"""Denominator of the ends of all intervals."""


def _outward(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """The interval with ends that have a short denominator."""
    return Fraction(low * _ONE // 1, _ONE), Fraction(-(-high * _ONE // 1), _ONE)


@cache
def exponential(exponent: Fraction) -> tuple[Fraction, Fraction]:
    """An interval that holds e^exponent: Taylor's series of e^(x/2^n) with |x/2^n| ≤ 1/2, its remainder, and n squarings."""
    halvings = max(0, (abs(exponent).numerator // abs(exponent).denominator).bit_length() + 1)
    small = exponent / (1 << halvings)
    assert abs(small) <= Fraction(1, 2)
    term, total = Fraction(1), Fraction(1)
    for order in range(1, 40):
        term = term * small / order
        total += term
    remainder = 2 * abs(term)  # the terms fall at least by a factor of 2
    interval = _outward(total - remainder, total + remainder)
    for _ in range(halvings):
        interval = _outward(interval[0] ** 2, interval[1] ** 2)
    return interval


def test_the_interval_of_an_exponential_is_narrow_and_right():
    for exponent in (Fraction(0), Fraction(1), Fraction(-7, 3), Fraction(20), Fraction(-20)):
        low, high = exponential(exponent)
        assert low <= high
        assert (high - low) / low < Fraction(1, 1 << 90)
    # e from its continued fraction: neighbouring convergents enclose it.
    assert exponential(Fraction(1))[0] < Fraction(28245729, 10391023)
    assert exponential(Fraction(1))[1] > Fraction(14665106, 5394991)
    product = exponential(Fraction(-7, 3))[0] * exponential(Fraction(7, 3))[0]
    assert 1 - Fraction(1, 1 << 90) < product <= 1


def _probability(nats: list[Fraction], place: int, mode: str) -> tuple[Fraction, Fraction]:
    """An interval that holds the probability of an element."""
    if mode == "sigmoid":
        others = [-nats[place]]
    else:
        others = [other - nats[place] for number, other in enumerate(nats) if number != place]
    ends = [exponential(other) for other in others]
    return 1 / (1 + sum(high for _, high in ends)), 1 / (1 + sum(low for low, _ in ends))


@pytest.mark.parametrize("name", mostly_long(SHAPES, SHORT))
def test_every_code_of_the_hardware_is_within_the_bound(name):
    config = SHAPES[name]
    form = config.score_format
    codes = range(form.minimum, form.maximum + 1)
    vectors = [np.array(row) for count in range(1, LENGTH + 1) for row in itertools.product(codes, repeat=count)]
    assert len(vectors) == sum(4**count for count in range(1, LENGTH + 1))
    np.random.default_rng(1).shuffle(vectors)  # type: ignore[arg-type]
    check_head(config, vectors, source="random", sink="random")  # the hardware has the codes of the model
    scores, lengths = pad_vectors(vectors, form.minimum)
    array = "log_probabilities" if config.mode == "log_softmax" else "probabilities"
    result = golden(config, scores, lengths)[array]
    assert not _outside(config, vectors, result)
    assert _outside(config, vectors, result + 1)  # a code more is seen


def _outside(config: Config, vectors: list[np.ndarray], result: np.ndarray) -> list[tuple[list[int], int]]:
    """(vector, place) of each code whose distance from the exact value may exceed the bound."""
    limits = plan(config).bound
    step, scale = Fraction(1, config.levels), Fraction(config.score_scale)
    places = []
    for vector, row in zip(vectors, result.tolist(), strict=True):
        nats = [(int(code) - config.score_zero_point) * scale for code in vector]
        for place in range(len(vector)):
            low, high = _probability(nats, place, config.mode)
            code = row[place]
            if config.mode == "log_softmax":  # |code·step − ln p| ≤ bound·step, behind e
                inside = exponential((code - limits.worst) * step)[1] <= low
                inside &= high <= exponential((code + limits.worst) * step)[0]
            else:
                saturated = code == config.probability_codes[1] and low / step > code
                error = max(code - low / step, high / step - code)
                inside = error <= (limits.worst if saturated else limits.total)
            if not inside:
                places.append((vector.tolist(), place))
    return places
