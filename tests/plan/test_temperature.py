"""Temperature: softmax(x / T) by tables of another scale, everywhere that a scale is read."""

import pickle
import re
from typing import Any

import numpy as np
import pytest
from support.configurations import score_vectors
from support.long_cases import partly_long
from support.verilog_text import code

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.hw.numbers.gumbel import gumbel_table
from softstream.hw.numbers.sigmoid import sigmoid_codes
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp, softmax_float64

EVERY = [
    *({"mode": mode} for mode in MODES),
    {"normaliser": "logarithm"},
    {"accumulator": "two_pass", "profile": "small"},
    {"mode": "exponential", "score_width": 12},
]


# The text of these modes holds the stages of the softmax and tables of their own, which read the scale in the same way.
LONG = [{"mode": mode} for mode in ("softmax_top_k", "cdf", "log_sum_exp", "sample", "cross_entropy")]


@pytest.mark.parametrize("keys", partly_long(EVERY, LONG), ids=lambda keys: "-".join(map(str, keys.values())))
def test_the_hardware_is_that_of_the_quotient(keys: dict[str, Any]) -> None:
    """To the byte, and with its bound: nothing reads the scale alone."""
    hot = Config(max_length=20, score_scale=0.125, temperature=2.0).replace(**keys)
    plain = Config(max_length=20, score_scale=0.0625).replace(**keys)
    assert code(hot) == code(plain)
    assert plan(hot).bound == plan(plain).bound
    assert plan(hot).stages == plan(plain).stages
    assert plan(hot).warnings == plan(plain).warnings
    assert hot.digest != plain.digest


def test_one_is_the_default_and_changes_nothing() -> None:
    assert Config(temperature=1) == Config()
    assert Config(score_scale=0.0912).effective_scale == 0.0912
    assert Config().scale_text == "score_scale = 0.0625"
    # A scale beyond every table is capped, as it always was.
    numerics(Config(score_scale=1e6))


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.3, 3.0, 50.0])
@pytest.mark.parametrize("normaliser", ["divider", "reciprocal", "logarithm", "none"])
def test_within_the_bound_of_softmax_of_scores_over_temperature(normaliser: str, temperature: float) -> None:
    config = Config(max_length=16, score_scale=0.0912, temperature=temperature, normaliser=normaliser)
    limit = float(plan(config).bound_ulp or 0) + float64_slack_ulp(config)
    for vector in score_vectors(config, seed=91):
        scores = vector[None, :16]
        codes = golden(config, scores).probabilities
        assert codes is not None
        unsaturated = codes < config.probability_maximum
        assert error_ulp(config, codes, scores)[unsaturated].max(initial=0) <= limit
        if normaliser != "none":
            x = scores * 0.0912 / temperature
            weights = np.exp(x - x.max())
            assert np.allclose(softmax_float64(config, scores), weights / weights.sum(), rtol=1e-12, atol=0)


def test_sigmoid_and_sampling_read_the_quotient() -> None:
    hot, plain = Config(score_scale=0.5, temperature=4.0), Config(score_scale=0.125)
    assert (sigmoid_codes(hot) == sigmoid_codes(plain)).all()
    assert (gumbel_table(hot).values == gumbel_table(plain).values).all()


@pytest.mark.parametrize("mode", ["softmax", "softmax_top_k", "exponential", "sigmoid"])
@pytest.mark.parametrize("scale", [2.5, 44.0, 45.0, 62500.0])
def test_a_cold_head_is_that_of_the_coarse_scale(mode: str, scale: float) -> None:
    """However many nats a step has, temperature and scale are one quantity, and the bound holds."""
    plain = Config(mode=mode, max_length=8, score_scale=scale)  # type: ignore[arg-type]
    cold = plain.replace(score_scale=0.0625, temperature=0.0625 / scale)
    scores = np.random.default_rng(8).integers(-4, 4, (300, 8))
    results = golden(plain, scores)
    for name, values in golden(cold, scores).items():
        assert np.array_equal(values, results[name])
    assert plan(cold).worst_ulp == pytest.approx(plan(plain).worst_ulp)
    if mode == "softmax":
        assert error_ulp(cold, results["probabilities"], scores).max() <= plan(cold).worst_ulp


def test_too_cold_is_warned_of() -> None:
    (warning,) = [text for text in plan(Config(max_length=16, temperature=0.001)).warnings if "check the scale" in text]
    assert warning == (
        "score_scale = 0.0625 with temperature = 0.001: a step of the score is 62.5 nats, so that all but the largest scores "
        "have the probability 0; check the scale, or take mode = 'argmax'"
    )
    assert not plan(Config(max_length=16, score_scale=6.2)).warnings


def test_too_hot_is_warned_of() -> None:
    (warning,) = [text for text in plan(Config(max_length=16, temperature=1e6)).warnings if "check the scale" in text]
    assert warning.startswith("score_scale = 0.0625 with temperature = 1000000.0: the whole range of scores changes")


def test_wide_scores_of_sigmoid_and_sampling_are_refused_with_a_remedy() -> None:
    fine = Config(score_width=16, score_scale=2.0**-9, temperature=3.0)
    with pytest.raises(
        UserError, match=r"score_scale = 0.001953125 with temperature = 3.0: .*, or score_scale = 0.01171875"
    ):
        sigmoid_codes(fine)
    sigmoid_codes(fine.replace(score_scale=0.01171875))
    with pytest.raises(
        UserError, match=r"score_scale = 0.0625 with temperature = 0.003: .*; score_scale = 0.048 would do, or mode"
    ):
        Config(mode="sample", temperature=0.003)
    gumbel_table(Config(mode="sample", temperature=0.003, score_scale=0.048))


@pytest.mark.parametrize(
    "keys",
    [
        {"sum": "exact", "probability_format": "UQ1", "temperature_bits": 6},
        {"mode": "cdf", "probability_format": "UQ1", "temperature_bits": 6},
        {"mode": "sample", "sampler": "inverse_cdf", "temperature_bits": 6},
        {"sum": "exact", "probability_format": "UQ1", "ensemble": 8, "score_scale": 0.3},
        {"mode": "entropy", "ensemble": 4, "score_scale": 0.3},
    ],
)
def test_a_sum_that_is_too_wide_is_refused_by_the_scale_of_the_configuration(keys: dict[str, Any]) -> None:
    """Not by that of the scores behind a product or a mean, which have steps of another size."""
    config = Config(**keys)
    temperatures = {"temperatures": np.ones(8, dtype=np.int64)} if config.temperature_bits else {}
    message = rf"^score_scale = {config.score_scale:g} with .*; score_scale = (\S+) would do, or "
    with pytest.raises(UserError, match=message) as refusal:
        plan(config)
    with pytest.raises(UserError, match=message):
        golden(config, np.zeros((8, 3), dtype=np.int64), sideband=temperatures)
    copy = pickle.loads(pickle.dumps(refusal.value))
    assert (type(copy), str(copy)) == (UserError, str(refusal.value))
    scale = float(re.search(message, str(refusal.value))[1])
    plan(config.replace(score_scale=scale))
    with pytest.raises(UserError, match="the exact sum"):
        plan(config.replace(score_scale=1.2 * scale))
