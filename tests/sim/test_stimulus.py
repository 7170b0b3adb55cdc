"""The stimuli hold the corners that they are there for."""

import itertools

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.sim.golden import golden
from softstream.sim.stimulus import SHORT, corner_vectors, limit_vectors, random_vectors

CONFIGS = [
    Config(max_length=limit, score_width=width, score_signed=signed)
    for limit in (1, 2, 5, 300)
    for width, signed in ((2, True), (8, True), (8, False), (16, True))
]


@pytest.fixture(params=CONFIGS, ids=lambda c: f"{c.max_length}-{c.score_width}-{c.score_signed}")
def config(request):
    return request.param


def test_every_score_is_inside_the_format(config):
    rng = np.random.default_rng(0)
    for vectors in (corner_vectors(config, rng), limit_vectors(config, rng), random_vectors(config, rng, 9)):
        scores = np.concatenate(vectors)
        assert scores.dtype == np.int64
        assert scores.min() >= config.score_format.minimum
        assert scores.max() <= config.score_format.maximum


def test_corners(config):
    vectors = corner_vectors(config, np.random.default_rng(0))
    low, high = config.score_format.minimum, config.score_format.maximum
    longest = min(SHORT, config.max_length)
    assert {len(vector) for vector in vectors} >= set(range(1, min(5, longest) + 1)) | {longest}
    assert max(map(len, vectors)) == longest
    for value in (low, high):
        assert any(len(vector) == 1 and vector[0] == value for vector in vectors)
        assert any(len(vector) == longest and (vector == value).all() for vector in vectors)
    if longest >= 5:
        ties = [vector for vector in vectors if 1 < (vector == vector.max()).sum() < len(vector)]
        assert any(vector[0] != vector.max() for vector in ties)
        steps = [np.diff(vector) for vector in vectors if len(vector) == longest]
        assert any((step >= 0).all() and step.any() for step in steps)
        assert any((step <= 0).all() and step.any() for step in steps)


def test_limits(config):
    """A vector of exactly max_length; longer ones whose largest score is cut off; a single element behind each of them."""
    vectors = limit_vectors(config, np.random.default_rng(0))
    limit = config.max_length
    lengths = [len(vector) for vector in vectors]
    assert limit in lengths
    over = [vector for vector in vectors if len(vector) > limit]
    assert {len(vector) - limit for vector in over} >= {1, 2 + min(limit, SHORT)}
    assert all(vector[:limit].max() < vector.max() for vector in over)
    for vector in over:
        result = golden(config, vector[None])
        assert result.overlong[0]
        assert result.best[0] < vector.max()
    assert any(first > limit and second == 1 for first, second in itertools.pairwise(lengths))
    assert any(first == limit and second == 1 for first, second in itertools.pairwise(lengths))


def test_the_generator_decides():
    config = CONFIGS[-1]
    same = [corner_vectors(config, np.random.default_rng(7)) for _ in range(2)]
    assert all(np.array_equal(one, other) for one, other in zip(*same, strict=True))
