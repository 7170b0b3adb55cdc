"""The golden model keeps the printed bound for random configurations of every mode and option, against their formulas."""

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from support import bound_check
from support.bound_check import SETTINGS, check, configurations

from softstream.hw.config.config import Config
from softstream.sim.golden import golden

EXAMPLES = 160

PAST_FAULTS = {
    "an idle clip with a mean of logits": Config(ensemble=3, max_length=3, clip_maximum=127, normaliser="logarithm"),
    "a clip below the format with a mean of logits": Config(ensemble=3, max_length=5, clip_minimum=-200),
    "an idle clip with temperature_bits": Config(max_length=5, temperature_bits=2, clip_maximum=127),
    "an idle clip with a mean of logits and Top-K": Config(
        mode="softmax_top_k", ensemble=2, max_length=5, clip_minimum=-128
    ),
    "all levels of the width, given as a number, before a floor": Config(
        max_length=5, output_levels=256, probability_floor=0.0001
    ),
    "all levels of the width, given as a number, before smoothing": Config(
        max_length=5, output_levels=256, output_zero_point=-128, smoothing=(1, 2, 1)
    ),
    "exponentials of a mean of logits": Config(mode="exponential", ensemble=3, max_length=5),
    "exponentials of a mean of five logits": Config(
        mode="exponential", ensemble=5, max_length=5, score_scale=0.25, reference_offset=3
    ),
}
"""Configurations that once exceeded their bound or computed another formula."""


@seed(1)
@settings(SETTINGS, max_examples=EXAMPLES)
@given(configurations(), st.integers(0, 1 << 31))
def test_random_configurations_keep_their_bound(config: Config | None, number: int) -> None:
    if config is not None:
        check(config, number)


@pytest.mark.parametrize("config", PAST_FAULTS.values(), ids=list(PAST_FAULTS))
def test_past_faults_stay_mended(config: Config) -> None:
    check(config, 1)


def test_the_check_notices_a_wrong_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose score scale is off by one part in 100 exceeds the bound, and the message reproduces it."""
    config = Config(max_length=9, probability_width=12)
    check(config, 2)
    monkeypatch.setattr(
        bound_check, "golden", lambda config, *inputs: golden(config.replace(score_scale=0.0631), *inputs)
    )
    with pytest.raises(AssertionError, match=r"bound .*\npython -c "):
        check(config, 2)


def test_the_check_notices_an_understated_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that is too small by 0.3 ulp is exceeded, so the scores come near it."""
    config = Config(max_length=9, probability_width=12)
    monkeypatch.setattr(bound_check, "slack_ulp", lambda config: -0.3)
    with pytest.raises(AssertionError, match=r"bound .*\npython -c "):
        check(config, 2)
