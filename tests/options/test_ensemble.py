"""Ensembles in numbers: division by M through a multiplication, inputs and outputs, and refusals."""

from typing import Any

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.formats import signed_digits
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.ensemble import mean_division, summed
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs, top_ports
from softstream.sim.golden import golden


@pytest.mark.parametrize("members", range(2, 17))
def test_the_product_is_the_quotient(members: int) -> None:
    """For every sum of guarded codes of int8's width, and around every multiple near the ends of the widest."""
    for fraction in (4, 11, 24):
        division = mean_division(members, fraction)
        if fraction < 24:
            sums = np.arange((members << fraction) + 1)
        else:
            quotients = np.concatenate([np.arange(2000), (1 << fraction) - np.arange(2000)])
            sums = np.unique(np.clip(quotients[:, None] * members + [-1, 0, 1], 0, members << fraction))
        halved = sums >> division.halvings
        assert (halved * division.multiplier >> division.shift == sums // members).all()
        assert sum((-1) ** minus << exponent for exponent, minus in signed_digits(division.multiplier)) == (
            division.multiplier
        )
        # No shorter one would do, so nothing is wider than it need be.
        if division.shift:
            odd, shift = members >> division.halvings, division.shift - 1
            multiplier = -(-(1 << shift) // odd)
            top = (odd << fraction) - 1 - np.arange(4 * odd)
            assert (top * multiplier >> shift != top // odd).any() or multiplier * odd - (1 << shift) >= odd


def test_sums_are_scores_in_finer_steps() -> None:
    config = Config(ensemble=3, score_scale=0.3)
    after = summed(config)
    assert (after.ensemble, after.score_width, after.score_scale) == (1, 10, 0.3 / 3)
    assert config.replace(ensemble=4, score_signed=False).score_format.maximum * 4 <= (
        summed(config.replace(ensemble=4, score_signed=False)).score_format.maximum
    )


def test_the_outputs_of_both_means_are_described() -> None:
    logits, means = (Config(ensemble=3, ensemble_mean=mean, guard_bits=4) for mean in ("logits", "probabilities"))
    assert [field.text for field in outputs(logits)[1].fields] == ["index of the maximum", "its score code"]
    assert outputs(logits)[1].fields[1].width == 10
    assert "sum of its 3 probabilities" in outputs(means)[1].fields[1].text
    assert outputs(means)[1].fields[1].form == "UQ3.11"
    for config in (logits, means):
        assert all([flag.name for flag in output.flags] == ["overlong", "uneven"] for output in outputs(config))
        assert [port.width for port in top_ports(config) if port.name.endswith("m_axis_tuser")] == [2]
    # With a mean of probabilities an element leaves before its last member's end is known.
    assert [output.flags_at_last for output in outputs(means)] == [True, False]
    assert not outputs(logits)[0].flags_at_last


def test_an_ensemble_of_one_is_none() -> None:
    assert composition(Config(ensemble_mean="probabilities")) is None
    assert plan(Config(ensemble_mean="probabilities")).stages == plan(Config()).stages


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ensemble": 0}, "ensemble = 0: must be an integer from 1 to 16 members; for example 1"),
        ({"ensemble": 17}, "ensemble = 17"),
        ({"ensemble_mean": "logit"}, r"ensemble_mean = 'logit': .*\(did you mean 'logits'\?\)"),
        (
            {"ensemble": 5, "score_width": 14},
            "ensemble = 5 with score_width = 14: .* 3 bits more, 16 at most; score_width = 13 would do",
        ),
        ({"ensemble": 2, "mask": True}, "ensemble = 2 with mask: .*; mask = false would do"),
        (
            {"ensemble": 2, "ensemble_mean": "probabilities", "mode": "hardmax"},
            "ensemble_mean with mode = 'hardmax': takes the probabilities of softmax; mode = 'softmax' would do",
        ),
        (
            {"ensemble": 2, "ensemble_mean": "probabilities", "normaliser": "none"},
            "normaliser = 'none': takes the probabilities of softmax; normaliser = 'divider' would do",
        ),
        ({"ensemble": 2, "ensemble_mean": "probabilities", "guard_bits": 2}, "guard_bits = 4 would do"),
        (
            {"ensemble": 8, "normaliser": "logarithm"},
            "score_width = 8 and ensemble = 8: takes scores of at most 10",
        ),
    ],
)
def test_senseless_ensembles_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(Config(**keys))


def test_vectors_are_members_of_whole_ensembles() -> None:
    scores = np.zeros((7, 4), dtype=int)
    with pytest.raises(UserError, match=r"7 vectors with ensemble = 3: .*; 6 vectors would do"):
        golden(Config(ensemble=3), scores)
    with pytest.raises(UserError, match=r"2 vectors with ensemble = 3: .*; 3 vectors would do"):
        golden(Config(ensemble=3), scores[:2])
    assert golden(Config(ensemble=3), scores[:0])["probabilities"].shape == (0, 4)
