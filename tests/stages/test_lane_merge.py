"""The K largest of several lanes: lists of every L-th element and their merge, against the list of the whole."""

import itertools
from typing import Any

import numpy as np
import pytest
from support.configurations import score_vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.top_k import list_of, tag_width
from softstream.sim.golden.stages.insertion import insertion
from softstream.sim.golden.stages.lane_merge import merged

ALL = [np.array(vector) - 2 for length in (1, 2, 3, 4, 5) for vector in itertools.product(range(3), repeat=length)]
"""Every vector of up to five scores of three values: every order, and every tie in a beat, across beats and both."""


def by_lanes(positions: np.ndarray, valid: np.ndarray, lanes: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The K largest of positions [V, B·L] by the models of lists and merge."""
    lists = [insertion(positions[:, lane::lanes], valid[:, lane::lanes], count) for lane in range(lanes)]
    indices, best = (np.stack(column, axis=1) for column in zip(*lists, strict=True))
    occupied = (
        np.arange(count) < np.stack([valid[:, lane::lanes].sum(axis=1) for lane in range(lanes)], axis=1)[..., None]
    )
    return merged(indices, best, occupied, count)


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_golden_is_the_list_of_the_whole(lanes: int, count: int) -> None:
    """Any element may be missing, as where it is masked or where the last beat is not full."""
    every = np.array([*itertools.product((-1, 0, 1, 2), repeat=4)])
    rng = np.random.default_rng(90)
    for positions in (every, rng.integers(-1, 6, (400, 16))):
        lists = by_lanes(positions, positions >= 0, lanes, count)
        for values, due in zip(lists, insertion(positions, positions >= 0, count), strict=True):
            np.testing.assert_array_equal(values, due)


@pytest.mark.parametrize("lanes", [2, 4])
def test_every_short_vector(lanes: int) -> None:
    config = Config(mode="top_k", top_k=3, max_length=5, score_width=2, lanes=lanes)
    check_head(config, ALL, source="never" if lanes == 2 else "random", sink="every3")


HEADS: dict[str, dict[str, Any]] = {
    "2": {"lanes": 2, "top_k": 16, "max_length": 40},
    "4": {"lanes": 4, "score_signed": False, "score_width": 3, "max_length": 21},
    "4-masked": {"lanes": 4, "score_width": 3, "max_length": 21, "mask": True},
    "2-masked": {"lanes": 2, "top_k": 2, "score_width": 2, "max_length": 5, "mask": True},
    "8-of-one": {"lanes": 8, "top_k": 1, "max_length": 70, "score_width": 3},
    "16": {"lanes": 16, "top_k": 3, "max_length": 37, "mask": True},
    "32": {"lanes": 32, "top_k": 2, "max_length": 40, "score_width": 5},
    "one-beat": {"lanes": 4, "max_length": 3, "score_width": 3},
}


@pytest.mark.parametrize("name", HEADS)
def test_equals_golden(name: str) -> None:
    """Corners, overlong and short vectors, ties, masks that leave nothing of a lane or of all."""
    config = Config(mode="top_k", **HEADS[name])
    check_head(config, score_vectors(config, seed=91)[:26], source="random", sink="every3")


SOFTMAX: dict[str, dict[str, Any]] = {
    "logarithm-masked": {"lanes": 4, "normaliser": "logarithm", "mask": True, "max_length": 13},
    "divider-small": {"lanes": 2, "top_k": 3, "profile": "small", "max_length": 11},
    "reciprocal-fastest": {"lanes": 4, "top_k": 7, "normaliser": "reciprocal", "profile": "fastest", "max_length": 17},
    "pipelined": {"lanes": 2, "top_k": 4, "per_vector": "pipelined", "normaliser": "none", "max_length": 9},
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_probabilities_equal_golden(name: str) -> None:
    config = Config(mode="softmax_top_k", **SOFTMAX[name])
    check_head(config, score_vectors(config, seed=92)[:24], source="every3", sink="random")


@pytest.mark.parametrize(
    "config",
    [
        Config(mode="top_k", top_k=1, max_length=24, lanes=4),
        Config(mode="top_k", top_k=3, max_length=14, lanes=2, mask=True),
        *(Config(mode="softmax_top_k", **SOFTMAX[name]) for name in ("logarithm-masked", "divider-small")),
    ],
    ids=lambda config: f"{config.mode}-{config.top_k}-{config.lanes}-{config.normaliser}",
)
def test_latency_and_interval(config: Config) -> None:
    """Of one vector alone, and of vectors back to back. The first vectors of a bench are not masked."""
    promised, rng = plan(config), np.random.default_rng(94)
    config = config.replace(mask=False) if config.mask else config
    for length in (1, config.max_length):
        vectors = rng.integers(config.score_format.minimum, config.score_format.maximum + 1, (10, length))
        size, interval = min(config.top_k, length), promised.interval_cycles(length)
        alone = check_head(config, [vectors[0]])
        first, *_, last = [alone.outputs["m_axis"][k] - alone.inputs[0] for k in (0, -1)]
        assert (first, last) == (promised.first_output_cycle(length), promised.last_output_cycle(length))
        many = check_head(config, [*vectors])
        assert set(np.diff(many.outputs["m_axis"][::size])[-5:]) == {interval}
        if interval == config.beats(length):
            assert many.inputs == list(range(many.inputs[0], many.inputs[0] + 10 * interval))


def test_no_bubble_if_the_output_takes_no_longer_than_the_input() -> None:
    """The input never waits if each vector has at least as many beats as its output takes cycles."""
    config = Config(mode="top_k", top_k=9, max_length=80, lanes=2)
    rng = np.random.default_rng(95)
    lengths = [80, *[26] * 12, *rng.integers(26, 81, 12), 26]
    run = check_head(config, [rng.integers(-128, 128, n) for n in lengths])
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + sum(-(-n // 2) for n in lengths)))


def test_formulas() -> None:
    figures = plan(Config(mode="top_k", top_k=3, lanes=4))
    assert (figures.latency_formula, figures.last_output_formula) == ("⌈N/4⌉ + 15", "⌈N/4⌉ + min(N, 3) + 14")
    assert figures.interval_formula == "max(⌈N/4⌉, min(N, 3) + 4)"


def test_a_list_is_no_longer_than_its_lane() -> None:
    config = Config(mode="top_k", top_k=16, max_length=13, lanes=4, score_width=5)
    lists = [list_of(config, lane) for lane in range(4)]
    assert [(lane_list.top_k, lane_list.max_length, lane_list.mask) for lane_list in lists] == [
        (4, 4, lane > 0) for lane in range(4)
    ]
    assert plan(config).stage("insertion").output_format == f"4 times 4 tags of {tag_width(4)} bits"
    assert list_of(config.replace(lanes=1), 0) == config.replace(lanes=1)
