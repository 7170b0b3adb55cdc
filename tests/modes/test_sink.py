"""The key `sink`: a head with it has the bits of a head whose vectors have one more element, of the score of the sink."""

from typing import Any

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.sink import sink_bits
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64
from softstream.sim.stimulus import random_sideband

CASES: dict[str, dict[str, Any]] = {
    "logarithm": {},
    "divider": {"normaliser": "divider", "sink_code": -100},
    "reciprocal-16": {
        "normaliser": "reciprocal", "score_width": 12, "score_scale": 2.0**-9, "probability_width": 16, "sink_code": 900,
    },
    "fast-4": {"normaliser": "divider", "profile": "fast", "lanes": 4, "sink_code": 127},
    "small": {"normaliser": "divider", "profile": "small", "score_signed": False, "sink_code": 200},
    "pipelined": {"per_vector": "pipelined", "normaliser": "divider", "sink_code": 60},
    "mask": {"mask": True, "sink_code": 60},
    "smallest": {"select": "smallest", "sink_code": -100},
    "log_softmax": {"mode": "log_softmax", "sink_code": 90},
    "log_softmax-2": {"mode": "log_softmax", "lanes": 2, "mask": True, "score_scale": 0.1},
    "softmax_of_groups": {"groups": [3, 9], "max_length": 9},
    "smoothing": {"smoothing": [1, 2, 1], "sink_code": 30},
    "vector": {"sink": "vector"},
    "vector-4": {"sink": "vector", "lanes": 4, "mask": True, "normaliser": "divider", "profile": "fast"},
    "vector-split": {
        "sink": "vector", "normaliser": "reciprocal", "score_width": 12, "score_scale": 2.0**-9, "profile": "small",
    },
    "vector-smallest": {"sink": "vector", "select": "smallest", "score_signed": False, "per_vector": "pipelined"},
    "vector-log_softmax": {"sink": "vector", "mode": "log_softmax", "lanes": 2},
    "vector-smoothing": {"sink": "vector", "smoothing": [1, 2, 1], "normaliser": "divider", "clip_maximum": 50},
    "levels": {"output_levels": 255, "output_zero_point": -128, "normaliser": "divider"},
}  # fmt: skip


def head(keys: dict[str, Any]) -> Config:
    return Config(**{"max_length": 9, "sink": "fixed", **keys})


@pytest.mark.parametrize("keys", CASES.values(), ids=list(CASES))
def test_heads_equal_their_models(keys: dict[str, Any]) -> None:
    config = head(keys)
    low, high = config.score_format.minimum, config.score_format.maximum
    rng = np.random.default_rng(5)
    vectors = [rng.choice([low, high], rng.integers(1, 11)) for _ in range(8)]
    vectors += [rng.integers(low, high + 1, rng.integers(1, 11)) for _ in range(10)]
    check_head(config, vectors, source="every3", sink="random")


@pytest.mark.parametrize("name", ["logarithm", "divider", "reciprocal-16", "fast-4", "mask", "smallest", "log_softmax"])
def test_one_more_element_has_the_same_bits(name: str) -> None:
    """Of a head whose vectors may have 16 elements, so that both sums have the same width."""
    with_sink = head(CASES[name]).replace(max_length=15)
    without = with_sink.replace(sink="none", sink_code=0, max_length=16)
    form, rng = with_sink.score_format, np.random.default_rng(6)
    scores = rng.integers(form.minimum, form.maximum + 1, (300, 15))
    scores[::2] = np.clip(scores[::2], with_sink.sink_code - 30, with_sink.sink_code + 30)
    lengths = rng.integers(1, 16, 300)
    extra = random_sideband(with_sink, scores)
    extended = np.concatenate([scores, scores[:, :1]], axis=1)
    extended[np.arange(300), lengths] = with_sink.sink_code
    masks = {}
    if extra:
        masks = {"mask": np.concatenate([extra["mask"], extra["mask"][:, :1]], axis=1)}
        masks["mask"][np.arange(300), lengths] = 0
    array = "log_probabilities" if with_sink.mode == "log_softmax" else "probabilities"
    got = golden(with_sink, scores, lengths, extra)[array]
    due = golden(without, extended, lengths + 1, masks)[array][:, :15]
    valid = np.arange(15) < lengths[:, None]
    if masks:
        # Of a fully masked vector nothing but the sink is left.
        valid &= (masks["mask"][:, :15] == 0).any(axis=1)[:, None]
    assert np.array_equal(got[valid], due[valid])


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("vector") and name != "vector-smoothing"])
def test_a_sink_that_accompanies_its_vector_is_one_more_element(name: str) -> None:
    config = head(CASES[name]).replace(max_length=15, mask=False)
    form, rng = config.score_format, np.random.default_rng(6)
    scores = rng.integers(form.minimum, form.maximum + 1, (200, 15))
    lengths, sinks = rng.integers(1, 16, 200), rng.integers(form.minimum, form.maximum + 1, 200)
    extended = np.concatenate([scores, scores[:, :1]], axis=1)
    extended[np.arange(200), lengths] = sinks
    array = "log_probabilities" if config.mode == "log_softmax" else "probabilities"
    bits = sinks & ((1 << config.score_width) - 1)
    got = golden(config, scores, lengths, {"sinks": bits})[array]
    due = golden(config.replace(sink="none", max_length=16), extended, lengths + 1)[array][:, :15]
    valid = np.arange(15) < lengths[:, None]
    assert np.array_equal(got[valid], due[valid])


