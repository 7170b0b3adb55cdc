"""Vectors of up to 2^20 elements: what is planned and generated, what the model computes, and what is refused."""

from itertools import accumulate
from typing import Any

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.limits import LONGEST, STORED_BEATS
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.hw.numbers.inverse_cdf import cdf_law
from softstream.hw.plan.derive import plan
from softstream.hw.verilog import verilog
from softstream.sim.golden import golden
from softstream.sim.golden.modes.inverse_cdf import terms
from softstream.sim.golden.stages.random_words import words
from softstream.sim.reference.law import share_law, softmax_law, total_variation

STORING = {"softmax", "log_softmax", "cdf"}
NEEDED: dict[str, dict[str, Any]] = {"entropy": {"score_scale": 0.04, "guard_bits": 6}}
"""Mode → keys that its longest vector needs: two exact sums have fewer octaves, and the bound grows with the length."""


@pytest.mark.parametrize("mode", sorted(set(MODES) - STORING))
def test_modes_without_a_store_plan_the_longest_vector(mode: str) -> None:
    config = Config.from_mapping({"mode": mode, "max_length": LONGEST, **NEEDED.get(mode, {})})
    figures = plan(config)
    assert config.index_width == 20
    assert figures.bound is None or figures.bound.total <= 1


def test_the_head_of_the_longest_vector_is_generated() -> None:
    text = verilog(Config(mode="argmax", max_length=LONGEST), "head")
    assert "m_axis_tdata" in text
    assert len(text) < 100_000


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            {"mode": "softmax"},
            "max_length = 1048576 with mode = 'softmax': the memory of the scores holds at most 262144",
        ),
        ({"mode": "log_softmax", "lanes": 2}, "the memory of the scores holds at most 524288 elements with lanes = 2"),
        ({"mode": "sample", "sampler": "inverse_cdf"}, "the memory of the scores holds at most 262144 elements"),
        (
            {"mode": "argmax", "ensemble": 2},
            "with ensemble = 2: the memory of the sums of the members holds at most 262144",
        ),
    ],
)
def test_a_stored_vector_is_shorter(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=rf"{text}.*; max_length = \d+ would do$"):
        Config.from_mapping({**keys, "max_length": LONGEST})
    longest = STORED_BEATS * keys.get("lanes", 1)
    plan(Config.from_mapping({**keys, "max_length": longest}))
    with pytest.raises(UserError):
        Config.from_mapping({**keys, "max_length": longest + 1})


def test_the_plan_states_the_bits_of_the_memory() -> None:
    config = Config(max_length=1000, lanes=2, mask=True)
    row = plan(config).stage("replay")
    entries = int(row.computes.split()[-2])
    assert row.note == f"a memory of {entries * 2 * (8 + 1 + 1)} bits, not a table"


@pytest.mark.parametrize("tie", ["first", "last"])
def test_the_model_of_a_vocabulary(tie: str) -> None:
    """The winner and the K largest of 2^20 scores, and the cut behind them."""
    config = Config.from_mapping({"mode": "top_k", "max_length": LONGEST, "tie": tie})
    scores = np.random.default_rng(7).integers(-128, 127, (1, LONGEST + 2))
    scores[0, [5, 900_000, LONGEST - 1]] = 127
    scores[0, LONGEST:] = 127
    result = golden(config, scores)
    order = [5, 900_000, LONGEST - 1]
    assert result["top_indices"][0, :3].tolist() == (order if tie == "first" else order[::-1])
    assert result["overlong"].all()
    assert golden(config.replace(mode="argmax"), scores).argmax.tolist() == [order[0 if tie == "first" else -1]]


@pytest.mark.long
def test_draws_from_a_vocabulary() -> None:
    """2^18 classes by the inverse: the model against Python's integers, the law against softmax, the bits of the memory."""
    config = Config.from_mapping({"mode": "sample", "sampler": "inverse_cdf", "max_length": STORED_BEATS, "seed": 5})
    law, row = cdf_law(config), plan(config).stage("replay")
    scores = np.random.default_rng(8).normal(0, 25, (2, STORED_BEATS)).round().clip(-128, 127).astype(np.int64)
    scores[1, 17] = 127
    drawn = golden(config, scores)["sample"]
    for vector, index, word in zip(scores, drawn, words(config.seed, 2).tolist(), strict=True):
        weights = terms(law, vector[None] + 128, np.ones((1, len(vector)), dtype=bool))[0]
        running = list(accumulate(weights.tolist()))
        share = (2 * (word & ((1 << law.share_bits) - 1)) + 1) * running[-1] >> law.share_bits + 1
        assert index == next(i for i, part in enumerate(running) if part > share)
        exact = softmax_law(config.effective_scale, vector + 128)
        probabilities = share_law(weights, law.share_bits)
        assert total_variation(probabilities, exact) <= float(law.bound)
        honoured = exact >= float(law.smallest)
        assert np.all(np.abs(probabilities / exact - 1)[honoured] <= float(law.class_error))
    assert int(row.computes.split()[-2]) >= STORED_BEATS
