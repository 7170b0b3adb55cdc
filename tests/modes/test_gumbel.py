"""The sampling head: the draws of the model bit for bit, reproducible, and by frequency those of softmax."""

from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.draws import misses_once_in_a_million
from support.stream_bench import PAUSES, beats_after_restart, run_component

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.numbers.gumbel import gumbel_table
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.gumbel import sample_latency
from softstream.hw.verilog import verilog
from softstream.scripts.verbs.generate import manifest
from softstream.sim.golden.modes.gumbel import draw, noise
from softstream.sim.golden.stages.frame import frame, unframe
from softstream.sim.golden.stages.random_words import words
from softstream.sim.reference.law import sample_law, softmax_law, total_variation

CONFIGS = {
    "int8": Config(mode="sample", max_length=16),
    "unsigned": Config(
        mode="sample", max_length=10, score_signed=False, score_width=5, score_scale=0.3, profile="small"
    ),
    "int16": Config(mode="sample", max_length=16, score_width=16, score_scale=2.0**-11, profile="fastest"),
    "one": Config(mode="sample", max_length=1, score_width=2, score_scale=2.0**-16),
    "coarse": Config(mode="sample", max_length=7, score_width=2, score_scale=16.0, profile="small"),
    "long": Config(mode="sample", max_length=100, score_scale=1.0),
    "fast": Config(mode="sample", max_length=16, profile="fast"),
}


def draws(config: Config, vectors: list[np.ndarray], seed: int) -> list[dict[str, int]]:
    """The model, a vector at a time: the words follow the framed elements."""
    lengths = [min(len(vector), config.max_length) for vector in vectors]
    stream, at = words(seed, sum(lengths)), 0
    beats = []
    for vector, length in zip(vectors, lengths, strict=True):
        positions, _, overlong = frame(config, vector[None], np.array([len(vector)]))
        index, best = draw(
            gumbel_table(config), positions, np.ones_like(positions, dtype=bool), stream[at : at + length]
        )
        at += length
        beats.append({"index": int(index[0]), "score": int(unframe(config, best)[0]), "overlong": int(overlong[0])})
    return beats


@pytest.mark.parametrize("sink", PAUSES)
@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=81)
    trace = run_component(Head(config.replace(seed=5)), beats_of(vectors), len(vectors), source=source, sink=sink)
    assert trace.beats == draws(config, vectors, 5)


def test_every_score_of_two_bits_many_times() -> None:
    """Every vector of up to three scores, and draws that differ from the maximum."""
    config = Config(mode="sample", max_length=3, score_width=2, score_scale=0.8)
    every = [np.array(v) - 2 for n in (1, 2, 3) for v in np.ndindex(*(4,) * n)] * 4
    trace = run_component(Head(config.replace(seed=9)), beats_of(every), len(every), sink="random")
    due = draws(config, every, 9)
    assert trace.beats == due
    others = sum(beat["index"] != int(np.argmax(vector)) for beat, vector in zip(due, every, strict=True))
    assert len(every) / 5 < others < len(every) / 2


def test_arrays_of_vectors_take_words_in_order() -> None:
    config = CONFIGS["int8"]
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 17, 50)
    scores = rng.integers(-128, 128, (50, 16))
    vectors = [row[:n] for row, n in zip(scores, lengths, strict=True)]
    valid = np.arange(16) < lengths[:, None]
    index, best = draw(gumbel_table(config), scores + 128, valid, words(2, int(lengths.sum())))
    assert [beat["index"] for beat in draws(config, vectors, 2)] == index.tolist()
    assert [beat["score"] + 128 for beat in draws(config, vectors, 2)] == best.tolist()


def test_first_index_wins_a_tie() -> None:
    """Two elements with the same word, by hand: then the later one a unit above."""
    table = gumbel_table(Config(mode="sample", max_length=2, score_scale=2.0**-12))
    word = np.array([12345678, 12345678])
    assert noise(table, word)[0] == noise(table, word)[1]
    for positions, winner in (([3, 3], 0), ([3, 4], 1), ([4, 3], 0)):
        index, _ = draw(table, np.array([positions]), np.ones((1, 2), dtype=bool), word)
        assert index[0] == winner


