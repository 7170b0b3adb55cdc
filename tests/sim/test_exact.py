"""The family against third parties: SciPy's softmax, log_softmax and expit, and NumPy's argmax and sort, within the bound."""

from collections.abc import Callable

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.modes import HEADS
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs, sidebands
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import Result, golden
from softstream.sim.reference.exact import EXACT, Vectors, errors_ulp, exact_values
from softstream.sim.reference.softmax import float64_slack_ulp
from softstream.sim.stimulus import corner_vectors

special = pytest.importorskip("scipy.special")
stats = pytest.importorskip("scipy.stats")

LENGTH = 12
BASES = {
    "": Config(max_length=LENGTH, score_scale=0.1),
    "-unsigned": Config(max_length=LENGTH, score_signed=False, score_scale=0.04, temperature=0.5, probability_width=10),
    "-UQ1": Config(max_length=LENGTH, probability_format="UQ1", reference_offset=40, normaliser="logarithm"),
}


def vectors(config: Config) -> Vectors:
    """Corners and random scores of every length, with a label for each vector."""
    rng = np.random.default_rng(3)
    candidates = corner_vectors(config, rng)
    low, high = config.score_format.minimum, config.score_format.maximum
    for length in [*range(1, LENGTH + 1)] * 4:
        candidates.append(
            np.clip(np.rint(rng.normal((low + high) / 2, rng.choice((3, 30, 300)), length)), low, high).astype(int)
        )
    scores, lengths = pad_vectors([vector[:LENGTH] for vector in candidates], high)
    sideband = {"labels": rng.integers(0, lengths)} if sidebands(config) else {}
    return Vectors(config, scores, lengths, sideband)


def rows(stimulus: Vectors) -> list[np.ndarray]:
    """Each vector's scores, in nats."""
    return [row[:n] * stimulus.config.effective_scale for row, n in zip(stimulus.scores, stimulus.lengths, strict=True)]


def filled(stimulus: Vectors, values: list[np.ndarray], fill: float = 0.0) -> np.ndarray:
    result = np.full(stimulus.scores.shape, fill)
    for row, value in zip(result, values, strict=True):
        row[: len(value)] = value
    return result


def softmax(stimulus: Vectors) -> np.ndarray:
    return filled(stimulus, [special.softmax(row) for row in rows(stimulus)])


def log_softmax(stimulus: Vectors) -> np.ndarray:
    return filled(stimulus, [special.log_softmax(row) for row in rows(stimulus)], -np.inf)


def exponentials(stimulus: Vectors) -> np.ndarray:
    config = stimulus.config
    one = (config.score_format.maximum - config.reference_offset) * config.effective_scale
    return filled(stimulus, [np.minimum(np.exp(np.minimum(row - one, 0)), 1) for row in rows(stimulus)])


def largest(stimulus: Vectors) -> np.ndarray:
    return filled(stimulus, [np.sort(special.softmax(row))[::-1] for row in rows(stimulus)])[:, : stimulus.config.top_k]


def one_hot(stimulus: Vectors) -> np.ndarray:
    return filled(stimulus, [(np.arange(len(row)) == np.argmax(row)).astype(float) for row in rows(stimulus)])


def losses(stimulus: Vectors) -> np.ndarray:
    return -np.take_along_axis(log_softmax(stimulus), stimulus.sideband["labels"][:, None], axis=1)[:, 0]


THEIRS: dict[str, Callable[[Vectors], np.ndarray]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "cross_entropy": losses,
    "log_sum_exp": lambda stimulus: np.array([special.logsumexp(row - row.max()) for row in rows(stimulus)]),
    "entropy": lambda stimulus: np.array([stats.entropy(special.softmax(row), base=2) for row in rows(stimulus)]),
    "exponential": exponentials,
    "sigmoid": lambda stimulus: filled(stimulus, [special.expit(row) for row in rows(stimulus)]),
    "hardmax": one_hot,
    "softmax_top_k": largest,
    "cdf": lambda stimulus: np.cumsum(softmax(stimulus), axis=1),
}
"""Mode → the exact values of its codes, by SciPy and NumPy."""

