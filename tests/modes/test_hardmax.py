"""Hardmax against NumPy: exhaustively at a small width, in every lane, without a bubble."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.stream_bench import PAUSED, run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.hardmax import HARDMAX_VECTORS
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

ALL = [vector for length in (1, 2, 3, 4) for vector in itertools.product(range(4), repeat=length)]
CONFIGS = {
    f"{profile}-L{lanes}-N{longest}": Config(
        mode="hardmax", max_length=longest, profile=profile, lanes=lanes, score_width=5
    )
    for profile in ("fast", "small")
    for lanes, longest in ((1, 16), (1, 1), (2, 5), (4, 16), (16, 37))
}


def expected(config: Config, vectors: Sequence[np.ndarray]) -> list[dict[str, int]]:
    """The beats of vectors of score codes, from the golden model."""
    scores, lengths = pad_vectors(vectors, config.score_format.maximum)
    beats = []
    for row, vector in zip(golden(config, scores, lengths)["one_hot"], vectors, strict=True):
        codes = row[: min(len(vector), config.max_length)].tolist()
        for start in range(0, len(codes), config.lanes):
            held = codes[start : start + config.lanes]
            beat = {"probability": held[0], "last": int(start + config.lanes >= len(codes))}
            for lane in range(1, config.lanes):
                beat[f"probability_{lane}"] = held[lane] if lane < len(held) else 0
                beat[f"keep_{lane}"] = int(lane < len(held))
            beats.append({**beat, "overlong": int(len(vector) > config.max_length)})
    return beats


def test_golden_is_numpy_first_index() -> None:
    config = Config(mode="hardmax", max_length=3, score_width=2, score_signed=False)
    for vector in ALL:
        codes = golden(config, np.array([vector]))["one_hot"]
        assert codes[0].tolist() == [255 * (k == np.argmax(vector[:3])) for k in range(len(vector))]


def test_golden_ignores_elements_beyond_the_length() -> None:
    config = Config(mode="hardmax", probability_format="UQ1")
    assert golden(config, np.array([[1, 3, 9]]), np.array([2]))["one_hot"].tolist() == [[0, 256, 0]]


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3")])
@pytest.mark.parametrize("profile", ["fast", "small"])
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_every_short_vector(lanes: int, profile: str, source: str, sink: str) -> None:
    """Every vector of up to four scores of two bits; max_length is a power of two, so the counters come round."""
    config = Config(mode="hardmax", max_length=4, score_width=2, lanes=lanes, profile=profile, probability_format="UQ1")
    vectors = [np.array(vector) - 2 for vector in ALL]
    due = expected(config, vectors)
    run = run_component(Head(config), beats_of(vectors, lanes), len(due), source=source, sink=sink)
    assert run.beats == due


@pytest.mark.parametrize(("source", "sink"), PAUSED)
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    """One element, ties, all minimum, overlong, short behind long, and random vectors."""
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=91)
    due = expected(config, vectors)
    run = run_component(Head(config), beats_of(vectors, config.lanes), len(due), source=source, sink=sink)
    assert run.beats == due


@pytest.mark.parametrize("length", [1, 10, 16])
@pytest.mark.parametrize("name", CONFIGS)
def test_latency_and_interval(name: str, length: int) -> None:
    config = CONFIGS[name]
    beats = config.beats(min(length, config.max_length))
    vectors = list(np.random.default_rng(92).integers(-16, 16, (30, min(length, config.max_length))))
    run = run_component(Head(config), beats_of(vectors, config.lanes), 30 * beats)
    assert run.outputs[0] - run.inputs[0] == plan(config).first_output_cycle(min(length, config.max_length))
    assert run.outputs[beats - 1] - run.inputs[0] == plan(config).last_output_cycle(min(length, config.max_length))
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + 30 * beats))
    assert run.outputs == list(range(run.outputs[0], run.outputs[0] + 30 * beats))


@pytest.mark.parametrize("sink", ["never", "random", "first300"])
@pytest.mark.parametrize("profile", ["fast", "small"])
def test_short_vectors_behind_a_long_one_are_not_lost(profile: str, sink: str) -> None:
    """While a long vector is put out, many more short ones would come than winners may wait: the input waits."""
    config = Config(mode="hardmax", max_length=64, profile=profile)
    rng = np.random.default_rng(93)
    vectors = [rng.integers(-128, 128, n) for n in (64, *[1] * 150, 64, 2, *[1] * 40)]
    due = expected(config, vectors)
    run = run_component(Head(config), beats_of(vectors), len(due), sink=sink)
    assert run.beats == due
    if sink == "first300":
        # All of the long vector but what its output takes, and the winners that wait.
        assert HARDMAX_VECTORS - 2 <= sum(cycle < 300 for cycle in run.inputs) - 64 <= HARDMAX_VECTORS + 2


def test_formulas() -> None:
    fast, small = plan(Config(mode="hardmax")), plan(Config(mode="hardmax", profile="small"))
    assert (fast.latency_formula, small.latency_formula) == ("N + 12", "N + 4")
    assert (small.last_output_formula, small.interval_formula) == ("2N + 3", "N")
