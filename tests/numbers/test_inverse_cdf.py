"""The law of draws by the inverse of the cumulative distribution: counted word by word, and as near to softmax as is proved."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.numbers.inverse_cdf import cdf_law
from softstream.hw.numbers.random_words import WORD
from softstream.hw.plan.derive import plan
from softstream.sim.golden.modes.inverse_cdf import draw_share, terms
from softstream.sim.golden.stages.cdf_search import search
from softstream.sim.golden.stages.sum_share import threshold
from softstream.sim.reference.law import share_law, softmax_law, total_variation


def config_of(**changes: object) -> Config:
    return PRESETS["sample-int8-cdf"].replace(**changes)


def test_the_law_is_that_of_every_word() -> None:
    """Seven bits of u, each value once, on short vectors of few octaves: the counts, and the share of the resolution."""
    law = replace(cdf_law(config_of(max_length=9, score_width=4, score_scale=0.7)), share_bits=7)
    words, worst = np.arange(1 << law.share_bits), 0.0
    rng = np.random.default_rng(2)
    for length in (*range(1, 10), *[9] * 60):
        positions = rng.integers(0, 16, length)
        every = np.tile(positions, (len(words), 1))
        drawn = draw_share(law, every, np.ones_like(every, dtype=bool), words)
        counted = np.bincount(drawn, minlength=length) / len(words)
        weights = terms(law, positions[None], np.ones((1, length), dtype=bool))[0]
        np.testing.assert_array_equal(counted, share_law(weights, law.share_bits))
        distance = total_variation(counted, weights / weights.sum()) * len(words)
        assert distance <= (length - 1) / 2
        assert np.abs(counted - weights / weights.sum()).max() * len(words) < 1
        worst = max(worst, 2 * distance / (length - 1) if length > 1 else 0.0)
    assert worst > 0.5


def exact_probabilities(config: Config, positions: np.ndarray) -> np.ndarray:
    """softmax with each class to about 10^-15 of its own probability."""
    return softmax_law(config.effective_scale, positions)


@pytest.mark.parametrize("length", [2, 10, 300])
def test_each_class_has_its_probability_relatively(length: int) -> None:
    """One class is likely and the others are improbable, of all probabilities down to 10^-7, first, last and between."""
    config = config_of(max_length=length)
    law, honoured, below = cdf_law(config), 0, 0
    rng = np.random.default_rng(length)
    vectors = [rng.integers(0, 256, length) for _ in range(20)]
    for likely in (0, length // 2, length - 1):
        for rest in range(0, 256, 5):
            vectors.append(np.where(np.arange(length) == likely, 255, rest))
    for positions in vectors:
        weights = terms(law, positions[None], np.ones((1, length), dtype=bool))[0]
        drawn, exact = share_law(weights, law.share_bits), exact_probabilities(config, positions)
        large = exact >= float(law.smallest)
        assert np.all(np.abs(drawn - exact)[large] <= float(law.class_error) * exact[large])
        assert np.all(drawn <= exact * (1 + float(law.relative)) + 2.0**-law.share_bits)
        honoured, below = honoured + large.sum(), below + (~large).sum()
    assert honoured > 0
    assert below == 0  # the least probability of int8 at this scale, e^-16 / 300, is far above the smallest


def test_the_smallest_honoured_probability_is_one() -> None:
    """Scores of 26 nats: classes around the limit are drawn as proved, and the limit is not far below what holds."""
    config = config_of(max_length=40, score_scale=0.1)
    law, worst, above = cdf_law(config), 0.0, 0
    for likely in (0, 1, 20, 39):
        for gap in range(150, 256):
            positions = np.where(np.arange(40) == likely, 255, 255 - gap)
            weights = terms(law, positions[None], np.ones((1, 40), dtype=bool))[0]
            drawn, exact = share_law(weights, law.share_bits), exact_probabilities(config, positions)
            large = exact >= float(law.smallest)
            error = np.abs(drawn / exact - 1)
            assert np.all(error[large] <= float(law.class_error))
            assert np.all(drawn <= exact * (1 + float(law.relative)) + 2.0**-law.share_bits)
            assert np.all(drawn[exact * (1 - float(law.relative)) >= 2.0**-law.share_bits] > 0)
            near = large & (exact < 8 * float(law.smallest))
            worst, above = max(worst, error[near].max(initial=0.0)), above + near.sum()
    assert above > 0
    assert worst > float(law.class_error) / 32


def test_improbable_ends_are_drawn_neither_always_nor_never() -> None:
    """A first class of 1.4e-14 by the share u = 0, and a last class of 4.5e-5 by the largest u: the faults of a share u·S."""
    law = cdf_law(config_of(max_length=10))
    first = np.array([1, *[1 << 43] * 8])
    assert share_law(first, law.share_bits)[0] == 0
    last = np.array([1 << 43, 4947 << 27 >> 7])
    assert share_law(last, law.share_bits)[1] == pytest.approx(last[1] / last.sum(), rel=1e-6)


def test_the_ends_of_the_random_number() -> None:
    """u = 0 and the largest u draw an element with a share, and pass over one with less than half a word."""
    law = cdf_law(config_of())
    ends = np.array([0, (1 << law.share_bits) - 1])
    for shares in (
        [5],
        [1],
        [0, 3],
        [3, 0],
        [0, 0, 1, 0],
        [0, 1 << 58, 0, 1, 0],
        [1] * 5,
        [0] * 4 + [1 << 59] * 4 + [0],
    ):
        every = np.tile(shares, (2, 1))
        first, last = search(every, threshold(law, every.sum(axis=1), ends))
        held = np.flatnonzero(shares)
        assert shares[first] > 0
        assert shares[last] > 0
        # Each draws the first element up to which the sum exceeds u + 1/2 words; both sides are doubled.
        for drawn, u in ((first, 0), (last, int(ends[1]))):
            due = next(i for i in held if sum(shares[: i + 1]) << law.share_bits + 1 > sum(shares) * (2 * u + 1))
            assert drawn == due


@pytest.mark.parametrize("width", [13, 39])
def test_the_threshold_is_the_cut_product(width: int) -> None:
    law = replace(cdf_law(config_of()), share_bits=width)
    rng = np.random.default_rng(width)
    words = np.concatenate([[0, 0, (1 << WORD) - 1, (1 << WORD) - 1, 1], rng.integers(0, 1 << WORD, 200)])
    totals = np.concatenate([[1, (1 << 62) - 1, 1, (1 << 62) - 1, 3], rng.integers(1, 1 << 62, 200)])
    due = [
        ((2 * (int(word) % (1 << width)) + 1) * int(total)) >> width + 1
        for word, total in zip(words, totals, strict=True)
    ]
    assert threshold(law, totals, words).tolist() == due


def vectors_of(scale: float, length: int, top: int) -> list[np.ndarray]:
    """Ties, one ahead, one behind, a staircase, normal scores of several widths, random ones."""
    rng = np.random.default_rng(length)
    vectors = [np.zeros(length, dtype=np.int64), np.full(length, top), np.arange(length) % (top + 1)]
    for place in (0, length - 1):
        for ahead in (1, 1 / scale, 3 / scale, np.log(length) / scale):
            one = np.zeros(length, dtype=np.int64)
            one[place] = min(top, round(ahead))
            vectors += [one, top - one]
    for nats in (0.3, 1, 3):
        middle = rng.normal(top / 2, nats / scale, length)
        vectors.append(np.clip(np.round(middle), 0, top).astype(np.int64))
    return [*vectors, rng.integers(0, top + 1, length)]


@pytest.mark.parametrize(
    "config",
    [
        config_of(max_length=2),
        config_of(max_length=10, score_scale=0.12),
        config_of(max_length=300),
        config_of(max_length=50, score_width=12, score_scale=0.004, probability_width=16, guard_bits=2),
        config_of(max_length=5, score_width=3, score_scale=3.0, probability_width=2, guard_bits=1),
    ],
    ids=["pairs", "digits", "long", "split", "coarse"],
)
def test_total_variation_within_the_bound(config: Config) -> None:
    law, length, worst = cdf_law(config), config.max_length, 0.0
    for positions in vectors_of(config.effective_scale, length, (1 << config.score_width) - 1):
        weights = terms(law, positions[None], np.ones((1, length), dtype=bool))[0]
        exact = softmax_law(config.effective_scale, positions)
        worst = max(worst, total_variation(share_law(weights, law.share_bits), exact))
    assert 0 < worst <= float(law.bound)


def test_the_share_of_the_exponentials_is_reached() -> None:
    """Every pair of int8 scores, any u: the largest error comes near the proved bound, so the bound is tight."""
    config = config_of(max_length=2)
    law = cdf_law(config)
    exponent, significand = law.widths.tables.all_positions
    weights = np.ldexp(significand.astype(np.float64), exponent)
    exact = np.exp(np.arange(256) * config.effective_scale)
    worst = np.abs(weights[:, None] / (weights[:, None] + weights) - exact[:, None] / (exact[:, None] + exact)).max()
    assert 0.85 * float(law.exponential) < worst <= float(law.exponential)


def test_many_repeated_pairs_reach_the_resolution() -> None:
    """Shares whose ends lie just above and just below halves of words, in turn."""
    law = replace(cdf_law(config_of()), share_bits=10)
    pairs = 200
    # In units of 2^-6 of a word: ends just above half a word, then a whole number and a half, in turn.
    shares = np.array([33, 127, *[129, 127] * (pairs - 1)])
    shares = np.append(shares, (1 << 16) - shares.sum())
    distance = total_variation(share_law(shares, law.share_bits), shares / shares.sum()) * 2**law.share_bits
    assert 0.98 * (len(shares) - 1) / 2 < distance <= (len(shares) - 1) / 2


@pytest.mark.parametrize("name", ["sample-int8-cdf", "digits", "longest", "wide"])
def test_far_nearer_than_the_noise(name: str) -> None:
    config = {
        "digits": config_of(max_length=10),
        "longest": config_of(max_length=65536),
        "wide": config_of(score_width=16, score_scale=2.0**-12, probability_width=12),
    }.get(name, config_of())
    law = cdf_law(config)
    assert 0 < law.bound == law.exponential + law.resolution < Fraction(1, 1 << 12)
    assert law.resolution <= Fraction(1, 4 << law.widths.significand_fraction)
    gumbel = plan(config.replace(sampler="gumbel")).distance
    assert gumbel is not None
    assert plan(config).distance == float(law.bound) < gumbel / 20


def test_one_element_is_certain() -> None:
    assert cdf_law(config_of(max_length=1)).bound == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"lanes": 2}, r"lanes = 2 with sampler = 'inverse_cdf': .* lanes = 1 would do"),
        ({"accumulator": "reference"}, r"accumulator = 'reference' with .* accumulator = 'auto' would do"),
        ({"score_scale": 0.5}, r"score_scale = 0\.5 .* 41 octaves, in 62 bits; score_scale = 0\.1 would do, or sampler ="),
        ({"score_scale": 0.5, "temperature": 2.0}, r"with temperature = 2\.0 .* score_scale = 0\.21 would do"),
    ],
)  # fmt: skip
def test_a_configuration_without_an_exact_sum_is_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UserError, match=text):
        plan(config_of(**changes))


def test_the_scale_that_would_do_does() -> None:
    assert plan(config_of(score_scale=0.1)).distance
    assert plan(config_of(score_scale=0.21, temperature=2.0)).distance


def test_levels_of_the_output_do_not_concern_a_draw() -> None:
    config = Config(mode="sample", sampler="inverse_cdf", max_length=8, score_scale=0.12)
    levels = config.replace(output_levels=1 << 24, output_zero_point=5)
    assert cdf_law(levels) == cdf_law(config)
    assert plan(levels).distance == plan(config).distance
