"""The probability floor: held by every code, in a distribution that stays one, whatever the vector's length."""

from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.head_beats import expected_beats
from support.head_bench import check_head
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.composition import composition, guarded
from softstream.hw.numbers.floor import floor_code
from softstream.hw.options.floor import Remainder
from softstream.hw.plan.derive import plan
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import float64_slack_ulp, softmax_float64
from softstream.sim.simulators.runner import simulate

CONFIGS = {
    "logarithm": Config(max_length=16, probability_floor=1 / 64, normaliser="logarithm"),
    "reciprocal": Config(max_length=16, probability_floor=0.06, normaliser="reciprocal", probability_format="UQ1"),
    "smoothed": Config(
        max_length=16, probability_floor=0.01, smoothing=(1, 2, 1), smoothing_edges="scatter", profile="fastest"
    ),
    "small": Config(max_length=16, probability_floor=1e-3, profile="small"),
    "two-pass": Config(max_length=7, probability_floor=0.1, profile="small", accumulator="two_pass"),
    "wide": Config(max_length=9, probability_floor=1e-5, probability_width=16, normaliser="reciprocal", guard_bits=5),
    "single": Config(max_length=1, probability_floor=0.9),
    "lanes": Config(max_length=13, probability_floor=0.05, lanes=4),
    "lanes-product": Config(max_length=13, probability_floor=0.05, lanes=2, normaliser="reciprocal"),
}


