"""Unnormalised exponentials against their golden model and float64: bit for bit, latency, sums, winners."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.head_bench import check_head
from support.stream_bench import PAUSES, run_component

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.modes.unnormalised import Unnormalised
from softstream.hw.numbers.unnormalised import exponential_bound, exponential_codes, sum_format
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.unnormalised import exponential_schedule
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.golden.modes.unnormalised import emit

CONFIGS = {
    "plain": Config(mode="exponential", max_length=16),
    "constant": Config(mode="exponential", max_length=16, score_scale=0.1467, reference_offset=117),
    "small": Config(
        mode="exponential", max_length=16, profile="small", probability_format="UQ1", reference_offset=255
    ),
    "fastest-4": Config(mode="exponential", max_length=13, profile="fastest", lanes=4, score_scale=0.02),
    "split-2": Config(
        mode="exponential", max_length=16, lanes=2, score_width=12, score_scale=2.0**-9, probability_width=6
    ),
    "split-constant": Config(
        mode="exponential", max_length=5, score_width=12, score_scale=0.012, probability_width=16, guard_bits=3,
        score_signed=False, reference_offset=3795,
    ),
    "split-fastest": Config(
        mode="exponential", max_length=9, score_width=16, score_scale=2.0**-12, probability_width=16, profile="fastest"
    ),
    "one": Config(mode="exponential", max_length=1, score_width=2, probability_width=2),
}  # fmt: skip


def model(config: Config, vectors: list[np.ndarray]) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Beats of both outputs."""
    lanes = config.lanes
    scores, lengths = pad_vectors(vectors, config.score_format.minimum)
    result = golden(config, scores, lengths)
    softmax = golden(config.replace(mode="softmax"), scores, lengths)
    assert all(np.array_equal(result[name], softmax[name]) for name in ("argmax", "best", "overlong"))
    elements = []
    rows = zip(result["exponentials"].tolist(), np.minimum(lengths, config.max_length), result["overlong"], strict=True)
    for row, length, flag in rows:
        for start in range(0, length, lanes):
            last = int(start + lanes >= length)
            beat = {"exponential": row[start], "last": last, "overlong": int(flag) & last}
            for lane in range(1, lanes):
                beat[f"exponential_{lane}"] = row[start + lane] if start + lane < length else 0
                beat[f"keep_{lane}"] = int(start + lane < length)
            elements.append(beat)
    names = {"index": "argmax", "score": "best", "sum": "sums", "overlong": "overlong"}
    sums = [{field: int(result[name][k]) for field, name in names.items()} for k in range(len(vectors))]
    return elements, sums


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3"), ("never", "random")])
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=96)
    elements, sums = model(config, vectors)
    beats = beats_of(vectors, config.lanes)
    trace = run_component(Unnormalised(config), beats, len(elements), source=source, sink=sink, drain=("o_best",))
    assert trace.beats == elements
    assert [beat for _, beat in trace.drained["o_best"]] == sums


@pytest.mark.parametrize("name", ["plain", "small", "fastest-4", "split-2"])
def test_a_slow_taker_of_sums_loses_nothing(name: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=97)
    elements, sums = model(config, vectors)
    beats = beats_of(vectors, config.lanes)
    trace = run_component(Unnormalised(config), beats, len(sums), sink="random", o="o_best", drain=("o",), idle=80)
    assert trace.beats == sums
    assert [beat for _, beat in trace.drained["o"]] == elements


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_latency_from_every_element_to_its_code(name: str, source: str) -> None:
    config = CONFIGS[name]
    vectors = [np.full(n, config.score_format.maximum) for n in (1, config.max_length, 1, config.max_length, 1)]
    beats = beats_of(vectors, config.lanes)
    trace: Any = run_component(Unnormalised(config), beats, len(beats), source=source, drain=("o_best",))
    times = exponential_schedule(config)
    cycles, ends = times.element, [k for k, beat in enumerate(beats) if beat["last"]]
    # An element that waits in the frame for the vector before it is later by as much; no other is.
    late = [o - i - cycles for i, o in zip(trace.inputs, trace.outputs, strict=True)]
    assert all(wait == 0 for k, wait in enumerate(late) if k not in ends)
    assert all(wait >= 0 for wait in late)
    assert late[0] == 0
    lasts = [trace.outputs[k] - cycles for k in ends]
    assert [at for at, _ in trace.drained["o_best"]] == [at + times.vector for at in lasts]


@pytest.mark.parametrize("name", CONFIGS)
def test_interval(name: str) -> None:
    config = CONFIGS[name]
    for length in {1, config.max_length, 64}:
        chosen = config.replace(max_length=max(length, config.max_length))
        vectors = [np.full(length, config.score_format.minimum)] * 9
        beats = config.beats(length)
        trace = run_component(Unnormalised(chosen), beats_of(vectors, config.lanes), 9 * beats, drain=("o_best",))
        assert set(np.diff([at for at, _ in trace.drained["o_best"]])) == {plan(chosen).interval_cycles(length)}


