"""Unnormalised exponentials against their golden model and float64: bit for bit, latency, sums, winners."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
from configurations import beats_of, vectors
from stream_bench import PAUSES, run_component

from softstream.hw.config import Config
from softstream.hw.errors import UserError
from softstream.hw.exponential_codes import ExponentialCodes, exponential_bound, exponential_codes
from softstream.hw.exponentials import Exponentials, element_cycles, vector_cycles, vector_interval
from softstream.sim.golden import golden
from softstream.sim.golden.exponentials import emit, exponentials
from softstream.sim.golden.frame import frame
from softstream.sim.golden.maximum import maximum

CONFIGS: dict[str, tuple[Config, int | None]] = {
    "plain": (Config(max_length=16), None),
    "constant": (Config(max_length=16, score_scale=0.1467), 10),
    "small": (Config(max_length=16, profile="small", probability_format="UQ1"), -128),
    "fastest-4": (Config(max_length=13, profile="fastest", lanes=4, score_scale=0.02), None),
    "split-2": (Config(max_length=16, lanes=2, score_width=12, score_scale=2.0**-9, probability_width=6), None),
    "split-constant": (
        Config(max_length=5, score_width=12, score_scale=0.012, probability_width=16, guard_bits=3, score_signed=False),
        300,
    ),
    "split-fastest": (
        Config(max_length=9, score_width=16, score_scale=2.0**-12, probability_width=16, profile="fastest"),
        None,
    ),
    "one": (Config(max_length=1, score_width=2, probability_width=2), None),
}


def model(codes: ExponentialCodes, found: list[np.ndarray]) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Beats of both outputs."""
    config, lanes = codes.config, codes.config.lanes
    lengths = np.array([len(vector) for vector in found])
    scores = np.full((len(found), lengths.max()), config.score_format.minimum)
    for row, vector in zip(scores, found, strict=True):
        row[: len(vector)] = vector
    positions, lengths, overlong = frame(config, scores, lengths)
    valid = np.arange(positions.shape[1]) < lengths[:, None]
    emitted, sums = exponentials(codes, positions, valid)
    index, best = maximum(positions, valid)
    whole = golden(config.replace(normaliser="divider"), scores, np.array([len(vector) for vector in found]))
    assert np.array_equal(whole.argmax, index)  # softmax's winner
    elements = []
    for row, length, flag in zip(emitted.tolist(), lengths, overlong, strict=True):
        for start in range(0, length, lanes):
            last = int(start + lanes >= length)
            beat = {"probability": row[start], "last": last, "overlong": int(flag) & last}
            for lane in range(1, lanes):
                beat[f"probability_{lane}"] = row[start + lane] if start + lane < length else 0
                beat[f"keep_{lane}"] = int(start + lane < length)
            elements.append(beat)
    rows = zip(index, best + config.score_format.minimum, overlong, sums, strict=True)
    return elements, [{"index": int(i), "score": int(b), "overlong": int(o), "sum": int(s)} for i, b, o, s in rows]


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every third"), ("never", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config, reference = CONFIGS[name]
    codes = exponential_codes(config, reference)
    found = vectors(config, seed=96)
    elements, sums = model(codes, found)
    beats = beats_of(found, config.lanes)
    trace = run_component(Exponentials(codes), beats, len(elements), source=source, sink=sink, drain=("o_best",))
    assert trace.beats == elements
    assert [beat for _, beat in trace.drained["o_best"]] == sums


@pytest.mark.parametrize("name", ["plain", "small", "fastest-4", "split-2"])
def test_a_slow_taker_of_sums_loses_nothing(name: str) -> None:
    config, reference = CONFIGS[name]
    codes = exponential_codes(config, reference)
    found = vectors(config, seed=97)
    elements, sums = model(codes, found)
    beats = beats_of(found, config.lanes)
    trace = run_component(Exponentials(codes), beats, len(sums), sink="random", o="o_best", drain=("o",), idle=80)
    assert trace.beats == sums
    assert [beat for _, beat in trace.drained["o"]] == elements


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_latency_from_every_element_to_its_code(name: str, source: str) -> None:
    config, reference = CONFIGS[name]
    codes = exponential_codes(config, reference)
    found = [np.full(n, config.score_format.maximum) for n in (1, config.max_length, 1, config.max_length, 1)]
    beats = beats_of(found, config.lanes)
    trace: Any = run_component(Exponentials(codes), beats, len(beats), source=source, drain=("o_best",))
    cycles, ends = element_cycles(codes), [k for k, beat in enumerate(beats) if beat["last"]]
    # An element that waits in the frame for the vector before it is later by as much; no other is.
    late = [o - i - cycles for i, o in zip(trace.inputs, trace.outputs, strict=True)]
    assert all(wait == 0 for k, wait in enumerate(late) if k not in ends)
    assert all(wait >= 0 for wait in late)
    assert late[0] == 0
    lasts = [trace.outputs[k] - cycles for k in ends]
    assert [at for at, _ in trace.drained["o_best"]] == [at + vector_cycles(codes) for at in lasts]


