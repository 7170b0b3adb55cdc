"""The sample data agrees with its description and with the output of its script."""

import tomllib

import numpy as np
import pytest

from softstream.hw.config.presets import PRESETS
from softstream.sim.data import DIGITS_DESCRIPTION, DIGITS_LABELS, DIGITS_SCORES

SCORES = np.load(DIGITS_SCORES, allow_pickle=False)
LABELS = np.load(DIGITS_LABELS, allow_pickle=False)
DESCRIPTION = tomllib.loads(DIGITS_DESCRIPTION.read_text(encoding="utf-8"))


def test_shapes_and_types():
    assert (SCORES.dtype, SCORES.shape) == (np.int8, (1797, 10))
    assert (LABELS.dtype, LABELS.shape) == (np.int64, (1797,))
    assert set(LABELS) == set(range(10))
    assert (DESCRIPTION["vectors"], DESCRIPTION["classes"]) == SCORES.shape


def test_the_scale_uses_the_whole_format_and_nothing_saturates():
    assert np.abs(SCORES.astype(int)).max() == 127


def test_the_accuracy_is_the_one_described():
    accuracy = np.mean(SCORES.argmax(axis=1) == LABELS)
    assert round(float(accuracy), 6) == DESCRIPTION["accuracy_codes"]
    # Out-of-fold, a linear classifier gets these digits right to 95 … 98 %: 100 % would mean that it had seen them.
    assert 0.95 < accuracy < 0.98


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("digits")])
def test_the_presets_fit_the_data(name):
    config = PRESETS[name]
    assert config.score_scale == DESCRIPTION["score_scale"]
    assert config.score_width == DESCRIPTION["score_width"]
    assert config.score_signed
    assert config.max_length == SCORES.shape[1]


def test_the_script_makes_this_data():
    pytest.importorskip("sklearn")
    from softstream.scripts.training.digits import train

    digits = train()
    np.testing.assert_array_equal(digits.labels, LABELS)
    assert digits.scale == DESCRIPTION["score_scale"]
    # Another linear algebra library may move a score across a rounding edge: by one step, and hardly ever.
    difference = np.abs(digits.scores.astype(int) - SCORES)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= SCORES.size // 1000
