"""Framing against its golden model: positions, edges, cut and flag."""

from itertools import product

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.long_cases import mostly_long
from support.stream_bench import PAUSES, run_component

from softstream.hw.config.config import Config
from softstream.hw.stages.frame import Frame
from softstream.sim.golden.stages.frame import frame, unframe

CONFIGS = [
    Config(max_length=5),
    Config(max_length=1),
    Config(max_length=4, score_signed=False, score_width=3),
    *(Config(max_length=length, lanes=2) for length in (2, 5, 6)),
    *(Config(max_length=length, lanes=4, score_width=3) for length in (3, 4, 5, 6, 7, 8, 13)),
    Config(max_length=9, lanes=16),
    Config(max_length=33, lanes=16),
    Config(max_length=70, lanes=32),
]


def padded(vectors: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(vector) for vector in vectors])
    scores = np.zeros((len(vectors), lengths.max()), dtype=np.int64)
    for row, vector in zip(scores, vectors, strict=True):
        row[: len(vector)] = vector
    return scores, lengths


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"N{c.max_length}-L{c.lanes}")
@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    ("source", "sink"), mostly_long(product(PAUSES, PAUSES), [("every3", "random"), ("random", "never")])
)
def test_equals_golden(config: Config, source: str, sink: str, indexed: bool) -> None:
    vectors = score_vectors(config, seed=3)
    positions, lengths, overlong = frame(config, *padded(vectors))
    expected = []
    for v in range(len(vectors)):
        beats = config.beats(lengths[v])
        for k in range(beats):
            held = positions[v, k * config.lanes : lengths[v]][: config.lanes]
            beat = {
                "position": int(held[0]),
                "index": k if indexed else 0,
                "first": int(k == 0),
                "last": int(k == beats - 1),
                "overlong": int(overlong[v] and k == beats - 1),
            }
            for lane in range(1, config.lanes):
                beat[f"position_{lane}"] = int(held[lane]) if lane < len(held) else 0
                beat[f"keep_{lane}"] = int(lane < len(held))
            expected.append(beat)
    beats = beats_of(vectors, config.lanes, behind_null_beats=True)
    trace = run_component(Frame(config, indexed=indexed), beats, len(expected), source=source, sink=sink)
    assert trace.beats == expected


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("length", [*range(1, 18), 31, 32, 33, 64, 127, 300])
def test_vectors_are_cut_at_max_length(length: int, indexed: bool) -> None:
    """Vectors around max_length, one behind the other."""
    lengths = [n for n in (length, 1, length - 1, length + 1, 2, length + 2, length - 2, 2 * length + 1, 1) if n > 0]
    beats = beats_of([np.arange(n) % 16 - 8 for n in lengths])
    due = [min(n, length) for n in lengths]
    dut = Frame(Config(max_length=length, score_width=4), indexed=indexed)
    outputs = run_component(dut, beats, sum(due), idle=4).beats
    ends = [k + 1 for k, beat in enumerate(outputs) if beat["last"]]
    assert ends == np.cumsum(due).tolist()
    assert [outputs[end - 1]["overlong"] for end in ends] == [int(n > length) for n in lengths]
    assert [k for k, beat in enumerate(outputs) if beat["first"]] == [0, *ends[:-1]]


def test_latency() -> None:
    trace = run_component(Frame(Config(max_length=8)), beats_of([np.arange(8)]), 8)
    assert [o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)] == [1] * 8


def test_unframe_is_the_inverse() -> None:
    for signed in (True, False):
        config = Config(score_width=6, score_signed=signed)
        codes = np.arange(config.score_format.minimum, config.score_format.maximum + 1)[None]
        positions, _, _ = frame(config, codes, np.array([64]))
        assert positions.tolist() == [list(range(64))]
        assert (unframe(config, positions) == codes).all()
