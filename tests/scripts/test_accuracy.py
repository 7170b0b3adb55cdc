"""The search for the largest error finds known errors, and nothing beyond the bound."""

import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.numbers.temperature import tempered
from softstream.hw.plan.derive import plan
from softstream.scripts.measure.accuracy import worst_errors
from softstream.sim.reference.softmax import float64_slack_ulp

SOFTMAX = {
    # With a temperature for each vector, the head behind the product: its scores are all the products, and more.
    name: tempered(config) if config.temperature_bits else config
    for name, config in PRESETS.items()
    if config.mode == "softmax" and not config.mask
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_the_largest_error_is_more_than_rounding_and_within_the_bound(name):
    config = SOFTMAX[name]
    derived = plan(config)
    seen, with_saturation = worst_errors(config, 1)
    # Rounding alone reaches half an ulp: a search that stays below has found nothing.
    assert 0.5 < seen <= derived.bound_ulp + float64_slack_ulp(config)
    assert seen <= with_saturation <= derived.worst_ulp + float64_slack_ulp(config)
    if config.sink == "fixed":
        assert with_saturation < 1.0  # the sink keeps a share of each vector, so no probability is 1.0
    elif config.sink_per_vector:
        assert with_saturation == pytest.approx(1.0, abs=0.01)  # a sink of 20 nats below leaves almost 1.0
    elif config.probability_format == "UQ0":
        assert with_saturation == pytest.approx(1.0)  # 1.0 becomes 1 − 2^−P
    else:
        assert with_saturation == seen


def test_the_same_seed_finds_the_same():
    config = Config(max_length=20)
    assert worst_errors(config, 3) == worst_errors(config, 3)


def test_one_is_no_error_where_the_format_holds_it():
    seen, with_saturation = worst_errors(Config(max_length=5, probability_format="UQ1"), 1)
    assert seen == with_saturation < 0.6
