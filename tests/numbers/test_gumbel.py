"""The table of Gumbel noise: exact entries, its law, and a distance from softmax that stays within the derived bound."""

import math
from dataclasses import replace
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from support.draws import chi_square_probability

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.gumbel import FRACTION, RESOLUTION, SEGMENTS, UPPER_OCTAVES, GumbelTable, gumbel_table
from softstream.hw.numbers.random_words import WORD
from softstream.sim.golden.modes.gumbel import draw, noise
from softstream.sim.golden.stages.random_words import words
from softstream.sim.reference.law import sample_law, softmax_law, total_variation

SCALES = (2.0**-16, 2.0**-11, 0.0625, 0.1467, 1.0, 16.0)
LENGTHS = (1, 2, 10, 1024, 65536)


def table_of(scale: float, length: int) -> GumbelTable:
    return gumbel_table(Config(score_scale=scale, max_length=length))


def interval(table: GumbelTable, address: int, fraction: int) -> tuple[Fraction, Fraction]:
    """The v that an address and a fraction stand for, from the definition: the part of (0, 1), exact."""
    octave, mantissa = divmod(address, SEGMENTS)
    upper = octave >= table.lower_octaves
    count = UPPER_OCTAVES if upper else table.lower_octaves
    octave -= table.lower_octaves if upper else 0
    last = octave == count - 1
    size = Fraction(1, 1 << (octave + (1 if last else 2)))
    part = size / SEGMENTS / (1 << FRACTION)
    start = (0 if last else size) + size / SEGMENTS * mantissa
    place = fraction if upper else (1 << FRACTION) - 1 - fraction
    low, high = start + part * place, start + part * (place + 1)
    return (1 - high, 1 - low) if upper else (low, high)


@pytest.mark.parametrize("length", [1, 1024])
def test_the_intervals_fill_zero_to_one(length: int) -> None:
    table = table_of(0.0625, length)
    intervals = sorted(interval(table, a, d) for a in range(len(table.base)) for d in range(1 << FRACTION))
    assert intervals[0][0] == 0
    assert intervals[-1][1] == 1
    assert all(one[1] == other[0] for one, other in pairwise(intervals))


@pytest.mark.parametrize("scale", SCALES)
def test_noise_is_as_near_to_the_exact_gumbel_value_as_it_says(scale: float) -> None:
    """By decimal arithmetic of 40 digits, where the table's own δ is float64."""
    table = table_of(scale, 10)
    context = Context(prec=40)
    rng = np.random.default_rng(2)
    inner = [octave for octave in range(table.octaves) if octave not in (table.lower_octaves - 1, table.octaves - 1)]
    worst = Decimal(0)
    corners = [(octave * SEGMENTS + m, d) for octave in inner for m in (0, SEGMENTS - 1) for d in (0, 63)]
    others = [(rng.choice(inner) * SEGMENTS + rng.integers(SEGMENTS), rng.integers(64)) for _ in range(1500)]
    for address, fraction in corners + others:
        value = (Decimal(int(table.values[address, fraction])) + table.least) * Decimal(table.unit)
        for end in interval(table, int(address), int(fraction)):
            v = Decimal(end.numerator) / Decimal(end.denominator)
            exact = -context.ln(-context.ln(1 - v))
            worst = max(worst, abs(exact - value))
    assert worst <= Decimal(table.deviation)
    # Two roundings to a unit, half a part of a segment, and the arc above its chord: δ is no more than it has to be.
    assert table.deviation < 2 * table.unit + 0.0009


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("scale", SCALES)
def test_the_table_fits(scale: float, length: int) -> None:
    table = table_of(scale, length)
    assert table.base.min() == 0
    assert table.slope.min() > 0
    assert len(table.base) == SEGMENTS * (math.ceil(math.log2(length)) + 18)
    assert 2.0 ** -(RESOLUTION + 1) < table.unit <= 2.0**-RESOLUTION or table.shift == 0
    assert table.unit * 2.0**table.shift == scale
    assert table.law.sum() == 1.0
    # The probabilities are sums of multiples of 2^-42 below 1: exact in float64.
    assert (np.ldexp(table.law, 42) % 1 == 0).all()