def test_codes_of_sinks_are_within_the_bound_of_the_formula() -> None:
    """Real scores of sinks are quantised as scores are, and saturate."""
    config = Config(max_length=8, sink="vector", probability_format="UQ1", normaliser="divider")
    scores = np.random.default_rng(8).integers(-128, 128, (300, 8))
    sinks = np.linspace(-9, 9, 300)
    codes = np.clip(np.rint(sinks / config.score_scale), -128, 127)
    weights, own = np.exp(scores / 16), np.exp(codes / 16)[:, None]
    exact = weights / (own + weights.sum(axis=1, keepdims=True))
    assert (
        np.abs(golden(config, scores, None, {"sinks": sinks}).probabilities - 256 * exact).max()
        <= plan(config).bound_ulp
    )
    bits = sink_bits(config, sinks)
    np.testing.assert_allclose(softmax_float64(config, scores, sinks=bits), exact, rtol=1e-12)


def test_a_sink_for_each_vector_costs_one_cycle() -> None:
    config = Config(max_length=100, sink="vector")
    assert plan(config).fixed_latency_cycles == plan(config.replace(sink="none")).fixed_latency_cycles + 1


def test_off_by_one_softmax() -> None:
    """e^x / (1 + Σ e^x): the sum of a vector of low scores is near 0, and no longer 1."""
    config = Config(max_length=4, sink="fixed", probability_format="UQ1", normaliser="divider")
    scores = np.array([[-100, -100, -100, -100], [0, 0, 0, 0], [100, -100, -100, -100]])
    exact = np.exp(scores / 16) / (1 + np.exp(scores / 16).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(softmax_float64(config, scores), exact, rtol=1e-12)
    codes = golden(config, scores).probabilities
    assert np.abs(codes - 256 * exact).max() <= plan(config).bound_ulp
    assert codes.sum(axis=1).tolist() == [0, 4 * 51, 256]


def test_the_sink_costs_no_cycle() -> None:
    config = Config(max_length=100, sink="fixed")
    assert plan(config).latency_formula == plan(config.replace(sink="none")).latency_formula


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"mode": "argmax"}, "sink = 'fixed' with mode = 'argmax': softmax and log-softmax alone share a sum with it"),
        ({"sum": "exact", "probability_format": "UQ1", "normaliser": "divider"}, "sum = 'rounded' would do"),
        ({"normaliser": "none"}, "normaliser = 'divider' would do"),
        ({"accumulator": "two_windows"}, "accumulator = 'auto' would do"),
        ({"temperature_bits": 3, "normaliser": "divider"}, "temperature_bits = 0 would do"),
        ({"ensemble": 2}, "ensemble = 1 would do"),
        (
            {"sink": "vector", "groups": [3], "max_length": 3},
            "sink = 'vector' with groups = [3]: a packet brings one score",
        ),
        (
            {"sink": "vector", "ensemble": 2, "ensemble_mean": "probabilities", "normaliser": "divider"},
            "a vector brings one score, and a mean has several; ensemble = 1 would do, or sink = 'fixed'",
        ),
        ({"sink_code": 128}, "sink_code = 128: must be one of the score codes, -128 to 127; sink_code = 127 would do"),
    ],
)
def test_refusals(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError) as refusal:
        Config(**{"sink": "fixed", **keys})
    assert text in str(refusal.value)


def test_a_range_without_an_exact_sum_is_refused_with_one_that_has_it() -> None:
    with pytest.raises(UserError, match=r"score_scale = 0.3 with sink = 'fixed': .*; score_scale = 0.1 would do"):
        plan(Config(score_scale=0.3, sink="fixed"))
    plan(Config(score_scale=0.1, sink="fixed"))
