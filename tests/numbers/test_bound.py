"""The error bound, attacked: the golden model against float64 over every kind of input."""

import itertools
import math

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.two_pass import differences
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp, softmax_float64, valid_elements

SCALES = (2.0**-7, 0.0625, 0.1467, 0.3, 1.0, 5.0)
SIGNIFICANDS = ("divider", "reciprocal", "none")
"""Normalisers with a bound in closed form; for more on the logarithmic one see test_log_tables."""


def worst_error(config: Config, scores: np.ndarray, lengths: np.ndarray | None = None) -> float:
    """Largest error in ulp of codes that do not saturate; asserts the bounds on the way."""
    limits = bound(config)
    codes = golden(config, scores, lengths).probabilities
    assert codes is not None
    errors = error_ulp(config, codes, scores, lengths)
    slack = float64_slack_ulp(config)
    assert errors.max() <= float(limits.worst) + slack
    saturated = (codes == config.probability_maximum) & (config.probability_format == "UQ0")
    worst = float(errors[~saturated].max(initial=0))
    assert worst <= float(limits.total) + slack
    return worst


def largest_and_smallest_ratio(config: Config) -> tuple[int, int]:
    """The codes whose tabled exponential is the most above and the most below the exact one."""
    exponent, significand = numerics(config).tables.all_positions
    fraction = numerics(config).significand_fraction
    octaves = np.arange(len(exponent)) * min(config.score_scale * math.log2(math.e), 64.0)
    ratio = significand * np.exp2(exponent - octaves - fraction)
    low = config.score_format.minimum
    return int(ratio.argmax()) + low, int(ratio.argmin()) + low


@pytest.mark.parametrize("normaliser", [*SIGNIFICANDS, "logarithm"])
@pytest.mark.parametrize("scale", SCALES)
def test_every_pair_of_int8(scale: float, normaliser: str) -> None:
    config = Config(max_length=2, score_scale=scale, normaliser=normaliser)
    pairs = np.array(list(itertools.product(range(-128, 128), repeat=2)))
    worst = worst_error(config, pairs)
    if scale < 0.2:
        # With probabilities this dense, rounding alone reaches half an ulp: an attack that stays below attacked nothing.
        assert worst > 0.49


@pytest.mark.parametrize("form", ["UQ0", "UQ1"])
@pytest.mark.parametrize("guard_bits", [2, 3, 4, 6, 8])
def test_every_triple_of_four_bit_scores(guard_bits: int, form: str) -> None:
    for scale, normaliser, accumulator in itertools.product(
        (0.1467, 0.7), SIGNIFICANDS, ("absolute", "two_windows", "reference")
    ):
        config = Config(
            max_length=3,
            score_width=4,
            score_scale=scale,
            normaliser=normaliser,
            guard_bits=guard_bits,
            accumulator=accumulator,
            probability_format=form,
        )
        triples = np.array(list(itertools.product(range(-8, 8), repeat=3)))
        assert worst_error(config, triples) > 0.45


