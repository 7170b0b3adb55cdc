"""The mean of the probabilities: exact sums of guarded codes, one rounding, the winner of the sums; its bound is attacked."""

from fractions import Fraction

import numpy as np
import pytest
from support.beats import beats_of
from support.ensembles import members
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.numbers.bound import bound, unchecked_bound
from softstream.hw.numbers.composition import composition
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.plan.derive import plan
from softstream.hw.plan.options.mean_probabilities import best_mean_latency, mean_latency
from softstream.hw.streams.flow import RigidPipe
from softstream.sim.golden import golden
from softstream.sim.golden.options.mean_probabilities import mean_probabilities
from softstream.sim.golden.stages.frame import Block
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp, softmax_float64

CONFIGS = {
    name: Config(ensemble_mean="probabilities", **keys)  # type: ignore[arg-type]
    for name, keys in {
        "two": {"ensemble": 2, "max_length": 9},
        "three-small": {"ensemble": 3, "max_length": 6, "profile": "small", "normaliser": "reciprocal"},
        "three-fastest": {"ensemble": 3, "max_length": 5, "profile": "fastest", "normaliser": "logarithm"},
        "six-4": {"ensemble": 6, "max_length": 10, "lanes": 4, "probability_format": "UQ1"},
        "four-2-one": {"ensemble": 4, "max_length": 1, "probability_width": 3},
    }.items()
}


def inner_of(config: Config) -> Config:
    parts = composition(config)
    assert parts is not None
    return parts.inner


