"""Three weaker classifiers of the digits: their script reproduces them, and the accuracy of their means."""

import tomllib

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import ENSEMBLE_SCALE
from softstream.hw.plan.derive import plan
from softstream.sim.data import DIGITS_LABELS, ENSEMBLE_DESCRIPTION, ENSEMBLE_SCORES
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import float64_slack_ulp

SCORES = np.load(ENSEMBLE_SCORES, allow_pickle=False)
LABELS = np.load(DIGITS_LABELS, allow_pickle=False)
DESCRIPTION = tomllib.loads(ENSEMBLE_DESCRIPTION.read_text(encoding="utf-8"))
MEMBERS = DESCRIPTION["members"]


def test_the_data_is_as_described():
    assert (SCORES.dtype, SCORES.shape) == (np.int8, (MEMBERS * len(LABELS), 10))
    assert (DESCRIPTION["vectors"], DESCRIPTION["classes"]) == SCORES.shape
    assert DESCRIPTION["score_scale"] == ENSEMBLE_SCALE
    # The scale uses the whole format, and nothing saturates.
    assert np.abs(SCORES.astype(int)).max() == 127
    right = (SCORES.argmax(axis=1) == np.repeat(LABELS, MEMBERS)).reshape(-1, MEMBERS).mean(axis=0)
    assert right.round(6).tolist() == DESCRIPTION["accuracy_codes"]


@pytest.mark.parametrize("normaliser", ["divider", "logarithm"])
@pytest.mark.parametrize("mean", ["logits", "probabilities"])
def test_together_they_are_better_and_the_hardware_is_as_good_as_float64(mean, normaliser):
    special = pytest.importorskip("scipy.special")
    config = Config(
        ensemble=MEMBERS, ensemble_mean=mean, max_length=10, score_scale=ENSEMBLE_SCALE, normaliser=normaliser,
        probability_format="UQ1",
    )  # fmt: skip
    nats = SCORES.reshape(-1, MEMBERS, 10) * ENSEMBLE_SCALE
    exact = (
        special.softmax(nats.mean(axis=1), axis=1) if mean == "logits" else special.softmax(nats, axis=2).mean(axis=1)
    )
    result = golden(config, SCORES)
    error = np.abs(result["probabilities"] / 256 - exact).max() * 256
    assert 0.5 < error <= plan(config).bound_ulp + float64_slack_ulp(config)
    # No digit is decided otherwise than in float64, where equal sums may be some roundings apart.
    assert (exact.max(axis=1) - exact[np.arange(len(exact)), result["argmax"]]).max() < 1e-13
    accuracy = float((result["argmax"] == LABELS).mean())
    assert max(DESCRIPTION["accuracy_codes"]) < 0.90
    assert round(accuracy, 3) == 0.938


def test_the_two_means_are_two_decisions():
    keys = {"ensemble": MEMBERS, "max_length": 10, "score_scale": ENSEMBLE_SCALE}
    logits, means = (golden(Config(ensemble_mean=mean, **keys), SCORES) for mean in ("logits", "probabilities"))
    assert np.count_nonzero(logits["argmax"] != means["argmax"]) == 22


@pytest.mark.long
def test_the_script_makes_this_data():
    pytest.importorskip("sklearn")
    from softstream.scripts.training.ensemble import train

    ensemble = train()
    assert ensemble.scale == DESCRIPTION["score_scale"]
    # Another linear algebra library may move a score across a rounding edge: by one step, and hardly ever.
    difference = np.abs(ensemble.scores.astype(int) - SCORES)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= SCORES.size // 1000
