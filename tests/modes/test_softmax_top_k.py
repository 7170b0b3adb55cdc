"""The K largest scores with their probabilities: the softmax's own codes, whatever the normaliser."""

from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import SOFTMAX, score_vectors
from support.head_beats import ranked_beats
from support.long_cases import partly_long
from support.stream_bench import PAUSED, run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.plan.derive import plan
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import float64_slack_ulp, softmax_float64


def ranked(name: str, count: int, **changes: Any) -> Config:
    return SOFTMAX[name].replace(mode="softmax_top_k", top_k=count, **changes)


@pytest.mark.parametrize("name", SOFTMAX)
def test_golden_has_the_codes_of_the_softmax(name: str) -> None:
    config = ranked(name, 4)
    scores, lengths = pad_vectors(score_vectors(config, seed=80), config.score_format.maximum)
    result = golden(config, scores, lengths)
    whole = golden(config.replace(mode="softmax"), scores, lengths)
    assert np.array_equal(result["top_indices"][:, 0], whole.argmax)
    assert np.array_equal(result["top_scores"][:, 0], whole.best)
    assert whole.probabilities is not None
    for row, length in enumerate(np.minimum(lengths, config.max_length)):
        codes = whole.probabilities[row, result["top_indices"][row]]
        assert np.array_equal(result["top_probabilities"][row], np.where(np.arange(4) < length, codes, 0))


@pytest.mark.parametrize(("source", "sink"), PAUSED)
@pytest.mark.parametrize("name", SOFTMAX)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = ranked(name, 3)
    vectors = score_vectors(config, seed=81)
    due = ranked_beats(config, vectors)
    assert run_component(Head(config), beats_of(vectors), len(due), source=source, sink=sink).beats == due


@pytest.mark.parametrize("count", [1, 2, 8, 16])
@pytest.mark.parametrize("name", ["logarithm", "small"])
def test_every_size(name: str, count: int) -> None:
    config = ranked(name, count, max_length=24)
    vectors = score_vectors(config, seed=82)
    due = ranked_beats(config, vectors)
    assert run_component(Head(config), beats_of(vectors), len(due), sink="random").beats == due


# The schedules at length 1 are those of test_head, and the read-out of Top-K has the same cycles at any length.
@pytest.mark.parametrize("length", partly_long([1, 10, 16], [1, 10]))
@pytest.mark.parametrize("name", SOFTMAX)
def test_latency_and_interval(name: str, length: int) -> None:
    config, count = ranked(name, 4), 4
    promised, length = plan(config), min(length, config.max_length)
    rng = np.random.default_rng(83)
    vectors = [rng.integers(config.score_format.minimum, config.score_format.maximum + 1, length) for _ in range(24)]
    size = min(count, length)
    alone = run_component(Head(config), beats_of(vectors[:1]), size)
    first = alone.inputs[0] + promised.first_output_cycle(length)
    assert alone.outputs == [first + promised.output_spacing * k for k in range(size)]
    assert alone.outputs[-1] - alone.inputs[0] == promised.last_output_cycle(length)
    many = run_component(Head(config), beats_of(vectors), 24 * size)
    interval = promised.interval_cycles(length)
    assert set(np.diff(many.outputs[::size])[-10:]) == {interval}
    if interval == length:
        assert many.inputs == list(range(many.inputs[0], many.inputs[0] + 24 * length))


@pytest.mark.parametrize("sink", ["never", "random", "first700"])
@pytest.mark.parametrize("name", ["absolute", "logarithm", "small-reciprocal"])
def test_short_vectors_behind_a_long_one_are_not_lost(name: str, sink: str) -> None:
    config = ranked(name, 5, max_length=64)
    rng = np.random.default_rng(84)
    vectors = [rng.integers(-128, 128, n) for n in (64, *[1] * 50, 64, 2, *[1] * 20, *rng.integers(1, 20, 20))]
    due = ranked_beats(config, vectors)
    assert run_component(Head(config), beats_of(vectors), len(due), sink=sink).beats == due


@pytest.mark.parametrize("length", [14, 16, 40])
def test_long_vectors_come_without_a_bubble(length: int) -> None:
    config = Config(mode="softmax_top_k", top_k=14, max_length=64, normaliser="logarithm")
    vectors = list(np.random.default_rng(85).integers(-128, 128, (12, length)))
    run = run_component(Head(config), beats_of(vectors), 12 * 14)
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + 12 * length))


@pytest.mark.parametrize("name", [name for name in SOFTMAX if not name.startswith("small")])
def test_within_the_bound_of_the_softmax(name: str) -> None:
    """Against float64: the bound's derivation is that of the softmax, whose codes these are; the sum is over all elements."""
    config = ranked(name, 5, max_length=400)
    worst = plan(config).worst_ulp
    assert worst is not None
    limit = worst + float64_slack_ulp(config)
    rng = np.random.default_rng(86)
    low, high = config.score_format.minimum, config.score_format.maximum
    near = np.clip(high - rng.geometric(0.02, (300, 400)), low, high)
    scores = np.concatenate([rng.integers(low, high + 1, (100, 400)), near, np.full((3, 400), high)])
    lengths = rng.integers(1, 401, len(scores))
    result = golden(config, scores, lengths)
    indices, best, codes = (result[f"top_{name}"] for name in ("indices", "scores", "probabilities"))
    exact = np.take_along_axis(softmax_float64(config, scores, lengths), indices, axis=1)
    valid = np.arange(5) < lengths[:, None]
    assert (np.abs(codes - exact * 2.0**config.probability_width)[valid] <= limit).all()
    # Sorted by the scores, and the codes fall with them.
    assert (np.diff(np.where(valid, best, low - 1), axis=1) <= 0).all()
    if SOFTMAX[name].score_width <= 10:
        assert (np.diff(np.where(valid, codes, 0), axis=1) <= 0).all()


def test_formulas() -> None:
    """A serial divider takes its cycles for the K elements only."""
    config = Config(mode="softmax_top_k", normaliser="divider", top_k=3, max_length=16, profile="small")
    figures, whole = plan(config), plan(config.replace(mode="softmax"))
    assert figures.latency_formula == "N + 32"
    assert figures.last_output_formula == "N + 11min(N, 3) + 21"
    assert (figures.interval_formula, whole.interval_formula) == ("max(N, 9, 11min(N, 3))", "max(11N, 9)")
    assert [figures.interval_cycles(n) for n in (1, 3, 40)] == [11, 33, 40]
    assert figures.bound == whole.bound