def test_the_law_is_that_of_even_words() -> None:
    """Every word of the fields that a short table looks at, once: the octave bits beyond are not looked at."""
    table = table_of(0.0625, 1)
    looked_at = table.lower_octaves - 1
    assert looked_at >= UPPER_OCTAVES - 1
    # Fractions and mantissas only for some, all octave bits and both sides.
    octave_bits = np.arange(1 << looked_at)
    counted = np.zeros(table.octaves)
    for side in (0, 1):
        samples = noise(table, (octave_bits << 12) | (side << 11))
        for octave in range(table.octaves):
            counted[octave] += np.isin(samples, table.values[octave * SEGMENTS, 0]).sum()
    weights = np.array(
        [float(sum(b - a for a, b in (interval(table, o * SEGMENTS + m, d) for m in (0,) for d in (0,))))
         for o in range(table.octaves)]
    )  # fmt: skip
    assert (counted / (2 << looked_at) == weights * SEGMENTS * (1 << FRACTION)).all()
    assert table_of(0.0625, 65536).lower_octaves - 1 <= WORD - 12


def vectors_of(scale: float, length: int) -> list[np.ndarray]:
    """Ties, one ahead, one behind, a staircase of every tie, normal scores of several widths; positions of 8 bits."""
    rng = np.random.default_rng(length)
    vectors = [np.zeros(length, dtype=np.int64), np.full(length, 255), np.arange(length) % 256]
    for place in (0, length - 1):
        for ahead in (1, 1 / scale, 3 / scale, math.log(length) / scale, 8 / scale):
            one = np.zeros(length, dtype=np.int64)
            one[place] = min(255, round(ahead))
            vectors += [one, 255 - one]
    for nats in (0.3, 1, 2, 4):
        vectors.append(np.clip(np.round(rng.normal(0, nats, length) / scale), -127, 127).astype(np.int64) + 127)
    vectors.append(rng.integers(0, 256, length))
    return vectors


@pytest.mark.parametrize(
    ("scale", "length"), [(0.0625, 1), (0.0625, 2), (0.0625, 10), (0.1467, 10), (1.0, 3), (0.0625, 100)]
)
def test_total_variation_within_the_bound(scale: float, length: int) -> None:
    """The law of the draw, from the table's distribution, against softmax."""
    table = table_of(scale, length)
    assert 0 < table.bound < 0.005
    worst = 0.0
    for positions in vectors_of(scale, length):
        law = sample_law(table, positions)
        assert abs(law.sum() - 1) < 4 * length * 2.0**-52 * len(table.law)
        worst = max(worst, total_variation(law, softmax_law(scale, positions)))
    assert worst <= table.bound


def test_many_equal_classes_of_the_longest_vector() -> None:
    """A thousand ties: a table of evenly spaced u would give the same noise to several of them."""
    table = table_of(0.0625, 1024)
    law = sample_law(table, np.zeros(1024, dtype=np.int64))
    assert total_variation(law, np.full(1024, 1 / 1024)) <= table.bound


def test_law_of_a_tie_and_of_a_pair_by_hand() -> None:
    table = table_of(1.0, 2)
    law, at_most = table.law, np.cumsum(table.law)
    one = sample_law(table, np.array([3, 3]))
    assert one[0] == pytest.approx((law * at_most).sum(), abs=1e-12)
    ahead = 1 << table.shift
    two = sample_law(table, np.array([0, 1]))
    # The first wins where its noise is at least that of the second and a step more.
    assert two[0] == pytest.approx((law[ahead:] * at_most[:-ahead]).sum(), abs=1e-12)


