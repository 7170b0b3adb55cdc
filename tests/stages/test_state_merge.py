"""The merge of two states: hardware against model, model against exact arithmetic, and the tiles of a row."""

import numpy as np
import pytest
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.log_softmax import log_bound
from softstream.hw.numbers.state_merge import state_merge
from softstream.hw.stages.state_merge import LATENCY, StateMerger
from softstream.sim.golden import golden
from softstream.sim.golden.stages.state_merge import State, merge_states

CONFIGS = {
    "int8": Config(mode="log_sum_exp", max_length=64),
    "unsigned-smallest": Config(
        mode="log_sum_exp", max_length=64, score_signed=False, score_width=5, score_scale=0.3, select="smallest"
    ),
    "narrow": Config(mode="log_sum_exp", max_length=9, score_width=3, score_scale=0.7, probability_width=3),
    "fine": Config(mode="log_sum_exp", max_length=1024, score_width=10, score_scale=0.01, probability_width=10),
}
ELEMENTS = 4096


def random_states(config: Config, rng: np.random.Generator, count: int) -> State:
    limit = state_merge(config, ELEMENTS).format.maximum
    low, high = config.score_format.minimum, config.score_format.maximum
    sums = rng.integers(0, limit, count, endpoint=True)
    sums[:8] = [0, limit] * 4
    return State(rng.integers(low, high, count, endpoint=True), sums, rng.random(count) < 0.1)


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3"), ("every3", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_hardware_equals_the_model(name: str, source: str, sink: str) -> None:
    config, rng = CONFIGS[name], np.random.default_rng(3)
    first, second = random_states(config, rng, 300), random_states(config, rng, 300)
    merged = merge_states(config, first, second, ELEMENTS)

    def rows(states: State) -> list[dict[str, int]]:
        return [
            {"log_sum": int(total), "score": int(best), "empty": int(none)}
            for best, total, none in zip(*states, strict=True)
        ]

    pairs = [{"first": one, "second": other} for one, other in zip(rows(first), rows(second), strict=True)]
    trace = run_component(StateMerger(config, ELEMENTS), pairs, len(pairs), source=source, sink=sink)
    assert trace.beats == rows(merged)
    if source == sink == "never":
        assert trace.outputs[0] - trace.inputs[0] == LATENCY
        assert set(np.diff(trace.outputs)) == {1}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_model_is_within_the_bound_of_the_exact_merge(name: str) -> None:
    config, rng = CONFIGS[name], np.random.default_rng(4)
    first, second = (random_states(config, rng, 20000) for _ in range(2))
    first, second = (State(best, total, np.zeros(len(best), dtype=bool)) for best, total, _ in (first, second))
    numbers, one = state_merge(config, ELEMENTS), 2.0**config.probability_width
    nats = [
        state.log_sums / one + np.asarray(config.position(state.best)) * config.effective_scale
        for state in (first, second)
    ]
    merged = merge_states(config, first, second, ELEMENTS)
    exact = np.logaddexp(*nats) - np.asarray(config.position(merged.best)) * config.effective_scale
    inside = exact * one < numbers.format.maximum
    error = np.abs(merged.log_sums - exact * one)[inside]
    assert error.max() <= float(numbers.bound_ulp) + 1e-9
    assert error.max() > 0.5
    assert (merged.log_sums[~inside] == numbers.format.maximum).all()


def test_the_tiles_of_a_row_merge_to_the_row() -> None:
    """Rows of 512 scores in tiles of 64, the last one masked: the states of the tiles in a tree."""
    tile, rng = CONFIGS["int8"].replace(mask=True), np.random.default_rng(5)
    scores = np.clip(rng.normal(0, 40, (50, 512)).round(), -128, 127).astype(np.int64)
    mask = np.zeros_like(scores)
    mask[:, 448:] = 1
    result = golden(tile, scores.reshape(-1, 64), None, {"mask": mask.reshape(-1, 64)})
    states = State(*(array.reshape(50, 8) for array in (result.best, result.log_sums, result.all_masked)))
    levels = 0
    while states.best.shape[1] > 1:
        halves = (State(*(array[:, place::2] for array in states)) for place in (0, 1))
        states, levels = merge_states(tile, *halves, 512), levels + 1
    nats = scores[:, :448] * tile.effective_scale
    best = scores[:, :448].max(axis=1)
    exact = np.log(np.exp(nats - best[:, None] * tile.effective_scale).sum(axis=1))
    assert np.array_equal(states.best[:, 0], best)
    assert not states.empty.any()
    bound = float(log_bound(tile).total) + levels * float(state_merge(tile, 512).bound_ulp)
    assert np.abs(states.log_sums[:, 0] - exact * 2.0**tile.probability_width).max() <= bound


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mode": "softmax"}, "mode = 'softmax': the states of a merge are those of log_sum_exp"),
        (
            {"score_width": 12, "score_scale": 0.002},
            "score_width = 12 in a merge of states: must be at most 10; 10 would do",
        ),
        (
            {"probability_width": 13, "guard_bits": 1},
            "probability_width = 13 in a merge of states: must be at most 12; 12 would do",
        ),
    ],
)
def test_what_cannot_be_merged_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        state_merge(CONFIGS["int8"].replace(**keys), ELEMENTS)