@pytest.mark.parametrize("sink", ["never", "random"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_stage_equals_its_model(name: str, sink: str) -> None:
    """Codes up to 1.0 of members of every length, ties among the sums, anything in lanes that hold nothing."""
    config = CONFIGS[name]
    inner, lanes = inner_of(config), config.lanes
    rng = np.random.default_rng(len(name))
    lengths = np.repeat(rng.integers(1, config.max_length + 1, 30), config.ensemble)
    lengths[::3] = rng.integers(1, config.max_length + 1, len(lengths[::3]))
    codes = rng.integers(0, inner.probability_maximum + 1, (len(lengths), config.max_length))
    codes[: len(codes) // 3] >>= inner.probability_width - 2
    block = Block(codes, lengths, {}, 0)
    means = mean_probabilities(config, inner, block, {"probabilities": codes})
    beats = []
    for row, length in zip(codes, lengths, strict=True):
        for at in range(0, length, lanes):
            beat = {"probability": int(row[at]), "last": int(at + lanes >= length), "overlong": 0, "uneven": 0}
            for lane in range(1, lanes):
                valid = at + lane < length
                beat[f"keep_{lane}"] = int(valid)
                beat[f"probability_{lane}"] = int(row[at + lane]) if valid else int(rng.integers(0, 1 << 11))
            beats.append(beat)
    firsts = lengths[:: config.ensemble]
    dut = RigidPipe({"mean": MeanProbabilities(config, inner)})
    run = run_component(dut, beats, int((-(-firsts // lanes)).sum()), sink=sink, drain=("o_best",))
    rows = iter(run.beats)
    for codes_due, length, group in zip(
        means["probabilities"], firsts, lengths.reshape(-1, config.ensemble), strict=True
    ):
        got = []
        for at in range(0, length, lanes):
            beat = next(rows)
            got += [beat["probability"], *(beat[f"probability_{k}"] for k in range(1, lanes) if beat[f"keep_{k}"])]
            last = at + lanes >= length
            assert (beat["last"], beat["uneven"]) == (last, last and len(set(group)) > 1)
        assert got == codes_due[:length].tolist()
    winners = [(beat["index"], beat["sum"]) for _, beat in run.drained["o_best"]]
    assert winners == list(zip(means["argmax"].tolist(), means["best_sum"].tolist(), strict=True))
    if sink == "never" and lanes == 1:
        # The first ensemble's last member, behind the skid.
        start = int(lengths[: config.ensemble - 1].sum())
        if lengths[config.ensemble - 1] >= lengths[0]:
            assert run.outputs[0] - run.inputs[start] == mean_latency(config, inner) + 1
            ends = run.inputs[start + int(lengths[0]) - 1]
            assert run.drained["o_best"][0][0] - ends == best_mean_latency(config) + 1


@pytest.mark.parametrize("name", ["two", "three-fastest", "six-4"])
def test_the_head_equals_its_model(name: str) -> None:
    config = CONFIGS[name]
    vectors, scores, lengths = members(config, 71)
    result = golden(config, scores, lengths)
    drain, winners = ("o",), len(result["argmax"])
    run = run_component(Head(config), beats_of(vectors, config.lanes), winners, o="o_best", sink="random", drain=drain)
    names = {"index": "argmax", "sum": "best_sum", "overlong": "overlong", "uneven": "uneven"}
    assert run.beats == [{field: int(result[array][row]) for field, array in names.items()} for row in range(winners)]
    beats = iter(beat for _, beat in run.drained["o"])
    for row, length in enumerate(np.minimum(lengths[:: config.ensemble], config.max_length)):
        got = []
        for _ in range(0, length, config.lanes):
            beat = next(beats)
            got += [beat["probability"]]
            got += [beat[f"probability_{k}"] for k in range(1, config.lanes) if beat[f"keep_{k}"]]
        assert got == result["probabilities"][row][:length].tolist()
        assert (beat["last"], beat["overlong"], beat["uneven"]) == (1, result["overlong"][row], result["uneven"][row])


def by_definition(config: Config, scores: np.ndarray, lengths: np.ndarray) -> list[tuple[list[int], int, int]]:
    """Codes, winner and its sum of each ensemble, in fractions, from the members' own guarded codes."""
    inner = inner_of(config)
    single = golden(inner, scores, lengths)["probabilities"]
    results = []
    for at in range(0, len(scores), config.ensemble):
        length = int(lengths[at])
        sums = [0] * length
        for row in range(at, at + config.ensemble):
            for i in range(min(length, int(lengths[row]))):
                sums[i] += int(single[row, i])
        means = [Fraction(s, config.ensemble << inner.probability_width) for s in sums]
        codes = [int(mean * 2**config.probability_width + Fraction(1, 2)) for mean in means]
        best = max(range(length), key=lambda i, sums=sums: (sums[i], -i))  # type: ignore[misc]
        results.append(([min(code, config.probability_maximum) for code in codes], best, sums[best]))
    return results


@pytest.mark.parametrize("name", CONFIGS)
def test_one_rounding_of_the_exact_mean(name: str) -> None:
    config = CONFIGS[name]
    rng = np.random.default_rng(72)
    count, longest = 40 * config.ensemble, config.max_length
    scores, lengths = rng.integers(-20, 21, (count, longest)), rng.integers(1, longest + 1, count)
    result = golden(config, scores, lengths)
    for row, (codes, best, total) in enumerate(by_definition(config, scores, lengths)):
        assert result["probabilities"][row].tolist() == codes + [0] * (longest - len(codes))
        assert (result["argmax"][row], result["best_sum"][row]) == (best, total)


@pytest.mark.parametrize("members_of", [2, 3, 8])
def test_the_bound_is_that_of_one_member_and_half_an_ulp(members_of: int) -> None:
    config = Config(ensemble=members_of, ensemble_mean="probabilities")
    inner = inner_of(config)
    scale = 1 << (inner.probability_width - config.probability_width)
    assert bound(config).total == Fraction(1, 2) + unchecked_bound(inner).total / scale


@pytest.mark.parametrize("normaliser", ["divider", "reciprocal", "logarithm"])
def test_the_bound_under_attack(normaliser: str) -> None:
    """Every pair of differences of two members of two scores; then members that are off in the same direction."""
    config = Config(
        ensemble=2, ensemble_mean="probabilities", max_length=64, score_scale=0.0625, normaliser=normaliser,
        probability_format="UQ1", guard_bits=4,
    )  # fmt: skip
    limit = plan(config).bound_ulp
    assert limit is not None
    differences = np.arange(0, 256, 3)
    pairs = np.stack(np.meshgrid(differences, np.arange(256)), axis=-1).reshape(-1)
    scores = np.stack([np.full(len(pairs), 127), 127 - pairs], axis=1)
    worst = error_ulp(config, golden(config, scores)["probabilities"], scores).max()
    # The members whose guarded codes are most off, one way or the other, with one another.
    single = config.replace(ensemble=1)
    rng = np.random.default_rng(73)
    many = np.clip(rng.normal(0, 40, (20000, 6)).astype(int), -128, 127)
    inner = inner_of(config)
    guarded = golden(inner, many)["probabilities"] / 2.0**inner.probability_width
    off = guarded - softmax_float64(single, many)
    for sign in (1, -1):
        order = np.argsort((sign * off).max(axis=1))[-400:]
        place = (sign * off[order]).argmax(axis=1)
        # The worst place comes first, so that the errors meet.
        rows = np.stack([np.roll(row, -at) for row, at in zip(many[order], place, strict=True)])
        both = np.stack(np.broadcast_arrays(rows[:, None], rows[None]), axis=2).reshape(-1, 6)
        worst = max(worst, error_ulp(config, golden(config, both)["probabilities"], both).max())
    assert 0.52 < worst <= limit + float64_slack_ulp(config)


def test_the_winner_is_a_largest_mean_up_to_the_bound() -> None:
    """By the exact sums: where the rounded means tie or vanish, it is right all the same."""
    config = Config(ensemble=3, ensemble_mean="probabilities", max_length=300, score_scale=0.03)
    rng = np.random.default_rng(74)
    scores = rng.integers(-40, 41, (3 * 400, 300))
    result, exact = golden(config, scores), softmax_float64(config, scores)
    chosen = exact[np.arange(400), result["argmax"]]
    inner = inner_of(config)
    assert (exact.max(axis=1) - chosen <= 2 * float(unchecked_bound(inner).total) / 2**inner.probability_width).all()
    rounded = result["probabilities"].argmax(axis=1)
    right = result["argmax"] == exact.argmax(axis=1)
    assert right.sum() > (rounded == exact.argmax(axis=1)).sum() + 40
    # Alike members tie where one of them ties: the first index wins.
    tied = np.tile(np.array([[3, 9, 9, 1]]), (3, 1))
    assert golden(config, tied)["argmax"] == [1]


def test_the_two_means_differ() -> None:
    """Two members, sure of two classes: the mean of their probabilities is between both, that of their logits with a third."""
    sure, third = [120, -128, 60], [-128, 120, 60]
    scores = np.array([sure, third])
    keys = {"ensemble": 2, "max_length": 3, "score_scale": 0.1}
    logits = golden(Config(**keys), scores)  # type: ignore[arg-type]
    means = golden(Config(ensemble_mean="probabilities", **keys), scores)  # type: ignore[arg-type]
    assert logits["argmax"] == [2]
    assert logits["probabilities"][0, 2] > 250
    assert means["argmax"] == [0]
    assert means["probabilities"][0].tolist()[:2] == [128, 128]