@pytest.mark.parametrize("name", CONFIGS)
def test_interval(name: str) -> None:
    config, reference = CONFIGS[name]
    codes = exponential_codes(config, reference)
    for length in {1, config.max_length, 64}:
        chosen = exponential_codes(config.replace(max_length=max(length, config.max_length)), reference)
        found = [np.full(length, config.score_format.minimum)] * 9
        beats = config.beats(length)
        trace = run_component(Exponentials(chosen), beats_of(found, config.lanes), 9 * beats, drain=("o_best",))
        assert set(np.diff([at for at, _ in trace.drained["o_best"]])) == {max(beats, vector_interval(codes))}


def test_every_short_vector() -> None:
    """Up to three elements of two bits: sums, codes and the first of equal winners."""
    codes = exponential_codes(Config(max_length=3, score_width=2, score_scale=0.9, probability_width=4))
    found = [np.array(v) - 2 for n in (1, 2, 3) for v in itertools.product(range(4), repeat=n)]
    elements, sums = model(codes, found)
    trace = run_component(Exponentials(codes), beats_of(found), len(elements), drain=("o_best",))
    assert trace.beats == elements
    assert [beat for _, beat in trace.drained["o_best"]] == sums


SWEEP = [
    (width, scale, p, k, form)
    for width, scale in (
        (2, 0.7),
        (8, 0.0625),
        (8, 1e-6),
        (8, 300.0),
        (10, 0.013),
        (12, 0.01),
        (16, 2.0**-13),
        (16, 0.3),
    )
    for p, k, form in ((2, 3, "UQ1"), (8, 4, "UQ0"), (16, 4, "UQ1"), (20, 2, "UQ0"))
]


@pytest.mark.parametrize(("width", "scale", "p", "k", "form"), SWEEP)
def test_every_score_is_within_the_bound_of_float64(width: int, scale: float, p: int, k: int, form: str) -> None:
    config = Config(
        max_length=4, score_width=width, score_scale=scale, probability_width=p, guard_bits=k, probability_format=form,  # type: ignore[arg-type]
    )  # fmt: skip
    for reference in (None, 0, config.score_format.minimum):
        codes = exponential_codes(config, reference)
        limits = exponential_bound(codes)
        position = np.arange(1 << width)
        exact = np.exp(scale * np.minimum(position - codes.reference, 0)) * 2.0**p
        found = emit(codes, position)
        saturated = found == codes.maximum
        errors = np.abs(found - exact)
        assert errors[~saturated].max(initial=0) <= float(limits.total) + 1e-6
        assert errors.max() <= float(limits.worst) + 1e-6
        assert found[codes.reference] == codes.maximum
        assert (found[codes.reference :] == codes.maximum).all()
        if width <= 10:
            assert limits.total == limits.rounding
            assert (np.diff(found) >= 0).all()


def test_the_winner_has_the_largest_exponential() -> None:
    """Of narrow scores: the table rises. The winner is the first largest score even where codes are equal."""
    config = Config(max_length=40, score_scale=0.3)
    codes = exponential_codes(config)
    rng = np.random.default_rng(98)
    positions = rng.integers(0, 256, (500, 40))
    index, _ = maximum(positions, np.ones_like(positions, dtype=bool))
    emitted, sums = exponentials(codes, positions, np.ones_like(positions, dtype=bool))
    assert (emitted[np.arange(500), index] == emitted.max(axis=1)).all()
    assert (np.argmax(emitted, axis=1) != index).any()
    assert np.array_equal(sums, emitted.sum(axis=1))


def test_the_sum_of_the_largest_codes_fits() -> None:
    for form, length in (("UQ0", 1), ("UQ1", 16), ("UQ0", 1000)):
        codes = exponential_codes(Config(max_length=length, probability_format=form))  # type: ignore[arg-type]
        most = length * codes.maximum
        assert most <= codes.sum_format.maximum
        assert most > codes.sum_format.maximum // 2


def test_a_constant_outside_of_the_scores_is_refused() -> None:
    message = "exponential_reference = 128: must be a score code, -128 to 127; for example 127"
    with pytest.raises(UserError, match=re.escape(message)):
        exponential_codes(Config(), 128)


def test_too_few_guard_bits_of_a_wide_score_are_refused() -> None:
    config = Config(score_width=16, score_scale=2.0**-12, guard_bits=1)
    with pytest.raises(UserError, match="guard_bits = 4 would do"):
        exponential_bound(exponential_codes(config))
    assert exponential_bound(exponential_codes(config.replace(guard_bits=4))).total < 1
