"""The latencies of the plan hold for a vector that is offered during reset."""

from typing import Any

import numpy as np
import pytest
from support.configurations import MEMBERS, PIPELINED, SOFTMAX, TWO_PASS
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan

TEMPERATURE = {"temperature_bits": 3, "temperature_fraction": 1}
MEAN = {"ensemble": 2}
FORKED: dict[str, dict[str, Any]] = {
    "temperature-two-pass": {**TEMPERATURE, "profile": "small", "accumulator": "two_pass"},
    "temperature-small": {**TEMPERATURE, "profile": "small"},
    "temperature-small-lanes": {**TEMPERATURE, "profile": "small", "lanes": 2},
    "temperature-fast": {**TEMPERATURE, "profile": "fast"},
    "temperature-smoothing": {**TEMPERATURE, "profile": "small", "smoothing": [1, 2, 1]},
    "floor": {"probability_floor": 0.01, "profile": "small"},
    "mean-of-logits": {**MEAN, "profile": "small"},
    "mean-of-probabilities": {**MEAN, "profile": "small", "ensemble_mean": "probabilities"},
    "groups": {"groups": [2, 3], "max_length": 3, "profile": "small"},
}
"""Heads that send their input to several stages, which need not be ready in the same cycle after reset."""

OTHERS = SOFTMAX | MEMBERS | PIPELINED | TWO_PASS


def check_first_latencies(config: Config) -> None:
    """Compares the cycles to the first beat of every output with the plan, for a vector of one element."""
    derived = plan(config)
    trace = check_head(config, [np.array([config.score_format.maximum])] * config.ensemble, reset=3)
    cycles = [times[0] - trace.inputs[0] for times in trace.outputs.values() if times]
    due = [derived.first_output_cycle(1), derived.best_output_cycle(1)][: len(cycles)]
    assert trace.inputs[0] >= 3
    assert cycles == due


@pytest.mark.parametrize("keys", FORKED.values(), ids=list(FORKED))
def test_the_first_vector_after_reset_has_the_latencies_of_the_plan(keys: dict[str, Any]) -> None:
    check_first_latencies(Config(**{"max_length": 3, "score_width": 4, **keys}))


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_every_first_vector_after_reset_has_the_latencies_of_the_plan(name: str) -> None:
    check_first_latencies(OTHERS[name])
