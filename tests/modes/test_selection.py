"""The keys `select` and `tie`: which of the scores win, against NumPy, in every mode that has a winner or a softmax."""

import itertools
from typing import Any

import numpy as np
import pytest
from support.head_bench import check_head
from support.verilog_text import code

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64

VECTORS = [np.array(v) for n in range(1, 5) for v in itertools.product((-2, -1, 0, 1), repeat=n)]
SHORT = [vector for vector in VECTORS if len(vector) < 4]
SELECTIONS: list[dict[str, Any]] = [
    {"select": "smallest"},
    {"tie": "last"},
    {"select": "smallest", "tie": "last"},
]


def winner(config: Config, vector: np.ndarray) -> int:
    """By the documentation of NumPy: argmax and argmin take the first of equal values."""
    choose = np.argmin if config.select == "smallest" else np.argmax
    return len(vector) - 1 - int(choose(vector[::-1])) if config.tie == "last" else int(choose(vector))


@pytest.mark.parametrize("keys", SELECTIONS, ids=str)
def test_the_models_of_argmax_and_top_k_are_numpys(keys: dict[str, Any]) -> None:
    scores, lengths = pad_vectors(VECTORS, -2)
    config = Config(mode="argmax", max_length=4, score_width=2, **keys)
    result = golden(config, scores, lengths)
    assert result.argmax.tolist() == [winner(config, vector) for vector in VECTORS]
    assert result.best.tolist() == [vector[winner(config, vector)] for vector in VECTORS]
    ranked = golden(config.replace(mode="top_k", top_k=3), scores, lengths)
    for vector, indices, values in zip(VECTORS, ranked["top_indices"], ranked["top_scores"], strict=True):
        remaining = list(range(len(vector)))
        for rank in range(min(3, len(vector))):
            index = remaining.pop(winner(config, vector[remaining]))
            assert (indices[rank], values[rank]) == (index, vector[index])


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_argmax_of_every_short_vector(lanes: int, profile: str, mask: bool) -> None:
    """Overlong ones among them, lanes without an element, and with random masks fully masked vectors."""
    config = Config(
        mode="argmax", max_length=2, score_width=2, lanes=min(lanes, 2), profile=profile, mask=mask, **SELECTIONS[-1]
    )
    if lanes == 4:
        config = config.replace(max_length=3, lanes=4)
    check_head(config, SHORT, source="random", sink="every3")


@pytest.mark.parametrize("mode", ["argmax", "top_k"])
@pytest.mark.parametrize("keys", SELECTIONS[:2], ids=str)
def test_either_key_alone(keys: dict[str, Any], mode: str) -> None:
    config = Config.from_mapping({"mode": mode, "top_k": 2, "max_length": 3, "score_width": 2, "lanes": 2, **keys})
    check_head(config, SHORT, sink="random")


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("lanes", [1, 4])
def test_top_k_of_every_short_vector(lanes: int, mask: bool) -> None:
    config = Config(mode="top_k", top_k=2, max_length=3, score_width=2, lanes=lanes, mask=mask, **SELECTIONS[-1])
    check_head(config, SHORT, source="random", sink="every3")


def test_top_k_merges_long_lists_of_equal_scores() -> None:
    config = Config(mode="top_k", top_k=5, max_length=19, score_width=2, lanes=2, **SELECTIONS[-1])
    rng = np.random.default_rng(3)
    check_head(config, [rng.integers(-2, 2, rng.integers(1, 21)) for _ in range(60)], sink="random")


CASES: dict[str, dict[str, Any]] = {
    "softmax": {},
    "softmax-unsigned-2": {"score_signed": False, "lanes": 2},
    "two-pass": {"accumulator": "two_pass", "profile": "small"},
    "two-pass-mask": {"accumulator": "two_pass", "profile": "small", "mask": True},
    "clip": {"clip_minimum": -3, "clip_maximum": 5},
    "temperature": {"temperature_bits": 3, "temperature_fraction": 1},
    "mean of logits": {"ensemble": 2},
    "mean of probabilities-4": {"ensemble": 2, "ensemble_mean": "probabilities", "lanes": 4},
    "groups": {"groups": [4, 2], "max_length": 4},
    "hardmax-4": {"mode": "hardmax", "lanes": 4},
    "log_softmax": {"mode": "log_softmax"},
    "exponential": {"mode": "exponential", "reference_offset": 3, "ensemble": 3},
    "softmax_top_k": {"mode": "softmax_top_k", "top_k": 2, "lanes": 2},
}


@pytest.mark.parametrize("keys", CASES.values(), ids=list(CASES))
def test_heads_equal_their_models(keys: dict[str, Any]) -> None:
    """Of the smallest scores, the last of equal ones, with many equal scores and the extreme codes among them."""
    sizes = {"max_length": 5, "score_width": 4, "score_scale": 0.3, "probability_width": 6}
    config = Config(**{**sizes, **keys}, select="smallest", tie="last")
    low, high = config.score_format.minimum, config.score_format.maximum
    rng = np.random.default_rng(4)
    vectors = [rng.choice([low, low + 1, high], rng.integers(1, 7)) for _ in range(18)]
    vectors += [rng.integers(low, high + 1, rng.integers(1, 7)) for _ in range(18)]
    check_head(config, vectors, source="every3", sink="random")


@pytest.mark.parametrize("signed", [True, False])
def test_softmin_has_the_bits_of_softmax_of_complements(signed: bool) -> None:
    """−x − 1 reverses the order of all codes, that of the most negative one included."""
    config = Config(max_length=6, score_width=5, score_signed=signed, score_scale=0.2, select="smallest")
    form = config.score_format
    scores = np.random.default_rng(5).integers(form.minimum, form.maximum + 1, (400, 6))
    complements = form.minimum + form.maximum - scores
    softmin, softmax = golden(config, scores), golden(config.replace(select="largest"), complements)
    assert np.array_equal(softmin["probabilities"], softmax["probabilities"])
    assert np.array_equal(softmin.best, form.minimum + form.maximum - softmax.best)
    exact = softmax_float64(config, scores)
    weights = np.exp(-0.2 * scores)
    np.testing.assert_allclose(exact, weights / weights.sum(axis=1, keepdims=True), rtol=1e-12)


def test_a_default_that_is_written_out_changes_nothing() -> None:
    config = Config(mode="argmax", max_length=5, lanes=2)
    assert code(config) == code(config.replace(select="largest", tie="first"))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"mode": "sigmoid", "select": "smallest"}, "each score has a result by itself, so none is selected"),
        ({"mode": "sigmoid", "tie": "last"}, "no result names a winner"),
        ({"mode": "cross_entropy", "tie": "last"}, "no result names a winner"),
        ({"mode": "sample", "tie": "last"}, "a draw decides among equal scores"),
    ],
)
def test_modes_without_a_selection_refuse_it(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=rf"{text}; \w+ = '(largest|first)' would do$"):
        Config(**keys)


def test_every_other_mode_takes_both_keys() -> None:
    for name, traits in MODES.items():
        keys = {
            "select": "largest" if traits.independent else "smallest",
            "tie": "last" if traits.names_winner else "first",
        }
        assert Config(mode=name, **keys).without_effect() == {}
