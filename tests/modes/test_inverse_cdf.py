"""The head that draws by the inverse of the cumulative distribution: the model bit for bit, the plan, and the frequencies."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from support.beats import beats_of
from support.configurations import score_vectors
from support.draws import chi_square_probability, misses_once_in_a_million
from support.stream_bench import beats_after_restart, run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.numbers.inverse_cdf import cdf_law
from softstream.hw.plan.derive import plan
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.golden.modes.inverse_cdf import draw_share, terms
from softstream.sim.golden.stages.random_words import words
from softstream.sim.reference.law import share_law, softmax_law, total_variation


def config_of(**changes: Any) -> Config:
    return Config(mode="sample", sampler="inverse_cdf").replace(**changes)


CONFIGS = {
    "int8": config_of(max_length=16, seed=5),
    "unsigned": config_of(max_length=10, score_signed=False, score_width=5, score_scale=0.3, profile="small"),
    "int16": config_of(max_length=16, score_width=16, score_scale=2.0**-11, profile="fastest", seed=9),
    "one": config_of(max_length=1, score_width=2),
    "coarse": config_of(max_length=7, score_width=2, score_scale=6.0),
}


def draws(config: Config, vectors: list[np.ndarray], before: int = 0) -> list[dict[str, int]]:
    """The model's beats."""
    model = golden(config, *pad_vectors(vectors, config.score_format.minimum), before=before)
    rows = zip(model["sample"], model["score"], model.overlong, strict=True)
    return [{"index": int(i), "score": int(s), "overlong": int(o)} for i, s, o in rows]


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3"), ("every3", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=81)
    trace = run_component(Head(config), beats_of(vectors), len(vectors), source=source, sink=sink)
    assert trace.beats == draws(config, vectors)


def test_short_vectors_pile_up_behind_a_stalled_draw() -> None:
    """The sink stalls at first: draws, thresholds and elements fill their queues, then leave in a row."""
    config = config_of(max_length=12)
    lengths = [12, *[1] * 40, 3, 12, *[2] * 12, 12]
    vectors = [np.random.default_rng(n).integers(-128, 128, size) for n, size in enumerate(lengths)]
    trace = run_component(Head(config), beats_of(vectors), len(vectors), sink="first900")
    assert trace.beats == draws(config, vectors)


@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
def test_a_draw_leaves_as_soon_as_its_element_is_known(profile: str) -> None:
    config = config_of(max_length=33, profile=profile)
    planned = plan(config)
    for length in (1, 2, 33):
        vectors = [np.zeros(length, dtype=int)] * 3
        beats = beats_of(vectors)
        waits = {length: 1, 2 * length: 2}
        trace = run_component(Head(config), beats, 3, waits=waits)
        starts = trace.inputs[::length]
        late = [beat["index"] for beat in draws(config, vectors)]
        due = [start + planned.first_output_cycle(length) + index for start, index in zip(starts, late, strict=True)]
        assert trace.outputs == due
        assert planned.last_output_cycle(length) == planned.first_output_cycle(length) + length - 1


@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
def test_no_bubble_between_vectors_that_are_long_enough(profile: str) -> None:
    config = config_of(max_length=64, profile=profile)
    length = plan(config).interval_cycles(1)
    vectors = [np.arange(n) for n in (length, 64, length, length, length + 1, length, 64)]
    beats = beats_of(vectors)
    trace = run_component(Head(config), beats, len(vectors))
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + len(beats)))


@pytest.mark.parametrize(("length", "profile"), [(1024, "fast"), (65536, "fastest")])
def test_no_draw_stops_the_ring(length: int, profile: str) -> None:
    """Vectors of one element, which wait behind a long one, leave in a row, also where the ring takes many cycles to read."""
    config = config_of(max_length=length, profile=profile)
    vectors = [np.zeros(size, dtype=int) for size in (1000, *[1] * 30)]
    trace = run_component(Head(config), beats_of(vectors), len(vectors))
    assert trace.outputs[1:] == list(range(trace.outputs[1], trace.outputs[1] + 30))