def test_every_short_vector() -> None:
    """Up to three elements of two bits: sums, codes and the first of equal winners."""
    config = Config(mode="exponential", max_length=3, score_width=2, score_scale=0.9, probability_width=4)
    vectors = [np.array(v) - 2 for n in (1, 2, 3) for v in itertools.product(range(4), repeat=n)]
    elements, sums = model(config, vectors)
    trace = run_component(Unnormalised(config), beats_of(vectors), len(elements), drain=("o_best",))
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
    for offset in (0, 1 << (width - 1), (1 << width) - 1):
        codes = exponential_codes(config.replace(reference_offset=offset))
        limits = exponential_bound(codes)
        position = np.arange(1 << width)
        exact = np.exp(scale * np.minimum(position - codes.reference, 0)) * 2.0**p
        outputs = emit(codes, position)
        saturated = outputs == codes.maximum
        errors = np.abs(outputs - exact)
        assert errors[~saturated].max(initial=0) <= float(limits.total) + 1e-6
        assert errors.max() <= float(limits.worst) + 1e-6
        assert outputs[codes.reference] == codes.maximum
        assert (outputs[codes.reference :] == codes.maximum).all()
        if width <= 10:
            assert limits.total == limits.rounding
            assert (np.diff(outputs) >= 0).all()


def test_the_winner_has_the_largest_exponential() -> None:
    """Of narrow scores: the table rises. The winner is the first largest score even where codes are equal."""
    config = Config(mode="exponential", max_length=40, score_scale=0.3)
    scores = np.random.default_rng(98).integers(-128, 128, (500, 40))
    result = golden(config, scores)
    codes = result["exponentials"]
    assert np.array_equal(result.argmax, np.argmax(scores, axis=1))
    assert (codes[np.arange(500), result.argmax] == codes.max(axis=1)).all()
    assert (np.argmax(codes, axis=1) != result.argmax).any()
    assert np.array_equal(result["sums"], codes.sum(axis=1))


def test_the_sum_of_the_largest_codes_fits() -> None:
    for form, length in (("UQ0", 1), ("UQ1", 16), ("UQ0", 1000)):
        config = Config(max_length=length, probability_format=form)  # type: ignore[arg-type]
        most = length * config.probability_maximum
        assert most <= sum_format(config).maximum
        assert most > sum_format(config).maximum // 2


def test_a_constant_outside_of_the_scores_is_refused() -> None:
    message = "reference_offset = 256: must be from 0 to 255, a step for each score code of 8 bits; reference_offset = 0 would do"
    with pytest.raises(UserError, match=re.escape(message)):
        Config(mode="exponential", reference_offset=256)
    with pytest.raises(UserError, match=re.escape(message)):
        Config(mode="exponential", reference_offset=256, ensemble=3, score_signed=False)
    assert exponential_codes(Config(mode="exponential", reference_offset=255)).reference == 0


def test_too_few_guard_bits_of_a_wide_score_are_refused() -> None:
    config = Config(score_width=16, score_scale=2.0**-12, guard_bits=1)
    with pytest.raises(UserError, match="guard_bits = 4 would do"):
        exponential_bound(exponential_codes(config))
    assert exponential_bound(exponential_codes(config.replace(guard_bits=4))).total < 1


MEANS = {
    f"{members}-{width}-{scale}-{offset}": Config(
        mode="exponential", ensemble=members, score_width=width, score_scale=scale, reference_offset=offset, max_length=4,
        probability_format="UQ1" if members % 2 else "UQ0", score_signed=members != 4,
    )
    for members in (2, 3, 4, 5, 16)
    for width, scale in ((8, 0.0625), (8, 0.25), (6, 0.5), (12, 2.0**-8))
    for offset in (0, 11)
}  # fmt: skip


@pytest.mark.parametrize("name", MEANS)
def test_a_mean_of_logits_is_relative_to_a_code_that_all_members_reach(name: str) -> None:
    """min(1, e^(mean − c)) of the members' own scores in long double, within the bound; 1.0 where all members are at c."""
    config = MEANS[name]
    low, high, m = config.score_format.minimum, config.score_format.maximum, config.ensemble
    rng = np.random.default_rng(11)
    scores = np.concatenate([
        rng.integers(low, high, (m * 200, 4), endpoint=True),
        high - np.minimum(rng.geometric(0.2, (m * 200, 4)) - 1, high - low),
        np.full((m, 4), high),
        np.full((m, 4), high - config.reference_offset),
    ])  # fmt: skip
    codes = golden(config, scores)["exponentials"]
    assert (codes[-2:] == config.probability_maximum).all()
    mean = scores.reshape(-1, m, 4).astype(np.longdouble).mean(axis=1)
    exact = np.exp(config.score_scale * np.minimum(mean - (high - config.reference_offset), 0)) * 2**8
    limit = plan(config).bound_ulp + 1e-9
    assert (np.abs(codes - exact) <= np.where(codes == config.probability_maximum, max(1, limit), limit)).all()


@pytest.mark.parametrize("name", ["3-8-0.0625-0", "5-12-0.00390625-0", "4-12-0.00390625-11"])
def test_the_head_of_a_mean_of_logits_equals_the_model(name: str) -> None:
    config = MEANS[name]
    vectors = score_vectors(config, seed=12)
    check_head(config, vectors[: len(vectors) - len(vectors) % config.ensemble])