@pytest.mark.parametrize("normaliser", ["divider", "reciprocal"])
@pytest.mark.parametrize("length", [10, 64, 1000, 65536])
@pytest.mark.parametrize(
    ("score_width", "probability_width", "accumulator"),
    [
        *((*widths, form) for form in ("auto", "reference") for widths in ((8, 8), (8, 16), (12, 16), (16, 24))),
        (8, 8, "two_windows"),
    ],
)
def test_adversarial(score_width: int, probability_width: int, length: int, accumulator: str, normaliser: str) -> None:
    config = Config(
        max_length=length,
        score_width=score_width,
        score_scale=2.0 ** (4 - score_width),
        probability_width=probability_width,
        accumulator=accumulator,
        normaliser=normaliser,
    )
    low, high = config.score_format.minimum, config.score_format.maximum
    above, below = largest_and_smallest_ratio(config)
    rng = np.random.default_rng([score_width, probability_width, length])
    rows = []
    # One maximum and N − 1 terms at each of the levels where truncation or the table bites most; the maximum first or last.
    for level in {low, above, below, (low + high) // 2, high - 1, *rng.integers(low, high, 3).tolist()}:
        for top in (high, above, below):
            row = np.full(length, min(level, top))
            row[0] = max(level, top)
            rows += [row, row[::-1]]
    ramp = np.linspace(low, high, length).round().astype(int)
    ties = np.where(np.arange(length) % 2 == 0, above, below)
    rows += [ramp, ramp[::-1], ties, np.full(length, high), np.full(length, low), rng.integers(low, high + 1, length)]
    # Half above, half below: the errors of numerator and sum with opposite signs.
    half = np.full(length, below)
    half[0] = above
    rows += [half, np.where(np.arange(length) == 0, below, above)]
    assert worst_error(config, np.array(rows)) > 0.3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("probability_width", [8, 16, 24])
@pytest.mark.parametrize("scale", [2.0**-9, 2.0**-5, 0.1467])
def test_random(scale: float, probability_width: int, seed: int) -> None:
    rng = np.random.default_rng([seed, probability_width])
    for length, vectors in ((1, 50), (2, 4000), (3, 3000), (17, 800), (300, 40), (4000, 3)):
        config = Config(
            max_length=length,
            score_width=12,
            score_scale=scale,
            probability_width=probability_width,
            normaliser=("divider", "reciprocal")[seed % 2],
            guard_bits=(3, 4, 5)[seed % 3],
        )
        spread = rng.choice([0.5, 1, 2, 4, 8], size=(vectors, 1)) / scale
        scores = np.clip(np.rint(rng.normal(size=(vectors, length)) * spread), -2048, 2047).astype(int)
        worst_error(config, scores, rng.integers(1, length + 1, vectors))


@pytest.mark.parametrize("scale", [1e-12, 44.0, 50.0, 1e6])
def test_extreme_scales(scale: float) -> None:
    """Scales so small that all weights agree, and so large that the cap applies."""
    config = Config(max_length=40, score_scale=scale, probability_width=24)
    scores = np.random.default_rng(3).integers(-128, 128, (300, 40))
    worst_error(config, scores)


def test_the_rule() -> None:
    """The promise on the data sheet: at most 1/2 + 3.75·2^-k ulp, whatever the other keys; logarithms are left out of it."""
    checked, refused = 0, []
    for k, width, length, scale, normaliser, accumulator, score_width in itertools.product(
        (2, 3, 4, 6, 8), (8, 24), (2, 65536), (0.0625, 0.1467), SIGNIFICANDS, ("auto", "reference"), (8, 16)
    ):
        config = Config(
            guard_bits=k,
            probability_width=width,
            max_length=length,
            score_scale=scale,
            normaliser=normaliser,
            accumulator=accumulator,
            score_width=score_width,
        )
        try:
            limits = bound(config)
        except UserError as error:
            refused.append(str(error))
            continue
        checked += 1
        assert float(limits.total) <= 0.5 + 3.75 * 2.0**-k
        shares = limits.exponential + limits.accumulator + limits.normaliser + limits.rounding
        assert shares == limits.total
    assert checked > 300
    assert all("at most 62 are available" in text or "1 ulp is allowed" in text for text in refused)


TWO_PASS = Config(accumulator="two_pass", profile="small")


@pytest.mark.parametrize("scale", SCALES)
def test_every_pair_of_int8_in_two_passes(scale: float) -> None:
    config = TWO_PASS.replace(max_length=2, score_scale=scale)
    # Only the difference counts, but for which of the two is the maximum.
    pairs = np.array([(127, 127 - d) for d in range(256)] + [(-128, d - 128) for d in range(256)])
    assert worst_error(config, pairs) > (0.45 if scale < 0.2 else 0.2)


@pytest.mark.parametrize("form", ["UQ0", "UQ1"])
@pytest.mark.parametrize("guard_bits", [3, 4, 6, 8])
def test_every_triple_of_four_bit_scores_in_two_passes(guard_bits: int, form: str) -> None:
    for scale, width in itertools.product((0.1467, 0.7), (4, 8, 13)):
        config = TWO_PASS.replace(
            max_length=3,
            score_width=4,
            score_scale=scale,
            guard_bits=guard_bits,
            probability_width=width,
            probability_format=form,
        )
        triples = np.array(list(itertools.product(range(-8, 8), repeat=3)))
        assert worst_error(config, triples) > 0.4


@pytest.mark.parametrize("guard_bits", [3, 4, 8])
@pytest.mark.parametrize("scale", [2.0**-7, 0.0625, 0.1467, 0.5])
@pytest.mark.parametrize("length", [1, 5, 10, 64, 1000, 65536])
@pytest.mark.parametrize("probability_width", [8, 16, 24])
def test_adversarial_in_two_passes(probability_width: int, length: int, scale: float, guard_bits: int) -> None:
    """One maximum, and N − 1 terms, or as many of two kinds, at each of the differences where the table is most off."""
    config = TWO_PASS.replace(
        max_length=length, score_scale=scale, probability_width=probability_width, guard_bits=guard_bits
    )
    table = differences(config)
    exact = np.exp2(-np.arange(256) * min(scale * math.log2(math.e), 64.0))
    error = table.exponential / table.entries[0] - exact
    relative = error / (1 + (length - 1) * exact)
    worst = {int(place) for value in (error, relative) for place in (*value.argsort()[:3], *value.argsort()[-3:])}
    # In long vectors one kind with another is enough: they cost most.
    others = [0, 255] if length > 1000 else [*sorted(worst), 0, 255]
    rows = []
    for level, other in itertools.product(sorted(worst), others):
        row = np.full(length, 127 - level)
        row[0], row[-1] = 127 - other, 127
        rows.append(row)
        row = np.where(np.arange(length) % 2, 127 - level, 127 - other)
        row[0] = 127
        rows.append(row)
    rows += [np.linspace(-128, 127, length).round().astype(int), np.full(length, -128)]
    worst_seen = worst_error(config, np.array(rows))
    if length in range(2, 1001):
        # In longer vectors every probability may be far below an ulp.
        assert worst_seen > 0.3


def test_the_attack_in_two_passes_comes_close_to_the_bound() -> None:
    """An error of the sum reaches the maximum's probability, to nine tenths of the share that the bound holds for it."""
    for scale in (0.0625, 0.1467):
        config = TWO_PASS.replace(score_scale=scale, probability_width=16, guard_bits=3)
        table, limits = differences(config), bound(config)
        exact = np.exp2(-np.arange(256) * scale * math.log2(math.e))
        error = np.abs(table.exponential / table.entries[0] - exact) / (1 + 1023 * exact)
        level = int(error.argmax())
        row = np.full((1, 1024), 127 - level)
        row[0, 0] = 127
        codes = golden(config, row).probabilities
        assert codes is not None
        without_rounding = error_ulp(config, codes, row)[0, 0] + 0.5
        assert without_rounding >= 0.9 * float(limits.exponential)


def test_the_rule_in_two_passes() -> None:
    """The same promise: at most 1/2 + 3·2^-k ulp, whatever the other keys, and the shares sum to the bound."""
    for k, width, length, scale in itertools.product(
        (3, 4, 6, 8), (4, 8, 24), (1, 2, 3, 5, 1024, 65536), (1e-12, 0.0625, 0.1467, 1e6)
    ):
        config = TWO_PASS.replace(guard_bits=k, probability_width=width, max_length=length, score_scale=scale)
        limits = bound(config)
        assert float(limits.total) <= 0.5 + 3.05 * 2.0**-k
        assert limits.exponential + limits.accumulator + limits.normaliser + limits.rounding == limits.total
    with pytest.raises(UserError, match=r"would be 1\.2\d\d ulp.*guard_bits = 3 would do"):
        bound(TWO_PASS.replace(guard_bits=2))


def test_one_is_exact_in_uq1_and_saturates_in_uq0() -> None:
    for form, code in (("UQ0", 255), ("UQ1", 256)):
        for normaliser in ("divider", "reciprocal", "logarithm"):
            config = Config(max_length=4, probability_format=form, normaliser=normaliser)
            result = golden(config, np.arange(-128, 128)[:, None])
            assert result.probabilities is not None
            assert set(result.probabilities[:, 0]) == {code}


def test_logarithms_cost_more_than_a_division() -> None:
    config = Config(max_length=16)
    limits = bound(config.replace(normaliser="logarithm"))
    assert limits.exponential + limits.accumulator + limits.normaliser + limits.rounding == limits.total
    assert bound(config).total < limits.total <= 1
    assert limits.accumulator == 0
    assert bound(config.replace(normaliser="logarithm", accumulator="reference")).accumulator > 0


def test_a_bound_over_one_ulp_is_refused_with_a_value_that_would_do() -> None:
    with pytest.raises(UserError, match=r"would be 1\.05\d ulp.*guard_bits = 2 would do"):
        bound(Config(guard_bits=1))
    assert bound(Config(guard_bits=2)).total <= 1


def test_reference_of_none_is_the_exponential_over_a_power_of_two() -> None:
    """Each value is p times a factor in [1/2, 1) common to the vector."""
    config = Config(max_length=9, normaliser="none")
    scores = np.random.default_rng(1).integers(-128, 128, (200, 9))
    ratio = softmax_float64(config, scores) / softmax_float64(config.replace(normaliser="divider"), scores)
    assert np.ptp(ratio, axis=1).max() < 1e-12
    assert ratio.min() >= 0.5 * (1 - 2.0**-10)
    assert ratio.max() < 1 + 2.0**-10


def test_valid_elements() -> None:
    config = Config(max_length=3)
    assert valid_elements(config, np.zeros((2, 5)), np.array([2, 5])).sum(axis=1).tolist() == [2, 3]
