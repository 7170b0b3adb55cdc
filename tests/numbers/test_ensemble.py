"""The exact division of sums by the number of members, and the formats of both means."""

from fractions import Fraction

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import post_shares
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.ensemble import mean_division, mean_format, mean_truncation, sum_offset, summed


@pytest.mark.parametrize("fraction", [1, 4, 10, 16])
@pytest.mark.parametrize("members", range(1, 17))
def test_the_quotient_of_every_sum_is_exact(members: int, fraction: int) -> None:
    division = mean_division(members, fraction)
    sums = np.arange((members << fraction) + 1)
    quotients = ((sums >> division.halvings) * division.multiplier) >> division.shift
    assert np.array_equal(quotients, sums // members)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("members", range(2, 17))
def test_the_format_of_the_sums_of_scores_is_the_least_that_holds_them(members: int, signed: bool) -> None:
    config = Config(ensemble=members, score_width=4, score_signed=signed)
    wide = summed(config)
    low, high = (members * limit for limit in (config.score_format.minimum, config.score_format.maximum))
    assert wide.score_format.minimum <= low == sum_offset(config)
    assert high <= wide.score_format.maximum
    assert high - low >= 1 << (wide.score_width - 1)
    assert wide.effective_scale == config.score_scale / members


@pytest.mark.parametrize("members", [2, 3, 16])
def test_the_format_of_the_sums_of_probabilities_holds_all_members_at_one(members: int) -> None:
    config = Config(ensemble=members, ensemble_mean="probabilities", max_length=4)
    parts = composition(config)
    assert parts is not None
    one = 1 << parts.inner.probability_width
    assert members * one <= mean_format(config, parts.inner).maximum < 4 * members * one


def test_the_floor_of_the_mean_counts_only_before_another_stage() -> None:
    config = Config(ensemble=3, ensemble_mean="probabilities", max_length=4)
    parts = composition(config)
    assert parts is not None
    unit = Fraction(1, 1 << parts.inner.probability_width)
    assert mean_truncation(config, parts.inner) == Fraction(2, 3) * unit
    assert [share for _, share in post_shares(config, parts)] == [0]
    followed = config.replace(smoothing=(1, 2, 1))
    parts = composition(followed)
    assert parts is not None
    (name, share), _ = post_shares(followed, parts)
    assert (name, share) == ("mean_probabilities", Fraction(2, 3) * unit * (1 << config.probability_width))