def test_every_scale_has_a_bound() -> None:
    for scale in SCALES:
        for length in LENGTHS:
            table = table_of(scale, length)
            assert table.bound < 0.005
            assert table.smallest <= 1 / (1024 * length)
    for length in LENGTHS:  # units of different fractions of the resolution
        for scale in SCALES[length % 2 :: 3]:
            assert 0 < table_of(scale, length).class_error < 0.01


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (16.5, r"score_scale = 16.5: sampling takes .*; score_scale = 16.0 would do, or mode = 'argmax'"),
        (1e-5, r"score_scale = 1e-05: sampling takes .*; score_scale = 1.53e-05 would do"),
    ],
)
def test_scales_out_of_range_are_refused(scale: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Config(mode="sample", score_scale=scale)


def rare_classes(scale: float, length: int) -> list[np.ndarray]:
    """One class improbable, or all but one, at any place, of probabilities down to e^-20 or what 8 bits reach."""
    places = np.arange(length)
    rare = [places == 0, places == length // 2, places == length - 1, places > 0, places < length - 1]
    gaps = np.unique(np.linspace(0, min(255, 20 / scale), 18).round().astype(int))
    return [np.where(row, 255 - gap, 255) for gap in gaps for row in rare]


@pytest.mark.parametrize(("length", "scale"), [(2, 0.0625), (10, 0.0625), (60, 0.0625), (3, 1.0)])
def test_each_class_has_its_probability_relatively(length: int, scale: float) -> None:
    """From the smallest honoured probability on within the proved share, never too often below, and at last too rarely."""
    table, worst, honoured, missed = table_of(scale, length), 0.0, 0, False
    assert table.class_error < 0.01
    for positions in [*vectors_of(scale, length), *rare_classes(scale, length)]:
        law, exact = sample_law(table, positions), softmax_law(scale, positions)
        large = exact >= table.smallest
        error = np.abs(law / exact - 1)[large]
        assert np.all(error <= table.class_error)
        assert np.all(law <= (1 + table.class_error) * exact)
        near = large & (exact < 4 * table.smallest)
        worst, honoured, missed = (
            max(worst, error.max()),
            honoured + near.sum(),
            missed or bool((law < 0.5 * exact).any()),
        )
    assert honoured > 0
    assert missed  # beyond the limit the table does end
    assert worst > table.class_error / 64


def test_the_share_of_a_class_follows_its_table() -> None:
    """A noise that is a hundredth too large in half of the octaves has a law outside of the bound, and a larger bound."""
    table = table_of(0.0625, 3)
    faulty = replace(
        table, base=table.base + np.where(np.arange(len(table.base)) < SEGMENTS, round(0.02 / table.unit), 0)
    )
    positions = np.array([255, 255, 255])
    error = np.abs(sample_law(faulty, positions) / softmax_law(0.0625, positions) - 1).max()
    assert faulty.class_error > error
    assert faulty.class_error > table.class_error + 0.01


def test_improbable_classes_are_drawn_as_often_as_softmax_says() -> None:
    """Two million draws of a class of twice the smallest honoured probability; the chi-square distinguishes a tenth less."""
    table, count = table_of(0.0625, 2), 2_000_000
    positions = np.array([0, 111])
    exact = softmax_law(0.0625, positions)
    assert table.smallest < exact[0] < 2.1 * table.smallest
    drawn, _ = draw(table, np.tile(positions, (count, 1)), np.ones((count, 2), dtype=bool), words(13, 2 * count))
    counts = np.bincount(drawn, minlength=2)
    assert chi_square_probability(counts, sample_law(table, positions)) > 1e-6
    assert chi_square_probability(counts, exact) > 1e-6
    assert chi_square_probability(counts, np.array([0.8 * exact[0], 1 - 0.8 * exact[0]])) < 1e-9


@pytest.mark.parametrize("length", LENGTHS)
def test_the_address_of_a_word_is_that_of_its_noise(length: int) -> None:
    """Random words, and those with few ones, whose octaves are the long ones."""
    table = table_of(0.0625, length)
    sparse = [1 << one | low for one in range(WORD) for low in (0, 1 << 11, 0x83F)]
    samples = np.concatenate([words(3, 2000), np.array([0, (1 << WORD) - 1, 1 << 11, *sparse])])
    values = [table.values[table.address(int(word)), int(word) % (1 << FRACTION)] for word in samples]
    assert values == noise(table, samples).tolist()
