"""The argmax head on every vector of up to four scores of two bits, in every profile and with several lanes."""

import itertools
from typing import Any

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
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


WIDE: dict[str, dict[str, Any]] = {
    "argmax-32": {"mode": "argmax", "score_width": 32},
    "argmax-17-small-2": {"mode": "argmax", "score_width": 17, "profile": "small", "lanes": 2, "mask": True},
    "argmax-24-unsigned-4": {"mode": "argmax", "score_width": 24, "score_signed": False, "lanes": 4, "tie": "last"},
    "argmin-32-unsigned": {"mode": "argmax", "score_width": 32, "score_signed": False, "select": "smallest"},
    "argmax-30-ensemble": {"mode": "argmax", "score_width": 30, "ensemble": 4},
    "top_k-32": {"mode": "top_k", "top_k": 3, "score_width": 32},
    "top_k-32-smallest-2": {"mode": "top_k", "top_k": 3, "score_width": 32, "lanes": 2, "select": "smallest"},
    "hardmax-31": {"mode": "hardmax", "score_width": 31, "profile": "fastest"},
}


@pytest.mark.parametrize("keys", WIDE.values(), ids=list(WIDE))
def test_wide_scores(keys: dict[str, Any]) -> None:
    """Scores that differ in their lowest bit or in any other single one, at both ends of the code, and random ones."""
    config = Config(max_length=6, **keys)
    low, high = config.score_format.minimum, config.score_format.maximum
    rng = np.random.default_rng(6)
    vectors = [rng.integers(low, high + 1, 6) for _ in range(8)]
    vectors += [
        np.array([low, high]),
        np.array([high, low, high - 1]),
        np.array([low + 1, low, low + 1]),
        np.array([high]),
    ]
    for bit in range(0, config.score_width - 1, 3):
        vectors += [np.array([low, low + (1 << bit), low]), np.array([high - (1 << bit), high, high])]
    vectors = vectors[: len(vectors) // config.ensemble * config.ensemble]
    check_head(config, vectors, source="every3", sink="random")


def test_what_is_no_comparison_keeps_its_limit() -> None:
    remedy = r"score_width = 16 would do, or mode = 'argmax'$"
    for mode in set(MODES) - {"argmax", "top_k", "hardmax"}:
        with pytest.raises(UserError, match=rf"^score_width = 17 with mode = '{mode}': .*; {remedy}"):
            Config.from_mapping({"mode": mode, "score_width": 17})
        if mode != "entropy":  # a limit of its own, tests/modes/test_entropy.py
            Config.from_mapping({"mode": mode, "score_width": 16, "score_scale": 2.0**-12})
    with pytest.raises(UserError, match="sums of scores have 2 bits more, 32 at most; score_width = 30 would do"):
        Config(mode="argmax", score_width=31, ensemble=4)
