"""The winner against NumPy's argmax, exhaustively at a small width."""

import itertools

import numpy as np
import pytest
from stream_bench import PAUSES, run_component

from softstream.hw.config import Config
from softstream.hw.maximum import Maximum
from softstream.sim.golden.maximum import maximum

ALL = [vector for length in (1, 2, 3, 4) for vector in itertools.product(range(4), repeat=length)]


def framed(vector: tuple[int, ...], overlong: int = 0) -> list[dict[str, int]]:
    last = len(vector) - 1
    return [
        {"position": p, "index": k, "first": int(k == 0), "last": int(k == last), "overlong": overlong & int(k == last)}
        for k, p in enumerate(vector)
    ]


def test_golden_is_numpy_first_index() -> None:
    for vector in ALL:
        positions = np.array([vector])
        index, best = maximum(positions, np.ones_like(positions, dtype=bool))
        assert (index[0], best[0]) == (np.argmax(vector), max(vector))


def test_golden_ignores_what_lies_beyond_the_length() -> None:
    index, best = maximum(np.array([[1, 3, 9]]), np.array([[True, True, False]]))
    assert (index[0], best[0]) == (1, 3)


@pytest.mark.parametrize(("source", "sink"), [("never", p) for p in PAUSES] + [("random", "every third")])
@pytest.mark.parametrize("signed", [True, False])
def test_equals_golden(source: str, sink: str, signed: bool) -> None:
    config = Config(max_length=4, score_width=2, score_signed=signed)
    expected = [
        {
            "index": int(np.argmax(vector)),
            "score": max(vector) + config.score_format.minimum,
            "overlong": number % 2,
        }
        for number, vector in enumerate(ALL)
    ]
    beats = [beat for number, vector in enumerate(ALL) for beat in framed(vector, number % 2)]
    trace = run_component(Maximum(config), beats, len(ALL), source=source, sink=sink)
    assert trace.beats == expected


def test_no_bubble_and_one_cycle() -> None:
    beats = framed((3,)) * 5 + framed((1, 2)) * 3
    trace = run_component(Maximum(Config(max_length=4, score_width=2)), beats, 8)
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + len(beats)))
    lasts = [cycle for cycle, beat in zip(trace.inputs, beats, strict=True) if beat["last"]]
    assert trace.outputs == [cycle + 1 for cycle in lasts]
