"""The softmax head on every vector of up to three scores of two bits, with every normaliser."""

import itertools

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.normalisers import NORMALISERS
from softstream.hw.plan.derive import plan
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

VECTORS = [np.array(v) for n in range(1, 4) for v in itertools.product((-2, -1, 0, 1), repeat=n)]
SCALES = (0.3, 2.0)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_every_short_vector_in_hardware(normaliser: str, scale: float) -> None:
    config = Config(max_length=3, score_width=2, score_scale=scale, probability_width=4, normaliser=normaliser)
    check_head(config, VECTORS)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("normaliser", [name for name in NORMALISERS if name != "none"])
def test_every_short_vector_is_within_the_bound(normaliser: str, scale: float) -> None:
    config = Config(max_length=3, score_width=2, score_scale=scale, probability_width=4, normaliser=normaliser)
    scores, lengths = pad_vectors(VECTORS, -2)
    codes = golden(config, scores, lengths).probabilities
    bound = plan(config).bound_ulp
    assert codes is not None
    assert bound is not None
    for row, vector in zip(codes, VECTORS, strict=True):
        weights = np.exp(scale * vector)
        exact = np.minimum(16 * weights / weights.sum(), config.probability_maximum)
        assert np.abs(row[: len(vector)] - exact).max() <= bound + 1e-9
