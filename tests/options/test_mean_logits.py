"""The mean of the logits: before any head the scores are the exact sums, and the flags come out with their vector."""

import numpy as np
import pytest
from support.beats import beats_of
from support.ensembles import members
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.numbers.ensemble import summed
from softstream.hw.options.mean_logits import MeanLogits
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp, softmax_float64
from softstream.sim.stimulus import random_sideband

CONFIGS = {
    "two": Config(ensemble=2, max_length=9, score_scale=0.1),
    "three-small": Config(ensemble=3, max_length=6, profile="small", score_width=5, score_scale=0.3),
    "three-fastest-unsigned": Config(ensemble=3, max_length=5, profile="fastest", score_signed=False, score_scale=0.05),
    "five-4": Config(ensemble=5, max_length=10, lanes=4, score_scale=0.2, score_width=6),
}


def by_hand(config: Config, vectors: list[np.ndarray]) -> tuple[list[list[int]], list[tuple[bool, bool]]]:
    """Sums of codes and (overlong, uneven) of each ensemble, in plain Python."""
    sums, flags = [], []
    for at in range(0, len(vectors), config.ensemble):
        group = [[int(x) for x in vector] for vector in vectors[at : at + config.ensemble]]
        cut = [vector[: config.max_length] for vector in group]
        length = len(cut[0])
        lowest = config.score_format.minimum
        sums.append([sum(vector[i] if i < len(vector) else lowest for vector in cut) for i in range(length)])
        overlong = any(len(vector) == length < len(whole) for vector, whole in zip(cut, group, strict=True))
        flags.append((overlong, any(len(vector) != length for vector in cut)))
    return sums, flags


@pytest.mark.parametrize("name", CONFIGS)
def test_the_scores_behind_are_the_sums(name: str) -> None:
    config = CONFIGS[name]
    vectors, _, _ = members(config, 61)
    sums, flags = by_hand(config, vectors)
    assert all(len({flag[k] for flag in flags}) == 2 for k in (0, 1))
    lanes = config.lanes
    for source, sink in (("never", "never"), ("random", "random")):
        due = sum(-(-len(row) // lanes) for row in sums)
        run = run_component(MeanLogits(config, summed(config)), beats_of(vectors, lanes), due, source=source, sink=sink)
        got, row = [], []
        for beat in run.beats:
            row += [beat["score"], *(beat[f"score_{k}"] for k in range(1, lanes) if beat[f"keep_{k}"])]
            if beat["last"]:
                got.append(row)
                row = []
        assert got == sums


@pytest.mark.parametrize("mode", ["softmax", "argmax", "sample", "log_softmax", "exponential", "softmax_top_k"])
def test_the_model_is_that_of_the_head_behind(mode: str) -> None:
    config = CONFIGS["three-small"].replace(mode=mode)
    vectors, scores, lengths = members(config, 62)
    sums, flags = by_hand(config, vectors)
    result = golden(config, scores, lengths)
    behind = golden(summed(config), *pad_vectors([np.array(row) for row in sums], 0))
    assert set(result) == {*behind, "uneven"}
    for array in set(behind) - {"overlong"}:
        width = behind[array].shape[1:]
        assert np.array_equal(result[array][..., : width[0]] if width else result[array], behind[array])
    assert list(zip(result["overlong"].tolist(), result["uneven"].tolist(), strict=True)) == flags


def test_the_label_is_that_of_the_last_member() -> None:
    config = Config(mode="cross_entropy", ensemble=2, max_length=4)
    scores = np.array([[3, 1, 2, 0], [1, 5, 5, 2]])
    labels = np.array([0, 2])
    loss = golden(config, scores, sideband={"labels": labels})["losses"]
    assert loss == golden(summed(config), scores.sum(axis=0)[None], sideband={"labels": labels[1:]})["losses"]


@pytest.mark.parametrize("sink", ["never", "random"])
@pytest.mark.parametrize("name", CONFIGS)
def test_flags_come_out_with_their_vector(name: str, sink: str) -> None:
    """Through the argmax head, whose winners tell the vectors apart."""
    config = CONFIGS[name].replace(mode="argmax")
    vectors, scores, lengths = members(config, 63)
    result = golden(config, scores, lengths)
    run = run_component(Head(config), beats_of(vectors, config.lanes), len(result["argmax"]), sink=sink)
    names = {"index": "argmax", "score": "best", "overlong": "overlong", "uneven": "uneven"}
    assert run.beats == [
        {field: int(result[array][row]) for field, array in names.items()} for row in range(len(result["argmax"]))
    ]


@pytest.mark.parametrize("mode", ["sigmoid", "exponential"])
def test_flags_of_elements_that_left_before_come_with_the_last(mode: str) -> None:
    config = Config(mode=mode, ensemble=2, max_length=5)
    vectors, scores, lengths = members(config, 64)
    result = golden(config, scores, lengths, random_sideband(config, scores))
    sums, flags = by_hand(config, vectors)
    drain = ("o_best",) if len(outputs(config)) > 1 else ()
    run = run_component(Head(config), beats_of(vectors), sum(map(len, sums)), sink="every3", drain=drain)
    rows = iter(run.beats)
    (field, *_) = outputs(config)[0].fields
    for codes, row, (overlong, uneven) in zip(result[field.array], sums, flags, strict=True):
        for k in range(len(row)):
            last = k == len(row) - 1
            due = {field.name: int(codes[k]), "last": int(last)}
            assert next(rows) == {**due, "overlong": int(last and overlong), "uneven": int(last and uneven)}


def test_within_the_bound_of_float64() -> None:
    """The mean of the scores in float64, by NumPy; the bound is that of the head behind, whose steps are finer."""
    config = Config(ensemble=3, max_length=8, score_scale=0.2)
    rng = np.random.default_rng(65)
    scores = rng.integers(-128, 128, (3 * 3000, 8))
    scores[4500:] = rng.integers(100, 128, (4500, 8))
    mean = scores.reshape(-1, 3, 8).mean(axis=1) * 0.2
    weights = np.exp(mean - mean.max(axis=1, keepdims=True))
    exact = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax_float64(config, scores), exact, rtol=1e-12)
    codes = golden(config.replace(probability_format="UQ1"), scores)["probabilities"]
    errors = np.abs(codes - exact * 256)
    assert np.array_equal(errors > 0.4, error_ulp(config, codes, scores) > 0.4)
    assert 0.5 < errors.max() <= plan(config).bound_ulp + float64_slack_ulp(config)
    # The winner is exact: NumPy's, of sums that float64 holds.
    assert (golden(config, scores)["argmax"] == scores.reshape(-1, 3, 8).sum(axis=1).argmax(axis=1)).all()
