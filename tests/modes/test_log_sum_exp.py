"""Log-sum-exp relative to the largest score: hardware, model, exact values, masks, cycles."""

import itertools

import numpy as np
import pytest
from scipy import special
from support.configurations import framed_vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden

CONFIGS = {
    "fastest": Config(mode="log_sum_exp", max_length=13, score_scale=0.1),
    "fast-4": Config(mode="log_sum_exp", max_length=13, lanes=4, profile="fast"),
    "small-2-split": Config(
        mode="log_sum_exp", max_length=9, lanes=2, profile="small", score_width=12, score_scale=0.002, guard_bits=3
    ),
    "masked-8": Config(mode="log_sum_exp", max_length=21, lanes=8, mask=True, probability_width=10),
    "smallest-masked": Config(mode="log_sum_exp", max_length=7, select="smallest", mask=True, score_signed=False),
    "reference": Config(mode="log_sum_exp", max_length=16, score_scale=0.3, accumulator="reference"),
    "two-windows": Config(mode="log_sum_exp", max_length=16, score_scale=0.3, accumulator="two_windows"),
    "pipelined-2": Config(mode="log_sum_exp", max_length=9, lanes=2, per_vector="pipelined"),
    "groups": Config(mode="log_sum_exp", max_length=5, groups=(5, 3)),
    "ensemble": Config(mode="log_sum_exp", max_length=6, ensemble=2),
    "narrow": Config(mode="log_sum_exp", max_length=64, integer_bits=1),
    "one": Config(mode="log_sum_exp", max_length=1, score_width=2, probability_width=2),
}


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3"), ("every3", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_hardware_equals_the_model(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = framed_vectors(config, np.random.default_rng(6), 12)
    check_head(config, vectors, source=source, sink=sink)


@pytest.mark.parametrize("name", [name for name in CONFIGS if not name.startswith(("groups", "ensemble", "narrow"))])
def test_codes_are_within_the_bound_of_scipy(name: str) -> None:
    config, rng = CONFIGS[name], np.random.default_rng(7)
    scores = rng.integers(
        config.score_format.minimum, config.score_format.maximum, (300, config.max_length), endpoint=True
    )
    scores[:9] = scores[:9, :1]
    mask = rng.integers(0, 2, scores.shape) if config.mask else np.zeros_like(scores)
    result = golden(config, scores, None, {"mask": mask} if config.mask else None)
    nats = np.where(mask == 0, config.position(scores) * config.effective_scale, -np.inf)
    exists = (mask == 0).any(axis=1)
    exact = special.logsumexp(nats[exists] - nats[exists].max(axis=1, keepdims=True), axis=1)
    error = result.log_sums[exists] - exact * 2.0**config.probability_width
    assert np.abs(error).max() <= float(log_bound(config).total) + 1e-9
    ordered = np.where(mask == 0, scores, config.code(0))
    largest = ordered.min(axis=1) if config.selects_smallest else ordered.max(axis=1)
    assert np.array_equal(result.best, largest)
    if config.mask:
        assert np.array_equal(result.all_masked, ~exists)
        assert not result.log_sums[~exists].any()


def test_every_short_vector_in_every_format_of_the_result() -> None:
    config = Config(mode="log_sum_exp", max_length=3, score_width=2, score_scale=1.1, probability_width=4)
    vectors = [np.array(v) - 2 for n in (1, 2, 3) for v in itertools.product(range(4), repeat=n)]
    check_head(config, vectors)
    assert log_numerics(config, signed=False).format.integer_bits == 1  # ln 3 = 1.0986
    assert plan(config).bound is not None


def test_the_sum_of_a_vector_is_the_loss_of_its_winner() -> None:
    """Bit for bit, so the two modes share one proof of their bound."""
    rng = np.random.default_rng(8)
    for scale in (0.0625, 0.1467):
        config = Config(mode="log_sum_exp", max_length=20, score_scale=scale)
        scores = rng.integers(-128, 128, (500, 20))
        losses = golden(config.replace(mode="cross_entropy"), scores, None, {"labels": scores.argmax(axis=1)}).losses
        assert np.array_equal(golden(config, scores).log_sums, losses)
