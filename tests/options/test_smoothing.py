"""Smoothing: both meanings at the edges, the bound through the passes, and a window that holds up nothing."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.head_bench import check_head
from support.long_cases import partly_long
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.formats import signed_digits
from softstream.hw.head import Head
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.smoothing import places, smoothing_error, smoothing_tables
from softstream.hw.options.smoothing import Window
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.golden.options.smoothing import smoothing
from softstream.sim.golden.stages.frame import Block
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp, softmax_float64

CONFIGS = {
    "gather": Config(max_length=16, smoothing=(1, 2, 1)),
    "scatter": Config(max_length=16, smoothing=(1, 2, 1), smoothing_edges="scatter", probability_format="UQ1"),
    "gather-uneven": Config(max_length=16, smoothing=(1, 0, 3, 5, 2), smoothing_passes=2, normaliser="reciprocal"),
    "scatter-uneven": Config(
        max_length=16, smoothing=(1, 0, 3, 5, 2), smoothing_passes=3, smoothing_edges="scatter", guard_bits=6
    ),
    "longest": Config(max_length=40, smoothing=(1, 3, 7, 2, 0, 0, 9, 1, 2, 250, 4, 5, 6, 7, 8), normaliser="logarithm"),
    "fastest": Config(
        max_length=9, smoothing=(1,) * 7, smoothing_edges="scatter", profile="fastest", probability_width=16,
        normaliser="reciprocal",
    ),
    "small": Config(max_length=16, smoothing=(3, 7, 1), profile="small"),
    "two-pass": Config(
        max_length=7, smoothing=(1, 2, 4, 2, 1), smoothing_edges="scatter", profile="small", accumulator="two_pass"
    ),
    "shorter-than-the-kernel": Config(max_length=2, smoothing=(1, 1, 4, 2, 9), guard_bits=5),
}  # fmt: skip


def convolved(config: Config, probabilities: np.ndarray) -> np.ndarray:
    """One vector's probabilities smoothed by NumPy: mode same, with the weights that the edges lack in float64."""
    out, kernel, length = probabilities, np.array(config.smoothing, dtype=float), len(probabilities)

    def same(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        # Of the longer of both; zeros around the vector change nothing but the length.
        around = np.zeros(len(weights))
        result = np.convolve(np.concatenate([around, values, around]), weights, mode="same")
        return result[len(weights) : len(weights) + length]

    for _ in range(config.smoothing_passes):
        if config.smoothing_edges == "gather":
            out = same(out, kernel[::-1]) / same(np.ones(length), kernel[::-1])
        else:
            out = same(out / same(np.ones(length), kernel), kernel[::-1])
    return out


def attacks(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Scores and lengths: every length that the kernel sees, peaks at every place, ties, ramps, near scores and far ones."""
    rng = np.random.default_rng(61)
    low, high, longest = config.score_format.minimum, config.score_format.maximum, config.max_length
    rows: list[np.ndarray] = []
    for length in range(1, longest + 1):
        peaks = np.where(np.eye(length, dtype=bool), high, rng.integers(low, high, (length, 1)))
        rows += [*peaks, *np.where(np.eye(length, dtype=bool), high, high - 20), np.full(length, high)]
        rows += list(rng.integers(high - 40, high, (6, length), endpoint=True))
        rows += list(rng.integers(low, high, (3, length), endpoint=True))
    scores, lengths = np.zeros((len(rows), longest), dtype=np.int64), np.array([len(row) for row in rows])
    for row, pattern in zip(scores, rows, strict=True):
        row[: len(pattern)] = pattern
    return scores, lengths


@pytest.mark.parametrize("name", CONFIGS)
def test_within_the_bound_of_float64(name: str) -> None:
    # 1.0 in UQ0 would hide behind its saturation.
    config = CONFIGS[name].replace(probability_format="UQ1")
    scores, lengths = attacks(config)
    codes = golden(config, scores, lengths).probabilities
    exact = softmax_float64(config.replace(smoothing=[]), scores, lengths)
    for row, length in zip(exact, lengths, strict=True):
        row[:length] = convolved(config, row[:length])
    errors = np.abs(codes - exact * 2.0**config.probability_width)
    slack = float64_slack_ulp(config)
    assert 0.4 < errors.max() <= float(bound(config).total) + slack
    np.testing.assert_allclose(error_ulp(config, codes, scores, lengths), errors, atol=slack)
    if config.smoothing_edges == "scatter":
        np.testing.assert_allclose(exact.sum(axis=1), 1, atol=1e-12)
    else:
        assert np.abs(exact.sum(axis=1) - 1).max() > 0.01


@pytest.mark.parametrize(("edges", "passes"), [*product(("gather", "scatter"), (1, 2, 4))])
def test_each_pass_stays_within_its_share(edges: str, passes: int) -> None:
    """The guarded codes are exact before the passes, so every error behind them is the passes' own."""
    config = Config(max_length=12, smoothing=[3, 1, 5, 0, 2], smoothing_edges=edges, smoothing_passes=passes)
    inner = composition(config).inner
    rng, one = np.random.default_rng(62), 1 << inner.probability_width
    lengths = rng.integers(1, 12, 3000, endpoint=True)
    valid = np.arange(12) < lengths[:, None]
    codes = np.where(valid, rng.integers(0, one, valid.shape, endpoint=True) // rng.choice([1, 8], (3000, 1)), 0)
    if edges == "scatter":  # a distribution: what is handed on never adds up to more than 1.0
        codes = codes // np.maximum(1, -(-codes.sum(axis=1, keepdims=True) // one))
    block = Block(np.zeros_like(codes), lengths, {}, 0)
    result = smoothing(config, inner, block, {"probabilities": codes})["probabilities"]
    errors = [
        np.abs(row[:n] - convolved(config, before[:n].astype(float))).max()
        for row, before, n in zip(result, codes, lengths, strict=True)
    ]
    limit = float(smoothing_error(config, inner, Fraction(0)) * one)
    assert limit * (0.6 if passes == 1 else 0.4) < max(errors) <= limit + 1e-9
    assert result.max() < 2 * one
    assert not result[~valid].any()


@pytest.mark.parametrize("weights", [(1, 2, 1), (9, 0, 1, 3, 0), (2, 1, 1, 1, 1, 1, 7)])
def test_the_gain_of_scatter_is_the_largest_sum_of_shares(weights: tuple[int, ...]) -> None:
    config = Config(max_length=60, smoothing=weights, smoothing_edges="scatter")
    tables, kernel = smoothing_tables(config, composition(config).inner), np.array(weights)
    gains = []
    for n in range(1, 61):
        sums = np.convolve(np.ones(n), kernel)[len(weights) // 2 :][:n]
        gains.append(np.convolve(1 / sums, kernel[::-1])[len(weights) // 2 :][:n].max())
    assert float(tables.gain) == pytest.approx(max(gains))
    assert tables.gain > 1
    for n in range(1, 30):
        for i in range(n):
            which = tables.choice[places(tables.radius, n, i)]
            assert tables.sums[which] == np.convolve(np.ones(n), kernel)[len(weights) // 2 + i]


def test_zeros_between_peaks_are_filled() -> None:
    scores = np.array([[127, -128, -128, -128, -128, 127, -128]])
    for passes, zeros in ((1, 2), (2, 0)):
        config = Config(max_length=7, score_scale=0.5, smoothing=[1, 2, 1], smoothing_passes=passes)
        assert (golden(config, scores).probabilities == 0).sum() == zeros
    assert (golden(Config(max_length=7, score_scale=0.5), scores).probabilities == 0).sum() == 5


@pytest.mark.parametrize(
    ("source", "sink"), partly_long([("never", "never"), ("random", "random")], [("never", "never")])
)
@pytest.mark.parametrize("name", CONFIGS)
def test_the_hardware_equals_the_model(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    # The longest kernel meets vectors on both sides of its own length.
    check_head(config, score_vectors(config, seed=63)[:: 2 if config.max_length > 16 else 1], source=source, sink=sink)


@pytest.mark.parametrize("name", ["gather", "scatter-uneven", "small", "two-pass"])
def test_latency_and_interval_are_the_plans(name: str) -> None:
    """A vector's last elements leave as soon as nothing comes, and no earlier or later when the next vector does."""
    config = CONFIGS[name]
    promised, waits, beats, due, groups = plan(config), {}, [], 0, []
    for length, count in product((1, 2, 7), (1, 12)):
        waits[len(beats)] = due
        groups.append((length, count, len(beats), due))
        beats += beats_of([np.arange(length)] * count)
        due += length * count
    run = run_component(Head(config), beats, due, drain=("o_best",), waits=waits, idle=40)
    for length, count, first_in, first_out in groups:
        outputs = run.outputs[first_out:][: count * length]
        assert outputs[0] - run.inputs[first_in] == promised.first_output_cycle(length)
        if count == 1:
            assert outputs[-1] - run.inputs[first_in] == promised.last_output_cycle(length)
        else:
            assert set(np.diff(outputs[::length])[-5:]) == {promised.interval_cycles(length)}


def test_no_bubble_between_vectors() -> None:
    config = CONFIGS["gather-uneven"].replace(max_length=24)
    assert plan(config).interval_cycles(24) == 24
    run = run_component(Head(config), beats_of([np.arange(24)] * 12), 288, drain=("o_best",))
    assert run.outputs == list(range(run.outputs[0], run.outputs[0] + 288))


@pytest.mark.parametrize("source", ["never", "every3", "random"])
def test_a_window_sees_its_own_vector_alone(source: str) -> None:
    rng = np.random.default_rng(64)
    vectors = [rng.integers(1, 256, n) for n in (1, 1, 2, 3, 9, 1, 4, 7, 2, *rng.integers(1, 9, 30))]
    beats, due = [], []
    for number, vector in enumerate(vectors):
        around = np.pad(vector, 2)
        for i, value in enumerate(vector):
            beats.append({"value": int(value), "last": int(i == len(vector) - 1), "tag": number})
            left, right = places(2, len(vector), i)
            seen = [around[i + 2 - k] if -right <= k <= left else None for k in range(-2, 3)]
            due.append(((1 << left) - 1, (1 << right) - 1, number, seen))
    run = run_component(Window(8, 2, 8), beats, len(beats), source=source)
    for beat, (left, right, number, seen) in zip(run.beats, due, strict=True):
        assert (beat["left"], beat["right"], beat["tag"]) == (left, right, number)
        assert all(due is None or got == due for got, due in zip(beat["values"].values(), seen, strict=True))


def test_weights_are_few_powers_of_two() -> None:
    for weight in range(256):
        digits = signed_digits(weight)
        assert sum((-1) ** negative << exponent for exponent, negative in digits) == weight
        assert len(digits) <= weight.bit_count()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"smoothing": [1, 1]}, r"smoothing = \[1, 1\]: must be an odd number of integers .*; for example \[1, 2, 1\]"),
        ({"smoothing": [1] * 17}, "at most 15"),
        (
            {"smoothing": [1, -1, 1]},
            r"smoothing = \[1, -1, 1\]: must be a list of an odd number of integers from 0 to 255",
        ),
        ({"smoothing": [1, 256, 1]}, "from 0 to 255"),
        ({"smoothing": [1, 2.0, 1]}, r"smoothing = \[1, 2.0, 1\]: must be a list of an odd number"),
        ({"smoothing": "121"}, "smoothing = '121': must be a list"),
        ({"smoothing": [1, True, 1]}, "must be a list of an odd number of integers"),
        ({"smoothing": [1, 0, 1]}, r"a vector of one element has nothing else; \[1, 1, 1\] would do"),
        ({"smoothing_passes": 5}, "smoothing_passes = 5: must be an integer from 1 to 4; for example 1"),
        ({"smoothing_edges": "both"}, "smoothing_edges = 'both': must be one of gather, scatter"),
        ({"smoothing": [1, 2, 1], "lanes": 4}, "smoothing with lanes = 4: .*; lanes = 1 would do"),
        ({"smoothing": [1, 2, 1], "mask": True}, "smoothing with mask = true: .*; mask = false would do"),
        ({"smoothing": [1, 2, 1], "mode": "hardmax"}, "smoothing with mode = 'hardmax': .*; mode = 'softmax' would do"),
        (
            {"smoothing": [1, 2, 1], "smoothing_passes": 4, "normaliser": "logarithm"},
            "guard_bits = 4 .*: the error bound would be 1.* ulp, .*; guard_bits = 5 would do",
        ),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(Config.from_mapping(keys))


def test_off_is_off() -> None:
    assert plan(Config(smoothing=[7])).stages == plan(Config()).stages == plan(Config(smoothing=[])).stages
    assert Config(smoothing=[1, 2, 1]) == Config(smoothing=(1, 2, 1))
    assert Config(smoothing=[1, 2, 1]).to_mapping()["smoothing"] == [1, 2, 1]
