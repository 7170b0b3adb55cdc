"""The K largest scores of each vector against NumPy: exhaustively at a small width, in order, without a bubble."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.beats import beats_of, framed
from support.configurations import score_vectors
from support.head_beats import ranked_beats
from support.stream_bench import PAUSED, run_component, run_cycles

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.top_k import INSERTION_LATENCY, ranked_vectors, tag_width, top_k_vectors
from softstream.hw.stages.insertion import Insertion
from softstream.sim.golden.stages.insertion import insertion

ALL = [vector for length in (1, 2, 3, 4) for vector in itertools.product(range(4), repeat=length)]
SIZES = (1, 2, 3, 5, 8, 16)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_golden_is_a_stable_sort(count: int) -> None:
    """Against Python's own sort, which keeps equal elements in order."""
    for vector in ALL:
        positions = np.zeros((1, 4), dtype=np.int64)
        positions[0, : len(vector)] = vector
        indices, best = insertion(positions, np.arange(4)[None] < len(vector), count)
        due = sorted(range(len(vector)), key=lambda k: -vector[k])[:count]
        missing = count - len(due)
        assert indices[0].tolist() == due + [0] * missing
        assert best[0].tolist() == [vector[k] for k in due] + [0] * missing


def test_golden_ignores_elements_beyond_the_length() -> None:
    indices, best = insertion(np.array([[1, 3, 9], [0, 0, 9]]), np.array([[True, True, False]] * 2), 3)
    assert indices.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert best.tolist() == [[3, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3")])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_short_vector(count: int, source: str, sink: str) -> None:
    """Every vector of up to four scores of two bits, so every order and every tie, and vectors shorter than K among them."""
    config = Config(mode="top_k", top_k=count, max_length=4, score_width=2)
    vectors = [np.array(vector) - 2 for vector in ALL]
    due = ranked_beats(config, vectors)
    assert run_component(Head(config), beats_of(vectors), len(due), source=source, sink=sink).beats == due


@pytest.mark.parametrize(("source", "sink"), PAUSED)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("count", SIZES)
def test_equals_golden(count: int, signed: bool, source: str, sink: str) -> None:
    """One element, ties, all minimum, overlong, short behind long, and random vectors."""
    config = Config(mode="top_k", top_k=count, max_length=20, score_signed=signed)
    vectors = score_vectors(config, seed=71)
    due = ranked_beats(config, vectors)
    assert run_component(Head(config), beats_of(vectors), len(due), source=source, sink=sink).beats == due


@pytest.mark.parametrize(("length", "width"), [(1, 2), (2, 16), (70, 3)])
def test_other_formats(length: int, width: int) -> None:
    """An index narrower than a tag, and ties over more indices than a tag tells apart."""
    config = Config(mode="top_k", max_length=length, score_width=width)
    vectors = score_vectors(config, seed=72)
    due = ranked_beats(config, vectors)
    assert run_component(Head(config), beats_of(vectors), len(due), sink="random").beats == due


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_list_keeps_its_tags_apart(count: int, gaps: float) -> None:
    """The order names each place once; the last element written to a place is the one that belongs there."""
    config = Config(mode="top_k", top_k=count, max_length=9, score_width=3)
    rng = np.random.default_rng(73)
    vectors = [tuple(rng.integers(0, 8, rng.integers(1, 10)).tolist()) for _ in range(80)]
    waiting = [beat for number, vector in enumerate(vectors) for beat in framed(vector, number % 2)]
    length = len(waiting) * (3 if gaps else 1) + 9
    ends = []

    def drive(before: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        if not waiting or rng.random() < gaps:
            return {"i.valid": 0}
        beat = waiting.pop(0)
        ends.extend([len(before)] if beat["last"] else [])
        return {"i.valid": 1, "i.payload": beat}

    watched = ["write.valid", "write.payload", "o.valid", "o.payload"]
    seen = run_cycles(Insertion(config), length, drive, watched)
    assert not waiting
    writes = iter([row["write.payload"] for row in seen if row["write.valid"]])
    assert [cycle for cycle, row in enumerate(seen) if row["o.valid"]] == [end + INSERTION_LATENCY for end in ends]
    orders = [row["o.payload"] for row in seen if row["o.valid"]]
    for number, (vector, order) in enumerate(zip(vectors, orders, strict=True)):
        places: dict[int, tuple[int, int]] = {}
        for index, position in enumerate(vector):
            entry = next(writes)
            assert (entry["index"], entry["position"]) == (index, position)
            assert entry["last"] == (index == len(vector) - 1)
            if entry["enters"]:
                places[entry["tag"]] = (index, position)
        tags = [order["tags"] >> tag_width(count) * k & ((1 << tag_width(count)) - 1) for k in range(count)]
        assert sorted(tags) == list(range(count))
        best = sorted(range(len(vector)), key=lambda k: -vector[k])[:count]
        assert [places[tag] for tag in tags[: len(best)]] == [(k, vector[k]) for k in best]
        assert (order["left"], order["overlong"]) == (len(best) - 1, number % 2)


@pytest.mark.parametrize("length", [1, 2, 7, 16])
@pytest.mark.parametrize("count", SIZES)
def test_latency_and_interval(count: int, length: int) -> None:
    config = Config(mode="top_k", top_k=count, max_length=16)
    rng = np.random.default_rng(count)
    vectors = [rng.integers(-128, 128, length) for _ in range(30)]
    size = min(count, length)
    alone = run_component(Head(config), beats_of(vectors[:1]), size)
    first = alone.inputs[0] + plan(config).first_output_cycle(length)
    assert alone.outputs == list(range(first, first + size))
    assert alone.outputs[-1] - alone.inputs[0] == plan(config).last_output_cycle(length)
    many = run_component(Head(config), beats_of(vectors), 30 * size)
    assert many.inputs == list(range(many.inputs[0], many.inputs[0] + 30 * length))
    assert set(np.diff(many.outputs[::size])) == {length}


@pytest.mark.parametrize("count", [1, 4, 9, 16])
def test_no_bubble_whatever_the_lengths(count: int) -> None:
    """The most results wait where vectors of one element follow one of K or more; with 9 no place is left over."""
    config = Config(mode="top_k", top_k=count, max_length=40)
    rng = np.random.default_rng(74)
    lengths = [40, *[1] * 60, 20, *[2] * 20, 16, 8, 4, 2, 1, 1, *rng.integers(1, 41, 30), *[1] * 30]
    vectors = [rng.integers(-128, 128, n) for n in lengths]
    due = ranked_beats(config, vectors)
    run = run_component(Head(config), beats_of(vectors), len(due))
    assert run.beats == due
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + sum(lengths)))


def test_room_for_the_vectors_that_wait() -> None:
    assert [ranked_vectors(needed) for needed in (1, 3, 7, 8, 15, 16)] == [2, 4, 8, 16, 16, 32]
    config = Config(mode="top_k", top_k=8)
    assert ranked_vectors(top_k_vectors(config)) == top_k_vectors(config) + 1


def test_formulas() -> None:
    figures = plan(Config(mode="top_k", top_k=3))
    assert (figures.latency_formula, figures.last_output_formula) == ("N + 7", "N + min(N, 3) + 6")
    assert figures.interval_formula == "N"


@pytest.mark.parametrize("count", [33, 64])
def test_a_long_list(count: int) -> None:
    """More ranks than a word of five bits numbers; vectors shorter than K, of K elements, and longer ones without a bubble."""
    config = Config(mode="top_k", top_k=count, max_length=150)
    rng = np.random.default_rng(75)
    lengths = [150, 1, 1, count - 1, count, count + 1, 2, 150]
    vectors = [rng.integers(-128, 128, n) for n in lengths]
    due = ranked_beats(config, vectors)
    run = run_component(Head(config), beats_of(vectors), len(due))
    assert run.beats == due
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + sum(lengths)))
    assert run.outputs[0] == run.inputs[0] + plan(config).first_output_cycle(150)


@pytest.mark.parametrize("count", [0, 65, True, 2.0, "5"])
def test_a_value_that_is_no_count_is_refused(count: object) -> None:
    with pytest.raises(UserError, match=r"^top_k = .*: must be an integer from 1 to 64 elements; for example 5$"):
        Config(mode="top_k", top_k=count)  # type: ignore[arg-type]
