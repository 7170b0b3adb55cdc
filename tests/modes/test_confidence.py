"""The key `confidence`: the margin of the winner against sorted lists, exhaustively at a small width, and in every mode."""

import itertools
from typing import Any

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.stage_cycles import maximum_latency
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

SHORT = [np.array(v) for n in range(1, 4) for v in itertools.product((-2, -1, 0, 1), repeat=n)]


def expected(codes: list[int], width: int) -> int:
    """Largest less second largest, of a sorted list."""
    ordered = sorted(codes, reverse=True)
    return ordered[0] - ordered[1] if len(ordered) > 1 else ((1 << width) - 1 if ordered else 0)


@pytest.mark.parametrize("select", ["largest", "smallest"])
def test_the_model_is_the_difference_of_a_sorted_list(select: str) -> None:
    config = Config(mode="argmax", max_length=3, score_width=2, confidence="margin", mask=True, select=select)
    sign = -1 if select == "smallest" else 1
    scores, lengths = pad_vectors(SHORT, -2)
    for mask in itertools.product((0, 1), repeat=3):
        masks = np.tile(mask, (len(scores), 1))
        margins = golden(config, scores, lengths, {"mask": masks})["margins"]
        for vector, margin in zip(SHORT, margins, strict=True):
            unmasked = [sign * code for code, masked in zip(vector.tolist(), mask, strict=False) if not masked]
            assert margin == expected(unmasked, 2)


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_argmax_of_every_short_vector(lanes: int, profile: str, mask: bool) -> None:
    """Overlong ones among them, lanes without an element, and with random masks fully masked vectors."""
    config = Config(
        mode="argmax", max_length=2, score_width=2, lanes=min(lanes, 2), profile=profile, mask=mask, confidence="margin"
    )
    if lanes == 4:
        config = config.replace(max_length=3, lanes=4, tie="last")
    check_head(config, SHORT, source="random", sink="every3")


WIDE: dict[str, dict[str, Any]] = {
    "argmax-16-lanes": {"mode": "argmax", "lanes": 16, "score_width": 7},
    "argmax-8-lanes-small": {"mode": "argmax", "lanes": 8, "score_width": 5, "profile": "small", "select": "smallest"},
    "argmax-8-lanes-last": {"mode": "argmax", "lanes": 8, "score_width": 5, "tie": "last", "mask": True},
    "argmax-32-bits": {"mode": "argmax", "score_width": 32},
    "softmax": {},
    "softmax-2-lanes-fast": {"lanes": 2, "profile": "fast"},
    "softmax-4-lanes-pipelined": {"lanes": 4, "per_vector": "pipelined"},
    "softmax-small": {"profile": "small"},
    "two-pass": {"accumulator": "two_pass", "profile": "small"},
    "two-pass-mask": {"accumulator": "two_pass", "profile": "small", "mask": True, "tie": "last"},
    "log_softmax": {"mode": "log_softmax", "score_scale": 0.1},
    "exponential": {"mode": "exponential", "profile": "fast"},
    "cdf": {"mode": "cdf", "probability_format": "UQ1"},
    "temperature": {"temperature_bits": 3, "temperature_fraction": 1},
    "sum of an ensemble": {"ensemble": 3},
    "groups": {"groups": [4, 9], "max_length": 9, "mode": "argmax"},
    "smoothing": {"smoothing": [1, 2, 1]},
}


@pytest.mark.parametrize("keys", WIDE.values(), ids=list(WIDE))
def test_heads_equal_their_models(keys: dict[str, Any]) -> None:
    """Ties, one winner among losers and short vectors between long ones."""
    config = Config(**{"max_length": 21, "confidence": "margin", **keys})
    low, high = config.score_format.minimum, config.score_format.maximum
    rng = np.random.default_rng(4)
    vectors = [rng.choice([low, high - 1, high], rng.integers(1, 24)) for _ in range(12)]
    vectors += [rng.integers(low, high + 1, rng.integers(1, 24)) for _ in range(15)]
    check_head(config, vectors, source="every3", sink="random")


@pytest.mark.parametrize(("lanes", "more"), [(1, 2), (2, 3), (4, 3), (8, 4), (16, 5), (32, 6)])
def test_the_margin_comes_some_cycles_later(lanes: int, more: int) -> None:
    """One bit for each lane is compared anyway where lanes mark their elements, so a mask makes both heads alike."""
    plain = Config(mode="argmax", lanes=lanes, mask=True)
    assert maximum_latency(plain.replace(confidence="margin")) == maximum_latency(plain) + more
    small = plain.replace(profile="small", confidence="margin")
    assert maximum_latency(small) == maximum_latency(small.replace(confidence="none"))


def test_no_bubble_between_vectors() -> None:
    config = Config(mode="argmax", max_length=9, score_width=4, confidence="margin")
    trace = check_head(config, [np.array([1]), np.array([2, 3]), np.array([4])] * 8)
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + 32))
    latency = plan(config).best_latency_cycles
    ends = [trace.inputs[0] + 4 * vector + last for vector in range(8) for last in (0, 2, 3)]
    assert trace.outputs["m_axis"] == [end + 1 + latency for end in ends]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"mode": "sigmoid"}, "confidence = 'margin' with mode = 'sigmoid': no beat names one winner of a vector"),
        ({"mode": "hardmax"}, "confidence = 'none' would do, or mode = 'argmax'"),
        (
            {"winner": False},
            "confidence = 'margin' with winner = false: it accompanies the winner; winner = true would do",
        ),
        (
            {"ensemble": 2, "ensemble_mean": "probabilities"},
            "a mean of probabilities has no score; ensemble_mean = 'logits' would do",
        ),
    ],
)
def test_refusals(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError) as refusal:
        Config(confidence="margin", **keys)
    assert text in str(refusal.value)
