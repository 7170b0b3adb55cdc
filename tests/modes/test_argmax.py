"""The argmax head on every vector of up to four scores of two bits, in every profile and with several lanes."""

import itertools

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

VECTORS = [np.array(v) for n in range(1, 5) for v in itertools.product((-2, -1, 0, 1), repeat=n)]


def test_the_model_is_numpys_argmax() -> None:
    scores, lengths = pad_vectors(VECTORS, -2)
    result = golden(Config(mode="argmax", max_length=3, score_width=2), scores, lengths)
    cut = [vector[:3] for vector in VECTORS]
    assert result.argmax.tolist() == [int(np.argmax(vector)) for vector in cut]
    assert result.best.tolist() == [int(vector.max()) for vector in cut]
    assert result.overlong.tolist() == [len(vector) > 3 for vector in VECTORS]


@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_every_short_vector_in_hardware(lanes: int, profile: str) -> None:
    config = Config(mode="argmax", max_length=3, score_width=2, lanes=lanes, profile=profile)
    check_head(config, VECTORS)
