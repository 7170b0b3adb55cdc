"""The winner against NumPy's argmax, exhaustively at a small width."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from support.beats import framed
from support.long_cases import partly_long
from support.stream_bench import PAUSES, run_component

from softstream.hw.config.config import Config
from softstream.hw.plan.stage_cycles import maximum_latency
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.sim.golden.stages.maximum import maximum

ALL = [vector for length in (1, 2, 3, 4) for vector in itertools.product(range(4), repeat=length)]


def test_golden_is_numpy_first_index() -> None:
    for vector in ALL:
        positions = np.array([vector])
        index, best = maximum(positions, np.ones_like(positions, dtype=bool))
        assert (index[0], best[0]) == (np.argmax(vector), max(vector))


def test_golden_ignores_elements_beyond_the_length() -> None:
    index, best = maximum(np.array([[1, 3, 9]]), np.array([[True, True, False]]))
    assert (index[0], best[0]) == (1, 3)


def expected(config: Config, vectors: Sequence[tuple[int, ...]]) -> list[dict[str, int]]:
    """Winners of the vectors, of which every second is flagged."""
    return [
        {"index": int(np.argmax(vector)), "score": max(vector) + config.score_format.minimum, "overlong": number % 2}
        for number, vector in enumerate(vectors)
    ]


def feed(config: Config, vectors: Sequence[tuple[int, ...]]) -> list[dict[str, int]]:
    return [beat for number, vector in enumerate(vectors) for beat in framed(vector, number % 2, config.lanes)]


@pytest.mark.parametrize(("source", "sink"), [("never", p) for p in PAUSES] + [("random", "every3")])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_equals_golden(lanes: int, source: str, sink: str, signed: bool) -> None:
    config = Config(max_length=4, score_width=2, score_signed=signed, lanes=lanes)
    trace = run_component(Maximum(config), feed(config, ALL), len(ALL), source=source, sink=sink)
    assert trace.beats == expected(config, ALL)


def tied(longest: int) -> list[tuple[int, ...]]:
    """Two equal maxima at every pair of places."""
    lengths = range(1, longest + 1) if longest < 10 else (1, 15, 16, 17, 31, 32, 33)
    return [
        tuple(int(k in (first, second)) for k in range(length))
        for length in lengths
        for first in range(length)
        for second in range(first, length)
    ]


@pytest.mark.parametrize(("lanes", "longest"), [(2, 7), (8, 9), (16, 33), (32, 33)])
def test_first_index_wins_across_lanes_and_beats(lanes: int, longest: int) -> None:
    config = Config(max_length=longest, score_width=2, lanes=lanes)
    vectors = tied(longest)
    trace = run_component(Maximum(config), feed(config, vectors), len(vectors), sink="random")
    assert trace.beats == expected(config, vectors)


@pytest.mark.parametrize(("lanes", "cycles"), [(1, 1), (2, 2), (4, 3), (8, 4), (16, 5), (32, 6)])
def test_no_bubble_and_the_promised_latency(lanes: int, cycles: int) -> None:
    config = Config(profile="small", max_length=40, score_width=2, lanes=lanes)
    beats = feed(config, [(3,)] * 5 + [(1, 2)] * 3 + [(0,) * 33] * 2)
    trace = run_component(Maximum(config), beats, 10)
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + len(beats)))
    lasts = [cycle for cycle, beat in zip(trace.inputs, beats, strict=True) if beat["last"]]
    assert maximum_latency(config) == cycles
    assert trace.outputs == [cycle + cycles for cycle in lasts]


SKEWED = [
    Config(mode="argmax", max_length=4, score_width=2),
    Config(mode="argmax", max_length=4, score_width=2, score_signed=False, lanes=2),
    Config(profile="fastest", max_length=4, score_width=3, lanes=4),
    Config(max_length=4, score_width=3, score_signed=False, lanes=2),
]


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("config", SKEWED, ids=lambda c: f"W{c.score_width}-L{c.lanes}")
def test_skewed_equals_golden(config: Config, source: str) -> None:
    """Every vector of up to four positions of two bits; of up to three of three bits."""
    width = config.score_width
    every = [v for n in range(1, 7 - width) for v in itertools.product(range(1 << width), repeat=n)]
    trace = run_component(SkewedMaximum(config), feed(config, every), len(every), source=source)
    assert trace.beats == expected(config, every)


@pytest.mark.parametrize(
    ("lanes", "longest", "width"), partly_long([(1, 9, 8), (2, 7, 16), (8, 9, 5), (16, 33, 8)], [(16, 33, 8)])
)
@pytest.mark.parametrize("kind", [{"mode": "argmax"}, {"profile": "fast"}, {"profile": "fastest"}], ids=str)
def test_skewed_first_index_wins_across_lanes_and_beats(lanes: int, longest: int, width: int, kind: Any) -> None:
    """Steps of one bit, of as many as a carry takes, and of two."""
    config = Config(max_length=longest, score_width=width, lanes=lanes, **kind)
    rng = np.random.default_rng(lanes)
    vectors = tied(longest)
    for length in rng.integers(1, longest + 1, 60):
        middle, spread = rng.integers(0, 1 << width), rng.choice([2, 20, 1 << width])
        vectors.append(tuple(np.clip(middle + rng.integers(-spread, spread, length), 0, (1 << width) - 1).tolist()))
    trace = run_component(SkewedMaximum(config), feed(config, vectors), len(vectors), source="random")
    assert trace.beats == expected(config, vectors)


@pytest.mark.parametrize(("lanes", "width"), [(1, 2), (1, 8), (4, 8), (16, 5)])
@pytest.mark.parametrize(
    ("kind", "bits"), [({"mode": "argmax"}, 1), ({"profile": "fast"}, 9), ({"profile": "fastest"}, 2)]
)
def test_skewed_latency(lanes: int, width: int, kind: Any, bits: int) -> None:
    config = Config(max_length=40, score_width=width, lanes=lanes, **kind)
    beats = feed(config, [(3,)] * 5 + [(1, 2)] * 3 + [(0,) * 33] * 2)
    trace = run_component(SkewedMaximum(config), beats, 10)
    lasts = [cycle for cycle, beat in zip(trace.inputs, beats, strict=True) if beat["last"]]
    assert trace.outputs == [cycle + maximum_latency(config) for cycle in lasts]
    assert maximum_latency(config) == -(-width // bits) + 1 + (lanes - 1).bit_length()
