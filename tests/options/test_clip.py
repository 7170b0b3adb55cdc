"""Scores clipped before the exponential: in the tables alone, with the winner of the scores as they are."""

from typing import Any

import numpy as np
import pytest
from support.configurations import score_vectors
from support.head_bench import check_head
from support.verilog_text import code

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp

CONFIGS = {
    "divider": Config(max_length=16, clip_minimum=-40, clip_maximum=30),
    "logarithm": Config(max_length=16, clip_maximum=30, normaliser="logarithm", score_signed=False),
    "reference": Config(max_length=16, clip_maximum=100, score_scale=0.3, normaliser="reciprocal"),
    "none": Config(max_length=16, clip_minimum=-40, clip_maximum=30, normaliser="none"),
    "top-k": Config(mode="softmax_top_k", top_k=3, max_length=16, clip_maximum=100),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_codes_are_those_of_clipped_scores_and_winners_of_the_scores(name: str) -> None:
    config = CONFIGS[name]
    form = config.score_format
    scores = np.random.default_rng(81).integers(form.minimum, form.maximum, (400, 16), endpoint=True)
    scores[:200] = np.clip(scores[:200] // 4 + config.clip_positions[1] + form.minimum, form.minimum, form.maximum)
    clipped = np.clip(scores, config.clip_minimum, config.clip_maximum)
    result = golden(config, scores)
    if config.mode == "softmax_top_k":
        order = np.argsort(-scores, axis=1, kind="stable")[:, :3]
        np.testing.assert_array_equal(result["top_indices"], order)
        codes = golden(config.replace(mode="softmax"), scores).probabilities
        np.testing.assert_array_equal(result["top_probabilities"], np.take_along_axis(codes, order, axis=1))
        return
    # Of one configuration, for the sums' widths may follow the clip.
    np.testing.assert_array_equal(result.probabilities, golden(config, clipped).probabilities)
    np.testing.assert_array_equal(result.argmax, scores.argmax(axis=1))
    np.testing.assert_array_equal(result.best, scores.max(axis=1))
    errors = error_ulp(config.replace(probability_format="UQ1"), result.probabilities, scores)
    errors = errors[result.probabilities < config.probability_maximum]
    assert 0.4 < errors.max() <= float(bound(config).total) + float64_slack_ulp(config)
    # Beside clipped scores the exact formula without the clip is far off.
    off = error_ulp(config.replace(clip_minimum=-65536, clip_maximum=65535), result.probabilities, scores)
    assert name == "none" or off.max() > 5


@pytest.mark.parametrize("name", CONFIGS)
def test_the_hardware_equals_the_model(name: str) -> None:
    check_head(CONFIGS[name], score_vectors(CONFIGS[name], seed=82), sink="random")


def test_clipping_costs_no_latency_and_no_table() -> None:
    plain = Config(max_length=16)
    clipped = plan(plain.replace(clip_minimum=-40, clip_maximum=127))
    assert clipped.latency_formula == plan(plain).latency_formula
    assert clipped.table_bits == plan(plain).table_bits
    # A lower largest score makes sums narrower.
    narrow = numerics(plain.replace(clip_maximum=0))
    assert narrow.accumulator_width < numerics(plain).accumulator_width
    assert code(plain.replace(clip_minimum=-128, clip_maximum=127)) == code(plain)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"clip_minimum": 5, "clip_maximum": 5}, "clip_minimum = 5: must leave scores apart, .*; clip_minimum = -128 would do"),
        ({"clip_minimum": 127}, "clip_minimum = 127: must leave scores apart"),
        ({"clip_maximum": -128}, "clip_maximum = -128: must leave scores apart, .*; clip_maximum = 127 would do"),
        ({"clip_maximum": 70000}, "clip_maximum = 70000: must be an integer"),
        ({"clip_maximum": 5, "mode": "sample"}, "clip_maximum = 5 with mode = 'sample': .*; mode = 'softmax' would do"),
        ({"clip_minimum": -5, "score_width": 12}, "clip_minimum = -5 with score_width = 12: .*; score_width = 10 would do"),
        (
            {"clip_minimum": -5, "accumulator": "two_pass", "profile": "small"},
            "clip_minimum = -5 with accumulator = 'two_pass': .*; accumulator = 'auto' would do",
        ),
        ({"clip_minimum": -5, "temperature_bits": 2}, "clip_minimum = -5 with temperature_bits = 2: .*; temperature_bits = 0"),
        ({"clip_minimum": -5, "ensemble": 2}, "clip_minimum = -5 with ensemble = 2: .*; ensemble = 1 would do"),
    ],
)  # fmt: skip
def test_refusals(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Config.from_mapping(keys)
