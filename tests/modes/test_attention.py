"""Rows of attention: the preset on scores of a trained transformer, within its bound, and causal rows one after the other."""

import tomllib

import numpy as np
import pytest
from support.head_bench import check_head

import softstream
from softstream.hw.config.presets import preset
from softstream.hw.plan.derive import plan
from softstream.sim.data import ATTENTION_DESCRIPTION, ATTENTION_SCORES
from softstream.sim.reference.softmax import float64_slack_ulp, softmax_float64

CONFIG = preset("attention-int8")
DESCRIPTION = tomllib.loads(ATTENTION_DESCRIPTION.read_text(encoding="utf-8"))
with np.load(ATTENTION_SCORES, allow_pickle=False) as arrays:
    SCORES, LENGTHS = arrays["scores"].astype(np.float64), arrays["lengths"]
INSIDE = np.arange(SCORES.shape[1]) < LENGTHS[:, None]


def test_the_data_is_as_described() -> None:
    assert SCORES.shape == (DESCRIPTION["rows"], 1024)
    assert LENGTHS.min() == 1
    assert LENGTHS.max() == 1024
    assert not SCORES[~INSIDE].any()
    assert round(SCORES[INSIDE].max(), 3) == DESCRIPTION["largest_score_nats"]
    assert round(SCORES[INSIDE].min(), 3) == DESCRIPTION["smallest_score_nats"]


def test_scores_saturate_only_where_their_probability_is_0() -> None:
    """A row whose scores reach beyond the codes is shifted, which changes no probability."""
    codes = softstream.quantise(CONFIG, SCORES, LENGTHS).codes
    largest = SCORES.max(axis=1, keepdims=True, where=INSIDE, initial=-np.inf)
    low = INSIDE & (codes == -128)
    assert (largest - SCORES)[low].min() > 20
    assert 1024 * np.exp(-20) * 4096 < 0.01


def test_the_rows_keep_the_bound() -> None:
    codes = softstream.quantise(CONFIG, SCORES, LENGTHS).codes
    exact = softmax_float64(CONFIG, codes, LENGTHS)
    probabilities = softstream.golden(CONFIG, codes, LENGTHS).probabilities
    assert probabilities is not None
    error = np.abs(probabilities - exact * 4096)
    error[exact > 1 - 1 / 8192] = 0  # 1.0 saturates
    assert error.max() <= plan(CONFIG).bound_ulp + float64_slack_ulp(CONFIG)
    assert error.max() > 0.49
    # What the page says of these rows.
    sums = probabilities.sum(axis=1) / 4096
    assert np.abs(sums - 1).max() < 0.021
    weights = np.where(INSIDE, np.exp(SCORES - SCORES.max(axis=1, keepdims=True, where=INSIDE, initial=-np.inf)), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    distance = np.abs(probabilities / 4096 - weights).sum(axis=1) / 2
    assert np.median(distance) < 0.013
    assert distance.max() < 0.036


@pytest.mark.parametrize("head", [0, 5])
def test_causal_rows_one_after_the_other(head: int) -> None:
    """Row n has n keys, for n = 1, 2, 3, … without any key between."""
    config = CONFIG.replace(max_length=64)
    codes = softstream.quantise(CONFIG, SCORES, LENGTHS).codes
    longest = codes[16 * head + 15]
    check_head(config, [longest[:count] for count in range(1, 20)], source="never", sink="random")