def attacks(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Scores and lengths: every length, one far above all others, ties, near scores."""
    rng = np.random.default_rng(71)
    low, high = config.score_format.minimum, config.score_format.maximum
    vectors: list[np.ndarray] = []
    for length in range(1, config.max_length + 1):
        peak = np.full(length, low)
        peak[length // 2] = high
        vectors += [peak, np.full(length, high), np.arange(length) + low]
        vectors += list(rng.integers(high - 40, high, (40, length), endpoint=True))
        vectors += list(rng.integers(low, high, (10, length), endpoint=True))
    return pad_vectors(vectors, 0)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_code_is_near_the_formula_and_above_the_floor(name: str) -> None:
    config = CONFIGS[name].replace(probability_format="UQ1", lanes=1)
    inner = composition(config).inner  # type: ignore[union-attr]
    floor = floor_code(config, inner) / 2**inner.probability_width
    assert abs(floor - config.probability_floor) <= 2.0**-inner.probability_width / 2
    scores, lengths = attacks(config)
    valid = np.arange(scores.shape[1]) < lengths[:, None]
    codes = golden(config, scores, lengths).probabilities
    plain = softmax_float64(config.replace(probability_floor=0), scores, lengths)
    exact = np.where(valid, floor + (1 - floor * lengths[:, None]) * plain, 0)
    np.testing.assert_allclose(exact.sum(axis=1), 1, atol=1e-12)
    one = 2.0**config.probability_width
    errors = np.abs(codes - exact * one)
    assert 0.4 * (config.max_length > 1) <= errors.max() <= float(bound(config).total) + float64_slack_ulp(config)
    # No class gets less than what the floor itself is rounded to, and in the longest vectors some get no more.
    least = int(floor * one + 0.5)
    assert codes[valid].min() >= least
    if config.max_length > 1 and not config.smoothing:
        assert codes[valid].min() == least
    assert not codes[~valid].any()


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_hardware_equals_the_model(name: str, source: str, sink: str) -> None:
    check_head(CONFIGS[name], score_vectors(CONFIGS[name], seed=72), source=source, sink=sink)


@pytest.mark.parametrize("per_vector", ["serial", "pipelined"])
def test_many_short_vectors_wait_for_their_probabilities(per_vector: str) -> None:
    """Far more than c can be kept of, while nothing is taken; and back to back as the plan promises."""
    config = CONFIGS["logarithm"].replace(per_vector=per_vector)
    rng = np.random.default_rng(74)
    vectors = [rng.integers(-128, 128, n) for n in (16, *[1] * 60, 16, 3, *[2] * 40)]
    probabilities, _ = expected_beats(config, vectors)
    run = run_component(Head(config), beats_of(vectors), len(probabilities), sink="first300", drain=("o_best",))
    assert run.beats == probabilities
    for length in (1, 16):
        count = 120 if length == 1 else 30
        run = run_component(Head(config), beats_of([np.arange(length)] * count), count * length, drain=("o_best",))
        assert run.outputs[0] - run.inputs[0] == plan(config).first_output_cycle(length)
        assert set(np.diff(run.outputs[::length])[-20:]) == {plan(config).interval_cycles(length)}


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_remainder_of_one_is_counted(lanes: int) -> None:
    config = Config(max_length=13, probability_floor=0.05, lanes=lanes)
    inner = guarded(config.replace(probability_floor=0))
    code = floor_code(config, inner)
    vectors = score_vectors(config, seed=75)[:10]
    run = run_component(
        Remainder(config, inner), beats_of(vectors, lanes), len(vectors), o="vector", drain=("o",), sink="every3"
    )
    assert run.beats == [(1 << inner.probability_width) - code * min(len(vector), 13) for vector in vectors]


@pytest.mark.long
def test_the_benches_on_the_verilog_pass() -> None:
    """Behind a smoothing, so that all stages stand behind one another."""
    config = Config(max_length=5, score_width=5, normaliser="logarithm", smoothing=[1, 2, 1], probability_floor=0.05)
    failed = [verdict for verdict in simulate(config, simulator="verilator") if not verdict.passed]
    assert not failed


def test_a_floor_that_is_rounded_away_is_warned_of() -> None:
    assert plan(Config(normaliser="divider", max_length=16, probability_floor=1 / 64)).warnings == ()
    [warning] = plan(Config(normaliser="divider", max_length=16, probability_floor=0.001)).warnings
    assert warning.startswith("probability_floor = 0.001 is less than half an ulp: ")
    assert warning.endswith("probability_floor = 0.00391 would be 1 ulp")
    assert plan(Config(normaliser="divider", max_length=16, probability_floor=1e-9)).bound_ulp == pytest.approx(
        0.693, abs=1e-3
    )


def test_the_plan_states_the_floor_in_use() -> None:
    row = plan(Config(normaliser="divider", max_length=16, probability_floor=0.01)).stage("floor")
    assert row.computes == "f + (1 − f·N)·p, f = 20·2^−11 = 0.00976562"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"probability_floor": -0.1}, r"probability_floor = -0.1: must be a number from 0 to below 1; for example 0.0"),
        ({"probability_floor": 1 / 16}, r"below 1 / max_length = 0.0625, .*; probability_floor = 0.0312 would do"),
        ({"probability_floor": float("nan")}, "probability_floor = nan: must be a number"),
        ({"probability_floor": "0.1"}, "probability_floor = '0.1': must be a number"),
        ({"probability_floor": True}, "probability_floor = True: must be a number"),
        ({"probability_floor": 0.0624, "guard_bits": 4}, r"this one becomes 128·2\^−11; probability_floor = 0.0312 would do"),
        ({"probability_floor": 0.01, "mask": True}, "probability_floor with mask = true: .*; mask = false would do"),
        ({"probability_floor": 0.01, "mode": "log_softmax"}, "floor with mode = 'log_softmax': .*; mode = 'softmax' would do"),
        ({"probability_floor": 0.01, "normaliser": "none"}, "floor with normaliser = 'none': .*; normaliser = 'divider' would"),
    ],
)  # fmt: skip
def test_refusals(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(Config.from_mapping({"max_length": 16, **keys}))


@pytest.mark.parametrize("mean", ["probabilities", "logits"])
def test_an_ensemble_has_the_floor_of_its_first_members_length(mean: str) -> None:
    config = Config(max_length=9, probability_floor=0.03, ensemble=3, ensemble_mean=mean, normaliser="logarithm")
    rng = np.random.default_rng(76)
    vectors = [rng.integers(-128, 128, n) for n in rng.integers(1, 11, 45)]
    scores, lengths = pad_vectors(vectors, 0)
    codes, first_lengths = golden(config, scores, lengths).probabilities, np.minimum(lengths, 9)[::3]
    exact = softmax_float64(config, scores, lengths) * 2.0**config.probability_width
    assert np.abs(codes - exact).max() <= float(bound(config).worst)
    due = [int(code) for row, length in zip(codes, first_lengths, strict=True) for code in row[:length]]
    assert min(due) >= round(0.03 * 256)
    run = run_component(Head(config), beats_of(vectors), len(due), sink="random", source="random", drain=("o_best",))
    assert [beat["probability"] for beat in run.beats] == due
