"""The table of Gumbel noise: exact entries, its law, and a distance from softmax that stays within the derived bound."""

import math
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.gumbel import FRACTION, RESOLUTION, SEGMENTS, UPPER_OCTAVES, GumbelTable, gumbel_table
from softstream.hw.numbers.random_words import WORD
from softstream.sim.golden.modes.gumbel import noise
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
            assert table_of(scale, length).bound < 0.005


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


@pytest.mark.parametrize("length", [2, 10, 100])
def test_the_smallest_honoured_probability(length: int) -> None:
    """One class improbable, or all but one, at either end: within 1 % from 2^-O on, and never too often below."""
    table, scale = table_of(0.0625, length), 0.0625
    missed = False
    for gap in range(0, 256, 15):
        for rare in (np.arange(length) == 0, np.arange(length) == length - 1, np.arange(length) > 0):
            positions = np.where(rare, 255 - gap, 255)
            law, exact = sample_law(table, positions), softmax_law(scale, positions)
            large = exact >= table.smallest
            assert np.all(np.abs(law / exact - 1)[large] < 0.01)
            assert np.all(law < 1.01 * exact)
            missed |= bool((law < 0.5 * exact).any())
    assert missed  # beyond the limit the table does end
