"""Cross-entropy of a vector and its label against the golden model: bit for bit, latency, interval, and labels of no element."""

import itertools
from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.stream_bench import PAUSES, run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.vector_logarithm import vector_logarithm_schedule
from softstream.hw.plan.options.null_beats import LATENCY
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

CONFIGS = {
    "absolute": Config(mode="cross_entropy", max_length=16),
    "reference": Config(mode="cross_entropy", max_length=16, score_scale=0.1467, score_signed=False),
    "small": Config(mode="cross_entropy", max_length=16, profile="small"),
    "fastest-4": Config(mode="cross_entropy", max_length=13, profile="fastest", lanes=4),
    "split-2": Config(
        mode="cross_entropy", max_length=16, lanes=2, score_width=12, score_scale=2.0**-9, probability_width=6
    ),
    "split-reference": Config(
        mode="cross_entropy", max_length=5, score_width=12, score_scale=0.12, probability_width=10
    ),
    "one": Config(mode="cross_entropy", max_length=1, score_width=2, probability_width=2),
    "lanes-beyond": Config(mode="cross_entropy", max_length=5, lanes=8, score_width=4, probability_width=4),
}


def labelled(config: Config, vectors: list[np.ndarray], labels: np.ndarray) -> list[dict[str, int]]:
    """Input beats; in all but a vector's first, the label is anything."""
    rng = np.random.default_rng(91)
    beats = []
    for vector, label in zip(vectors, labels, strict=True):
        for place, beat in enumerate(beats_of([vector], config.lanes)):
            beats.append({**beat, "label": int(rng.integers(0, 1 << config.label_width)) if place else int(label)})
    return beats


def expected(config: Config, vectors: list[np.ndarray], labels: np.ndarray) -> list[dict[str, int]]:
    result = golden(config, *pad_vectors(vectors, config.score_format.minimum), {"labels": labels})
    rows = zip(result["losses"], result["overlong"], result["unlabelled"], strict=True)
    return [{"loss": int(loss), "overlong": int(cut), "unlabelled": int(none)} for loss, cut, none in rows]


def run(config: Config, vectors: list[np.ndarray], labels: np.ndarray, **more: Any) -> Any:
    trace = run_component(Head(config), labelled(config, vectors, labels), len(vectors), **more)
    assert trace.beats == expected(config, vectors, labels)
    return trace


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3"), ("never", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    """Labels of every kind: first, last, beyond the end, beyond the cut."""
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=92)
    rng, most = np.random.default_rng(93), (1 << config.label_width) - 1
    labels = np.array(
        [min(most, int(rng.choice([0, len(v) - 1, len(v), rng.integers(0, len(v) + 1)]))) for v in vectors]
    )
    trace = run(config, vectors, labels, source=source, sink=sink)
    flags = {(beat["unlabelled"], beat["overlong"]) for beat in trace.beats}
    assert len(flags) >= 2
    first = len(beats_of(vectors[:1], config.lanes))
    assert trace.outputs[0] - trace.inputs[first - 1] >= vector_logarithm_schedule(config).vector


@pytest.mark.parametrize("max_length", [2, 3])
@pytest.mark.parametrize("lanes", [1, 2])
def test_every_label_of_every_short_vector(lanes: int, max_length: int) -> None:
    """Labels to `max_length` and beyond, which are no element's, also where `max_length` is a power of two."""
    config = Config(
        mode="cross_entropy", max_length=max_length, score_width=2, score_scale=1.1, probability_width=4, lanes=lanes
    )  # type: ignore[arg-type]
    lengths = range(1, max_length + 1)
    every = [np.array(v) - 2 for n in lengths for v in itertools.product(range(4), repeat=n)]
    vectors = [vector for vector in every for _ in range(4)]
    trace = run(config, vectors, np.tile(np.arange(4), len(every)))
    unlabelled = [label >= len(vector) for vector in every for label in range(4)]
    assert [beat["unlabelled"] for beat in trace.beats] == unlabelled


@pytest.mark.parametrize("name", CONFIGS)
def test_latency_and_interval(name: str) -> None:
    config = CONFIGS[name]
    times = vector_logarithm_schedule(config)
    for length in {1, config.max_length}:
        vectors = [np.full(length, config.score_format.minimum + k % 3) for k in range(12)]
        trace = run(config, vectors, np.zeros(12, dtype=int))
        beats = config.beats(length)
        assert trace.outputs[0] - trace.inputs[0] == plan(config).first_output_cycle(length)
        null_beats = LATENCY * config.reads_tkeep
        assert trace.outputs[0] - trace.inputs[beats - 1] == times.vector + null_beats
        assert set(np.diff(trace.outputs)) == {max(times.interval, beats)} == {plan(config).interval_cycles(length)}


def test_long_vectors_come_without_a_bubble() -> None:
    config = Config(mode="cross_entropy", max_length=64)
    trace = run(config, [np.arange(64) - k for k in range(5)], np.arange(5))
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + 5 * 64))


@pytest.mark.parametrize("source", PAUSES)
def test_short_vectors_after_a_long_one(source: str) -> None:
    config = CONFIGS["absolute"]
    vectors = [np.full(16, 3), np.array([5]), np.array([-7]), np.array([1, 2]), np.full(40, 9), np.array([0])]
    run(config, vectors, np.array([15, 0, 1, 1, 15, 0]), source=source)


def test_a_narrow_format_saturates_as_no_label_does() -> None:
    config = CONFIGS["absolute"].replace(integer_bits=2)
    vectors = [np.array([-128, 127]), np.array([-128, 127]), np.array([120, 127])]
    trace = run(config, vectors, np.array([0, 2, 0]))
    assert [beat["loss"] for beat in trace.beats[:2]] == [1023, 1023]
    assert [beat["unlabelled"] for beat in trace.beats] == [0, 1, 0]


def test_the_loss_is_the_negated_log_softmax_of_its_label() -> None:
    config = Config(mode="cross_entropy", max_length=12, score_scale=0.11)
    rng = np.random.default_rng(94)
    scores, lengths, labels = rng.integers(-128, 128, (400, 12)), rng.integers(1, 13, 400), rng.integers(0, 12, 400)
    result = golden(config, scores, lengths, {"labels": labels})
    codes = golden(config.replace(mode="log_softmax"), scores, lengths)["log_probabilities"]
    inside = labels < lengths
    assert np.array_equal(result["unlabelled"], ~inside)
    assert np.array_equal(result["losses"][inside], -codes[inside, labels[inside]])
    assert set(result["losses"][~inside]) == {log_numerics(config, signed=False).format.maximum}


@pytest.mark.parametrize("accumulator", ["absolute", "two_windows", "reference"])
def test_the_bound_against_float64(accumulator: str) -> None:
    config = Config(
        mode="cross_entropy", max_length=50, score_scale=0.08, accumulator=accumulator, probability_width=9,  # type: ignore[arg-type]
    )  # fmt: skip
    rng = np.random.default_rng(95)
    scores = np.clip(rng.integers(-128, 128, (1500, 1)) + rng.integers(-60, 60, (1500, 50)), -128, 127)
    labels = rng.integers(0, 50, 1500)
    losses = golden(config, scores, None, {"labels": labels})["losses"]
    top = scores.max(axis=1)
    sums = np.log(np.exp((scores - top[:, None]) * config.score_scale).sum(axis=1))
    exact = sums + (top - scores[np.arange(1500), labels]) * config.score_scale
    errors = np.abs(losses - exact * 2.0**config.probability_width)
    assert 0.5 < errors.max() <= float(log_bound(config).total) + 1e-6