NEEDED = {"cdf": {"normaliser": "divider"}}
"""Mode → keys that its bases may have otherwise."""

CASES = [
    pytest.param(base.replace(mode=mode, **NEEDED.get(mode, {})), id=f"{mode}{name}")
    for name, base in BASES.items()
    for mode in HEADS
]


def counted(stimulus: Vectors, exact: np.ndarray) -> np.ndarray:
    """Which values are there."""
    return np.isfinite(exact) if exact.ndim == 1 else np.arange(exact.shape[1]) < stimulus.lengths[:, None]


@pytest.mark.parametrize("config", CASES)
def test_codes_are_within_the_bound_of_scipy_and_numpy(config: Config) -> None:
    if config.mode not in THEIRS:
        assert not any(field.form for output in outputs(config) for field in output.fields), (
            "codes, but nobody's word on them"
        )
        return
    stimulus = vectors(config)
    code = next(field for output in outputs(config) for field in output.fields if field.array in EXACT)
    codes = golden(config, stimulus.scores, stimulus.lengths, stimulus.sideband)[code.array]
    exact = THEIRS[config.mode](stimulus)
    places = counted(stimulus, exact)
    error, saturated = (both[places] for both in errors_ulp(config, code, codes, exact))
    derived = plan(config)
    if derived.bound_ulp is None:  # 1.0 and 0, exactly, as far as the format holds 1.0
        assert set(error[~saturated]) <= {0.0}
        assert saturated.any() == (config.probability_format == "UQ0")
        return
    assert np.abs(error[~saturated]).max() <= derived.bound_ulp + float64_slack_ulp(config)
    assert np.abs(error).max() <= derived.worst_ulp + float64_slack_ulp(config)
    # What is within half an ulp of everything would be no table of roundings: something comes near.
    assert np.abs(error[~saturated]).max() > 0.4


@pytest.mark.parametrize("config", CASES)
def test_our_float64_equals_scipy_and_numpy(config: Config) -> None:
    stimulus = vectors(config)
    for output in outputs(config):
        for field in output.fields:
            if field.array in EXACT and config.mode in THEIRS:
                ours, theirs = exact_values(field.array, stimulus), THEIRS[config.mode](stimulus)
                places = counted(stimulus, theirs)
                # Both in float64: some roundings of results up to 1, or of logarithms up to 30.
                np.testing.assert_allclose(ours[places], theirs[places], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("config", CASES)
def test_winners_and_orders_are_numpys(config: Config) -> None:
    stimulus = vectors(config)
    result: Result = golden(config, stimulus.scores, stimulus.lengths, stimulus.sideband)
    if "argmax" in result:
        assert result["argmax"].tolist() == [int(np.argmax(row)) for row in rows(stimulus)]
    if "top_indices" in result:
        # A stable sort of the negated scores: the first index first among equals.
        orders = [np.argsort(-row, kind="stable")[: config.top_k].tolist() for row in rows(stimulus)]
        assert [order[: len(due)].tolist() for order, due in zip(result["top_indices"], orders, strict=True)] == orders
    if "one_hot" in result:
        assert np.argmax(result["one_hot"], axis=1).tolist() == [int(np.argmax(row)) for row in rows(stimulus)]


def test_a_mask_leaves_softmax_of_the_others() -> None:
    config = BASES[""].replace(mask=True)
    stimulus = vectors(config.replace(mask=False))
    mask = np.random.default_rng(1).random(stimulus.scores.shape) < 0.5
    masked = Vectors(config, stimulus.scores, stimulus.lengths, {"mask": mask})
    for row, mine, out, n in zip(stimulus.scores, masked.softmax, mask, stimulus.lengths, strict=True):
        left = ~out & (np.arange(LENGTH) < n)
        assert mine[~left].tolist() == [0.0] * np.count_nonzero(~left)
        if left.any():
            np.testing.assert_allclose(mine[left], special.softmax(row[left] * config.score_scale), rtol=1e-13)
