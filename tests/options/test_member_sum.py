"""Sums over members against a reading in plain Python: forwarding, uneven and overlong members, lanes, pauses, resets."""

import numpy as np
import pytest
from support.beats import slices
from support.stream_bench import ThrottledComponent, run_component

from softstream.hw.options.member_sum import MemberSum
from softstream.sim.golden.options.member_sum import flags, member_sum

WIDTH = 5


def ensembles(rng: np.random.Generator, members: int, longest: int, count: int) -> list[np.ndarray]:
    """Members in order: even ensembles of every short length, uneven ones among them."""
    vectors = []
    for turn in range(count):
        length = 1 + turn % longest if turn < 2 * longest else int(rng.integers(1, longest + 1))
        lengths = np.full(members, length)
        if turn % 3 == 2:
            lengths = rng.integers(1, longest + 1, members)
        vectors += [rng.integers(0, 1 << WIDTH, n) for n in lengths]
    return vectors


def ensemble_beats(
    rng: np.random.Generator, vectors: list[np.ndarray], lanes: int, longest: int
) -> list[dict[str, int]]:
    """Input beats of the sum. The flag counts in the last beat alone, and a lane without an element holds any value."""
    beats = []
    for piece in slices(vectors, lanes):
        vector = vectors[piece.vector]
        cut = len(vector) == longest and int(vector.sum()) % 2 == 1
        beat = {"last": int(piece.last), "overlong": int(cut if piece.last else rng.integers(0, 2))}
        for lane in range(lanes):
            held = lane < len(piece.values)
            beat["value" if lane == 0 else f"value_{lane}"] = (
                piece.values[lane] if held else int(rng.integers(1 << WIDTH))
            )
            if lane:
                beat[f"keep_{lane}"] = int(held)
        beats.append(beat)
    return beats


def by_definition(
    vectors: list[np.ndarray], members: int, lanes: int, longest: int, start: int
) -> list[dict[str, int]]:
    width = WIDTH + (members - 1).bit_length()
    beats = []
    for at in range(0, len(vectors), members):
        group = vectors[at : at + members]
        length = len(group[0])
        sums = [(start + sum(int(v[i]) for v in group if i < len(v))) % (1 << width) for i in range(length)]
        cut = length == longest and any(len(v) == longest and int(v.sum()) % 2 == 1 for v in group)
        for place in range(0, length, lanes):
            last = place + lanes >= length
            beat = {"last": int(last), "overlong": int(last and cut)}
            beat["uneven"] = int(last and any(len(v) != length for v in group))
            for lane in range(lanes):
                valid = place + lane < length
                beat["sum" if lane == 0 else f"sum_{lane}"] = sums[place + lane] if valid else 0
                if lane:
                    beat[f"keep_{lane}"] = int(valid)
            beats.append(beat)
    return beats


def looked_at(beats: list[dict[str, int]], lanes: int) -> list[dict[str, int]]:
    """The beats with the sums of empty lanes set to 0, because their value is undefined."""
    return [
        {**beat, **{f"sum_{lane}": beat[f"sum_{lane}"] * beat[f"keep_{lane}"] for lane in range(1, lanes)}}
        for beat in beats
    ]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("members", "longest", "memory", "write", "lanes", "source"),
    [
        (2, 4, 1, 0, 1, "never"),
        (3, 5, 2, 0, 1, "never"),
        (3, 5, 3, 0, 1, "random"),
        (3, 6, 3, 1, 1, "random"),
        (4, 1, 3, 1, 1, "never"),
        (2, 2, 2, 1, 1, "every3"),
        (2, 7, 3, 1, 1, "never"),
        (5, 9, 2, 0, 2, "never"),
        (3, 12, 3, 1, 4, "random"),
        (16, 3, 1, 0, 1, "never"),
    ],
)
def test_equals_the_definition(
    members: int, longest: int, memory: int, write: int, lanes: int, source: str, flat: bool
) -> None:
    rng = np.random.default_rng([members, longest, memory, lanes])
    vectors = ensembles(rng, members, longest, 40)
    start = -members * (1 << WIDTH - 1)
    due = by_definition(vectors, members, lanes, longest, start)
    beats = -(-longest // lanes)
    dut = MemberSum(WIDTH, members, beats, memory, lanes=lanes, start=start, write=write, flat=flat)
    run = run_component(dut, ensemble_beats(rng, vectors, lanes, longest), len(due), source=source)
    assert looked_at(run.beats, lanes) == due


@pytest.mark.parametrize(("memory", "write"), [(1, 0), (2, 0), (3, 0), (2, 1), (3, 1)])
def test_latency_and_no_bubble(memory: int, write: int) -> None:
    """One beat per cycle for every length, those that have to be forwarded included."""
    for length in (1, 2, 3, 4, 7):
        vectors = [np.arange(length)] * 12
        beats = ensemble_beats(np.random.default_rng(1), vectors, 1, 99)
        run = run_component(MemberSum(WIDTH, 3, 8, memory, write=write), beats, 4 * length)
        assert run.inputs == list(range(run.inputs[0], run.inputs[0] + 12 * length))
        finals = [cycle for at in range(2, 12, 3) for cycle in run.inputs[at * length :][:length]]
        assert run.outputs == [cycle + memory + 2 for cycle in finals]


def test_the_model_equals_the_definition() -> None:
    rng = np.random.default_rng(7)
    vectors = ensembles(rng, 3, 6, 50)
    lengths = np.array([len(vector) for vector in vectors])
    values = rng.integers(0, 99, (len(vectors), 6))  # what lies beyond a length is not looked at
    for row, vector in zip(values, vectors, strict=True):
        row[: len(vector)] = vector
    beats = by_definition(vectors, 3, 1, 6, 0)
    sums = member_sum(values, lengths, 3)
    assert [int(s) for row, n in zip(sums, lengths[::3], strict=True) for s in row[:n]] == [b["sum"] for b in beats]
    cut = np.array([len(vector) == 6 and int(vector.sum()) % 2 == 1 for vector in vectors])
    for name, column in flags(lengths, cut, 3).items():
        assert column.tolist() == [bool(beat[name]) for beat in beats if beat["last"]]
        assert 0 < column.sum() < len(column)
    assert not any(row[n:].any() for row, n in zip(sums, lengths[::3], strict=True))


def test_an_enable_that_comes_and_goes_changes_no_sum() -> None:
    """Under an enable that comes and goes, the sums are the same."""
    rng = np.random.default_rng(9)
    vectors = ensembles(rng, 3, 4, 30)
    due = by_definition(vectors, 3, 1, 4, 0)

    throttled = ThrottledComponent(MemberSum(WIDTH, 3, 4, 2, write=1))
    run = run_component(throttled, ensemble_beats(rng, vectors, 1, 4), len(due))
    assert run.beats == due