def test_a_vector_takes_one_word_whatever_its_length() -> None:
    config = config_of(max_length=4, score_width=3, score_scale=0.5)
    long, after = np.arange(9) % 8 - 4, np.zeros(4, dtype=int)
    trace = run_component(Head(config), beats_of([long, after, after]), 3)
    assert trace.beats == draws(config, [long, after, after])
    assert trace.beats[1:] == draws(config, [after, after], before=1)
    assert [beat["overlong"] for beat in trace.beats] == [1, 0, 0]


def test_the_model_continues_its_random_words() -> None:
    """Many vectors in blocks, and the same one by one behind those before them."""
    config = config_of(max_length=100)
    rng = np.random.default_rng(4)
    scores, lengths = rng.integers(-128, 128, (1500, 100)), rng.integers(1, 101, 1500)
    whole = golden(config, scores, lengths)
    for row in (0, 1, 700, 1499):
        alone = golden(config, scores[row : row + 1], lengths[row : row + 1], before=row)
        assert alone["sample"][0] == whole["sample"][row]


@pytest.mark.parametrize("profile", ["small", "fast"])
def test_reset_starts_the_sequence_again_and_leaves_nothing_behind(profile: str) -> None:
    config = config_of(max_length=8, profile=profile)
    vectors = [np.zeros(n, dtype=int) for n in (8, 3, 5, 8, 8, 2, 7)]
    assert beats_after_restart(Head(config), beats_of(vectors), 30, 640) == draws(config, vectors)


@pytest.mark.parametrize("seed", [1, 2])
def test_frequencies_are_those_of_softmax(seed: int) -> None:
    config = config_of(max_length=10)
    law, count = cdf_law(config), 400_000
    positions = np.array([128, 128, 100, 140, 144, 90, 128, 150, 20, 0])
    every = np.tile(positions, (count, 1))
    index = draw_share(law, every, np.ones_like(every, dtype=bool), words(seed, count))
    exact = share_law(terms(law, positions[None], np.ones((1, 10), dtype=bool))[0], law.share_bits)
    frequencies = np.bincount(index, minlength=10) / count
    allowed = misses_once_in_a_million(10, count)
    assert total_variation(frequencies, exact) < allowed
    assert total_variation(frequencies, softmax_law(config.score_scale, positions)) < allowed + float(law.bound)
    assert chi_square_probability(frequencies * count, exact) > 1e-6
    for lag in (1, 2, 3):
        pairs = np.bincount(index[:-lag] * 10 + index[lag:], minlength=100) / (count - lag)
        # Every second pair shares no draw with its neighbour; the allowance for half as many holds for both halves.
        assert total_variation(pairs, np.outer(exact, exact).ravel()) < misses_once_in_a_million(100, count // 2)


@pytest.mark.parametrize("improbable", [0, 9], ids=["first", "last"])
def test_improbable_ends_are_counted_as_often_as_softmax_says(improbable: int) -> None:
    """An end class of 6·10^-5: without the half in the share the first came too often, and the last too rarely."""
    config, count = config_of(max_length=10), 1_000_000
    law = cdf_law(config)
    positions = np.full(10, 230)
    positions[improbable] = 111
    every = np.broadcast_to(positions, (count, 10))
    index = draw_share(law, every, np.ones_like(every, dtype=bool), words(4, count))
    exact = softmax_law(config.score_scale, positions)
    assert 50 < exact[improbable] * count < 100
    counts = np.bincount(index, minlength=10)
    assert chi_square_probability(counts, exact) > 1e-6
    # Poisson: the counts of so rare a class alone, which nine likely ones do not hide.
    assert stats.poisson.sf(counts[improbable] - 1, exact[improbable] * count) > 1e-6
    assert stats.poisson.cdf(counts[improbable], exact[improbable] * count) > 1e-6