def test_dropped_elements_take_no_word() -> None:
    config = Config(mode="sample", max_length=4, score_width=3, score_scale=0.5)
    long, cut, after = np.arange(9) - 4, np.arange(4) - 4, np.zeros(4, dtype=int)
    with_dropped = draws(config, [long, after], 3)
    assert [b["index"] for b in with_dropped] == [b["index"] for b in draws(config, [cut, after], 3)]
    assert run_component(Head(config.replace(seed=3)), beats_of([long, after]), 2).beats == with_dropped


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_the_first_words_of_a_seed_are_there_at_reset(seed: int) -> None:
    """Registers hold what follows from the first two words, so each seed has other initial values."""
    config = Config(mode="sample", max_length=2, score_width=2, score_scale=2.0**-6)
    vectors = [np.zeros(2, dtype=int)] * 3
    trace = run_component(Head(config.replace(seed=seed)), beats_of(vectors), len(vectors))
    assert trace.beats == draws(config, vectors, seed)


@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
def test_latency_and_no_bubble(profile: str) -> None:
    config = Config(mode="sample", max_length=40, profile=profile)
    beats = beats_of([np.arange(n) for n in (1, 1, 1, 33, 2, 40, 1)])
    trace = run_component(Head(config), beats, 7)
    latency = {"small": 6, "fast": 10, "fastest": 17}[profile]
    assert sample_latency(config) == latency
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + len(beats)))
    lasts = [cycle for cycle, beat in zip(trace.inputs, beats, strict=True) if beat["last"]]
    assert trace.outputs == [cycle + latency for cycle in lasts]


@pytest.mark.parametrize("profile", ["small", "fast"])
def test_reset_starts_the_sequence_again_and_leaves_nothing_behind(profile: str) -> None:
    config = Config(mode="sample", max_length=8, profile=profile)
    vectors = [np.zeros(n, dtype=int) for n in (8, 3, 5, 8, 8, 2, 7)]
    assert beats_after_restart(Head(config), beats_of(vectors), 30, 300) == draws(config, vectors, 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_frequencies_are_those_of_softmax(seed: int) -> None:
    config = Config(mode="sample", max_length=10)
    count = 200_000
    positions = np.array([128, 128, 100, 140, 144, 90, 128, 150, 20, 0])
    stream = words(seed, 10 * count)
    index, _ = draw(gumbel_table(config), np.tile(positions, (count, 1)), np.ones((count, 10), dtype=bool), stream)
    law = sample_law(gumbel_table(config), positions)
    exact = softmax_law(config.score_scale, positions)
    frequencies = np.bincount(index, minlength=10) / count
    allowed = misses_once_in_a_million(10, count)
    assert total_variation(frequencies, law) < allowed
    assert total_variation(frequencies, exact) < allowed + gumbel_table(config).bound


def test_successive_draws_are_independent() -> None:
    config = Config(mode="sample", max_length=5)
    count = 200_000
    positions = np.array([16, 0, 8, 16, 12])
    index, _ = draw(
        gumbel_table(config), np.tile(positions, (count, 1)), np.ones((count, 5), dtype=bool), words(6, 5 * count)
    )
    law = sample_law(gumbel_table(config), positions)
    for lag in (1, 2, 3, 13):
        pairs = np.bincount(index[:-lag] * 5 + index[lag:], minlength=25) / (count - lag)
        # Every second pair shares no draw with its neighbour; the allowance for half as many holds for both halves.
        assert total_variation(pairs, np.outer(law, law).ravel()) < misses_once_in_a_million(25, count // 2)


@pytest.mark.parametrize("keys", [{}, {"sampler": "inverse_cdf"}, {"draw_top_k": 4}])
def test_the_law_is_in_the_plan_the_verilog_and_the_manifest(keys: dict[str, Any]) -> None:
    """The distance from softmax, the smallest probability that is honoured, and how nearly."""
    config = Config(mode="sample", max_length=8, **keys)
    derived, text = plan(config), verilog(config)
    law, classes = derived.law_texts
    assert f"within {derived.distance:.3g} of softmax" in law
    assert (
        f"a probability of {derived.smallest:.2g} on honoured, within {100 * derived.class_error:.2g} % of it"
        in classes
    )
    header = text.partition("\nmodule ")[0]
    assert f"// Law of a draw: {law.partition(': ')[2]}." in header
    assert f"// Each class: {classes.partition(': ')[2]}." in header
    facts = manifest(derived, text, "head")
    assert facts["total_variation"] == derived.distance
    assert (facts["smallest_probability"], facts["class_error"]) == (derived.smallest, derived.class_error)


def test_lanes_are_refused() -> None:
    with pytest.raises(UserError, match=r"lanes = 2 with mode = .sample.: .* lanes = 1 would do"):
        Config(mode="sample", lanes=2)
