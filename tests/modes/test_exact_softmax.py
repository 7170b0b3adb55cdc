"""The head whose codes sum to exactly 2^P: hardware against model, and what it does not combine with."""

from typing import Any

import pytest
from support.configurations import score_vectors
from support.exact_sums import CONFIGS, exact
from support.head_bench import check_head

from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan

QUICK = ("divider", "chords", "minimum-product", "small-minimum", "lanes-masked", "groups")
"""Heads that every run of the suite simulates; the others take as long again."""


def check(name: str, source: str, sink: str) -> None:
    """Compares a head with the model, and its latency with the plan where nothing stalls."""
    config = CONFIGS[name]
    vectors = score_vectors(config, 11)
    vectors = vectors[: len(vectors) - len(vectors) % config.ensemble]
    trace = check_head(config, vectors, source=source, sink=sink)
    if source == sink == "never" and not config.groups and config.ensemble == 1:
        due = plan(config).first_output_cycle(len(vectors[0]))
        assert trace.outputs["m_axis"][0] - trace.inputs[0] == due


@pytest.mark.parametrize("name", QUICK)
def test_the_hardware_equals_the_model(name: str) -> None:
    check(name, "random", "every3")


def test_latency_and_interval_are_those_of_the_plan() -> None:
    check("lanes", "never", "never")


@pytest.mark.long
@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("every3", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_head_equals_the_model_under_pauses(name: str, source: str, sink: str) -> None:
    check(name, source, sink)


REFUSALS = {
    "floor": ({"probability_floor": 0.01}, "minimum_code = 1"),
    "smoothing": ({"smoothing": (1, 2, 1)}, "smoothing = []"),
    "mean": ({"ensemble": 2, "ensemble_mean": "probabilities"}, "ensemble_mean = 'logits'"),
    "logarithm": ({"normaliser": "logarithm"}, "normaliser = 'divider'"),
    "power": ({"normaliser": "none"}, "normaliser = 'divider'"),
    "reference": ({"accumulator": "reference"}, "accumulator = 'auto'"),
    "two_pass": ({"accumulator": "two_pass", "profile": "small"}, "accumulator = 'auto'"),
    "levels": ({"output_levels": 255}, "output_levels = 0"),
    "zero": ({"output_zero_point": -128}, "output_zero_point = 0"),
    "format": ({"probability_format": "UQ0"}, "probability_format = 'UQ1'"),
    "rounded": ({"sum": "rounded", "minimum_code": 1}, "sum = 'exact'"),
    "many": ({"minimum_code": 17}, "minimum_code = 16"),
    "long": ({"minimum_code": 1, "max_length": 1000}, "probability_width = 10"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_combine_is_refused_with_a_value_that_works(name: str) -> None:
    keys, remedy = REFUSALS[name]
    with pytest.raises(UserError, match="would do") as refusal:
        exact(**keys)
    assert remedy in str(refusal.value)
    key, _, value = remedy.partition(" = ")
    changes: dict[str, Any] = {key: eval(value)}
    if name == "floor":
        changes["probability_floor"] = 0.0
    plan(exact(**{**keys, **changes}))


def test_scores_of_too_many_octaves_are_refused_with_a_scale_that_works() -> None:
    with pytest.raises(UserError, match=r"score_scale = 0\.\d+ would do") as refusal:
        plan(exact(score_scale=0.5))
    scale = float(str(refusal.value).split("score_scale = ")[2].split(" ")[0])
    plan(exact(score_scale=scale))
