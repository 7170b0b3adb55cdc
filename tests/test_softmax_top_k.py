"""The K largest scores with their probabilities: the softmax's own codes, whatever the normaliser."""

import numpy as np
import pytest
from configurations import SOFTMAX, beats_of, vectors
from stream_bench import run_component

from softstream.hw.bound import bound
from softstream.hw.config import Config
from softstream.hw.schedule import schedule
from softstream.hw.softmax_top_k import SoftmaxTopK
from softstream.hw.top_k_schedule import softmax_top_k_interval, softmax_top_k_latency
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.golden.softmax_top_k import softmax_top_k
from softstream.sim.golden.top_k import top_k
from softstream.sim.reference import float64_slack_ulp, softmax_float64, valid_elements


def model(config: Config, count: int, scores: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Indices, score codes and probability codes, [V, K] each."""
    valid = valid_elements(config, scores, lengths)
    indices, positions = top_k(scores - config.score_format.minimum, valid, count)
    probabilities = golden(config, scores, lengths).probabilities
    assert probabilities is not None
    return indices, positions + config.score_format.minimum, softmax_top_k(indices, probabilities)


def expected(config: Config, count: int, found: list[np.ndarray]) -> list[dict[str, int]]:
    scores, lengths = pad_vectors(found, config.score_format.maximum)
    indices, best, codes = model(config, count, scores, lengths)
    beats = []
    for row, length in enumerate(lengths):
        kept = min(count, int(length), config.max_length)
        beats += [
            {
                "index": int(indices[row, k]),
                "score": int(best[row, k]),
                "probability": int(codes[row, k]),
                "last": int(k == kept - 1),
                "overlong": int(length > config.max_length),
            }
            for k in range(kept)
        ]
    return beats


def test_golden_takes_codes_where_there_are_indices() -> None:
    codes = softmax_top_k(np.array([[2, 0], [0, -1]]), np.array([[10, 20, 30], [40, 50, 60]]))
    assert codes.tolist() == [[30, 10], [40, 0]]


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "never"), ("every third", "random")])
@pytest.mark.parametrize("name", SOFTMAX)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config, count = SOFTMAX[name], 3
    found = vectors(config, seed=81)
    due = expected(config, count, found)
    assert run_component(SoftmaxTopK(config, count), beats_of(found), len(due), source=source, sink=sink).beats == due


@pytest.mark.parametrize("count", [1, 2, 8, 16])
@pytest.mark.parametrize("name", ["logarithm", "small"])
def test_every_size(name: str, count: int) -> None:
    config = SOFTMAX[name].replace(max_length=24)
    found = vectors(config, seed=82)
    due = expected(config, count, found)
    assert run_component(SoftmaxTopK(config, count), beats_of(found), len(due), sink="random").beats == due


@pytest.mark.parametrize("length", [1, 10, 16])
@pytest.mark.parametrize("name", SOFTMAX)
def test_latency_and_interval(name: str, length: int) -> None:
    config, count = SOFTMAX[name], 4
    cycles, length = schedule(config), min(length, SOFTMAX[name].max_length)
    rng = np.random.default_rng(83)
    found = [rng.integers(config.score_format.minimum, config.score_format.maximum + 1, length) for _ in range(24)]
    kept = min(count, length)
    alone = run_component(SoftmaxTopK(config, count), beats_of(found[:1]), kept)
    first = alone.inputs[0] + length + softmax_top_k_latency(cycles)
    assert alone.outputs == [first + cycles.quotient_interval * k for k in range(kept)]
    many = run_component(SoftmaxTopK(config, count), beats_of(found), 24 * kept)
    interval = softmax_top_k_interval(cycles, count, length)
    assert set(np.diff(many.outputs[::kept])[-10:]) == {interval}
    if interval == length:
        assert many.inputs == list(range(many.inputs[0], many.inputs[0] + 24 * length))


@pytest.mark.parametrize("sink", ["never", "random", "first 700"])
@pytest.mark.parametrize("name", ["absolute", "logarithm", "small-reciprocal"])
def test_short_vectors_behind_a_long_one_are_not_lost(name: str, sink: str) -> None:
    config = SOFTMAX[name].replace(max_length=64)
    rng = np.random.default_rng(84)
    found = [rng.integers(-128, 128, n) for n in (64, *[1] * 50, 64, 2, *[1] * 20, *rng.integers(1, 20, 20))]
    due = expected(config, 5, found)
    assert run_component(SoftmaxTopK(config, 5), beats_of(found), len(due), sink=sink).beats == due


@pytest.mark.parametrize("length", [14, 16, 40])
def test_long_vectors_come_without_a_bubble(length: int) -> None:
    config = Config(max_length=64, normaliser="logarithm")
    found = list(np.random.default_rng(85).integers(-128, 128, (12, length)))
    run = run_component(SoftmaxTopK(config, 14), beats_of(found), 12 * 14)
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + 12 * length))


@pytest.mark.parametrize("name", [name for name in SOFTMAX if not name.startswith("small")])
def test_within_the_bound_of_the_softmax(name: str) -> None:
    """Against float64: the bound's derivation is that of the softmax, whose codes these are; the sum is over all elements."""
    config = SOFTMAX[name].replace(max_length=400)
    limit = float(bound(config).worst) + float64_slack_ulp(config)
    rng = np.random.default_rng(86)
    low, high = config.score_format.minimum, config.score_format.maximum
    near = np.clip(high - rng.geometric(0.02, (300, 400)), low, high)
    scores = np.concatenate([rng.integers(low, high + 1, (100, 400)), near, np.full((3, 400), high)])
    lengths = rng.integers(1, 401, len(scores))
    indices, best, codes = model(config, 5, scores, lengths)
    exact = np.take_along_axis(softmax_float64(config, scores, lengths), np.maximum(indices, 0), axis=1)
    there = indices >= 0
    assert (np.abs(codes - exact * 2.0**config.probability_width)[there] <= limit).all()
    assert np.array_equal(there.sum(axis=1), np.minimum(lengths, 5))
    # Sorted by the scores, and the codes fall with them.
    assert (np.diff(np.where(there, best, low - 1), axis=1) <= 0).all()
    if SOFTMAX[name].score_width <= 10:
        assert (np.diff(np.where(there, codes, 0), axis=1) <= 0).all()
