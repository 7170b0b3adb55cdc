"""Heads with stages around them: their connection, the guard bits between them, and the one rounding at the end."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from support.beats import beats_of
from support.configurations import score_vectors
from support.head_beats import expected_beats
from support.head_bench import check_head
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.numbers import bound as bounds
from softstream.hw.numbers import composition
from softstream.hw.numbers.bound import bound, unchecked_bound
from softstream.hw.numbers.composition import Post, guarded
from softstream.hw.options import composed
from softstream.hw.options.final_round import FinalRound
from softstream.hw.plan import derive as plan
from softstream.hw.plan.options import OPTION_PLANS
from softstream.hw.plan.records import OptionPlan, StagePlan
from softstream.hw.streams.layouts import probability_layout, pulse
from softstream.hw.streams.registers import delay
from softstream.sim.golden import golden
from softstream.sim.golden.options import composed as composed_model
from softstream.sim.golden.options.final_round import finish
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp

SEED = 4711
"""Softmax has no use for it: it asks for the stage of this test."""
SMOOTH = {"smoothing": (1, 2, 1)}
"""A stage of `Config`'s own rules, which do not know the stage of this test."""
CONFIGS = {
    "fast": Config(max_length=16, seed=SEED),
    "fastest": Config(max_length=16, seed=SEED, normaliser="logarithm", profile="fastest", probability_format="UQ1"),
    "small": Config(max_length=16, seed=SEED, profile="small", guard_bits=6),
    "two-pass": Config(max_length=16, seed=SEED, profile="small", accumulator="two_pass"),
    "lanes": Config(max_length=13, seed=SEED, lanes=4, normaliser="reciprocal"),
}


class Identity(wiring.Component):
    """A post stage of two cycles that changes nothing."""

    def __init__(self, _: Config, inner: Config) -> None:
        layout = probability_layout(inner)
        super().__init__({"i": In(pulse(layout)), "o": Out(pulse(layout))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, 2, "valid", reset=True)),
            self.o.payload.eq(delay(m, self.i.payload.as_value(), 2, "beat")),
        ]
        return m


@pytest.fixture(autouse=True)
def a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Post(lambda c: c.seed == SEED, lambda c: c.replace(seed=1), lambda _, __, error: error * 5 / 4)
    for module in (composition, bounds):
        monkeypatch.setitem(module.POSTS, "identity", stage)
    monkeypatch.setitem(composed.POSTS, "identity", Identity)
    monkeypatch.setitem(composed_model.POSTS, "identity", lambda _, __, ___, arrays: arrays)
    row = StagePlan("identity", "", "", "", 2, "")
    monkeypatch.setitem(OPTION_PLANS, "identity", OptionPlan(stage.applies, stage.without, lambda _, __: row))


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "random")])
@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "lanes"])
def test_equals_golden_in_the_cycles_of_the_plan(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=51)
    probabilities, winners = expected_beats(config, vectors)
    run = run_component(
        Head(config), beats_of(vectors), len(probabilities), source=source, sink=sink, drain=("o_best",)
    )
    assert run.beats == probabilities
    assert [beat for _, beat in run.drained["o_best"]] == winners
    if source == "never":
        # From an idle pipe: the first vector has one element.
        assert run.outputs[0] - run.inputs[0] == plan.plan(config).first_output_cycle(1)
        assert run.drained["o_best"][0][0] - run.inputs[0] == plan.plan(config).best_output_cycle(1)


@pytest.mark.parametrize("name", ["fast", "fastest"])
def test_no_bubble_comes_from_the_stages(name: str) -> None:
    config = CONFIGS[name]
    assert plan.plan(config).interval_cycles(16) == 16
    run = run_component(Head(config), beats_of([np.arange(16)] * 20), 320, drain=("o_best",))
    assert run.outputs == list(range(run.outputs[0], run.outputs[0] + 320))


def test_lanes_are_finished_each_for_itself() -> None:
    check_head(CONFIGS["lanes"], score_vectors(CONFIGS["lanes"], seed=52), sink="random")


@pytest.mark.parametrize("form", ["UQ0", "UQ1"])
def test_finish_rounds_every_code(form: str) -> None:
    config = Config(probability_width=3, guard_bits=4, probability_format=form, seed=SEED, max_length=4)
    inner = guarded(config)
    codes = np.arange((1 << inner.probability_width) + 1)
    due = np.minimum([int(Fraction(int(c), 8) + Fraction(1, 2)) for c in codes], config.probability_maximum)
    np.testing.assert_array_equal(finish(config, inner, codes), due)
    beats = [{"probability": int(code), "last": int(code) & 1, "overlong": int(code) >> 1 & 1} for code in codes]
    run = run_component(FinalRound(config, inner), beats, len(beats))
    assert run.beats == [{**beat, "probability": int(p)} for beat, p in zip(beats, due, strict=True)]


@pytest.mark.parametrize("name", CONFIGS)
def test_guard_bits_cost_no_wider_tables(name: str) -> None:
    config = CONFIGS[name]
    inner = composition.composition(config).inner  # type: ignore[union-attr]
    assert inner.probability_width + inner.guard_bits == config.probability_width + config.guard_width
    assert (inner.guard_bits, inner.probability_format, inner.seed) == (1, "UQ1", 1)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_bound_is_that_of_the_inner_head_through_the_stages(name: str) -> None:
    config = CONFIGS[name]
    inner = composition.composition(config).inner  # type: ignore[union-attr]
    limits = bound(config)
    assert limits.total == Fraction(1, 2) + Fraction(5, 4) * unchecked_bound(inner).total / 2 ** (
        config.guard_width - 1
    )
    shares = (limits.exponential, limits.accumulator, limits.normaliser, limits.rounding, limits.post)
    assert sum(shares) == limits.total <= 1
    rng = np.random.default_rng(53)
    scores = rng.integers(-128, 128, (4000, 3))
    scores[2000:] = rng.integers(60, 128, (2000, 3))
    plain = config.replace(seed=1)
    codes = golden(config.replace(lanes=1, probability_format="UQ1"), scores).probabilities
    errors = error_ulp(plain, codes, scores)
    # The stage of this test adds nothing, though it says that it might.
    assert 0.5 < errors.max() <= float(limits.total) - float(limits.post) + float64_slack_ulp(plain)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"guard_bits": 2, **SMOOTH}, "guard_bits = 2 with smoothing: .*; guard_bits = 4 would do"),
        (
            {"probability_width": 23, **SMOOTH},
            "probability_width = 23 with smoothing: .*; probability_width = 22 would do",
        ),
        ({"normaliser": "none", **SMOOTH}, "smoothing with normaliser = 'none': .*; normaliser = 'divider' would do"),
        ({"mode": "argmax", **SMOOTH}, "smoothing with mode = 'argmax': .*; mode = 'softmax' would do"),
        (
            {"guard_bits": 3, "normaliser": "logarithm"},
            "guard_bits = 3 .*: the error bound would be 1.* ulp, .*; guard_bits = 4 would do",
        ),
    ],
)
def test_impossible_guard_bits_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan.plan(Config(seed=SEED, **keys))


def test_every_stage_has_its_component_its_model_and_its_row() -> None:
    assert list(composition.POSTS) == list(composed.POSTS) == list(composed_model.POSTS)
    assert list(composition.FRONTS) == list(composed.FRONTS) == list(composed_model.FRONTS)
    stages = {*composition.POSTS, *composition.FRONTS}
    assert {name for name, option in OPTION_PLANS.items() if option.row is not None} == {*stages, "groups"}
