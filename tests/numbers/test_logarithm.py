"""Tables of the logarithmic normaliser: never below zero, monotone, and off by no more than they say."""

import re
from fractions import Fraction

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.logarithm import log_tables
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.sim.golden import golden
from softstream.sim.golden.normalisers.logarithm import factor
from softstream.sim.golden.stages.accumulate import accumulate
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.leading_one import normalise
from softstream.sim.reference.softmax import error_ulp, float64_slack_ulp

SCALES = (1e-6, 0.1467, float(np.log(2)), 5.0, 1e6)
WIDTHS = ((2, 3), (4, 2), (5, 4), (8, 3), (8, 4))  # (P, k)


def config_of(scale: float, probability_width: int, guard_bits: int, **more: object) -> Config:
    return Config(
        normaliser="logarithm",
        score_scale=scale,
        probability_width=probability_width,
        guard_bits=guard_bits,
        **more,  # type: ignore[arg-type]
    )


def logarithms(widths: Numerics, positions: np.ndarray) -> np.ndarray:
    """z of each element of vectors [V, N], in units of 2^-G, without a clip."""
    assert widths.logarithms is not None
    total = accumulate(widths, *exponential(widths, positions), np.ones_like(positions, dtype=bool))
    n, divisor = normalise(widths, *total)
    whole = (n << widths.logarithms.working_fraction) + factor(widths, divisor)
    return whole[:, None] - widths.logarithms.position[positions] - 1


@pytest.mark.parametrize("accumulator", ["auto", "reference"])
@pytest.mark.parametrize(("probability_width", "guard_bits"), WIDTHS)
@pytest.mark.parametrize("scale", SCALES)
def test_z_is_never_negative(scale: float, probability_width: int, guard_bits: int, accumulator: str) -> None:
    """A negative one would wrap round to the largest. Every score alone, then with others of all sizes, before and behind it."""
    widths = numerics(
        config_of(scale, probability_width, guard_bits, max_length=9, score_width=6, accumulator=accumulator)
    )
    alone = np.arange(64)[:, None]
    assert logarithms(widths, alone).min() >= 0
    pairs = np.stack(np.meshgrid(np.arange(64), np.arange(64)), axis=-1).reshape(-1, 2)
    assert logarithms(widths, pairs).min() >= 0
    rng = np.random.default_rng(61)
    near = rng.integers(0, 64, (400, 1)) - rng.integers(0, 4, (400, 9))
    assert logarithms(widths, np.clip(near, 0, 63)).min() >= 0


@pytest.mark.parametrize(("probability_width", "guard_bits"), WIDTHS)
def test_a_larger_sum_has_no_smaller_logarithm(probability_width: int, guard_bits: int) -> None:
    """No further element can bring z below its value for the largest element alone, because the logarithm is monotonic."""
    tables = log_tables(4, 0.3, probability_width, guard_bits)
    unit = 1 << tables.working_fraction
    assert tables.logarithm.min() >= 0
    assert tables.logarithm.max() < unit
    # T + 1 is what the upper half of an interval has; behind the last entry comes the next octave.
    assert (tables.logarithm[:-1] + 1 <= tables.logarithm[1:]).all()
    # Every entry against float64, to a unit and the half that its interval needs.
    middle = 1 + (np.arange(1 << tables.fraction) + 0.5) / (1 << tables.fraction)
    assert np.abs((tables.logarithm + 0.5) / unit - np.log2(middle)).max() * unit < 1.0


@pytest.mark.parametrize(("probability_width", "guard_bits"), WIDTHS)
@pytest.mark.parametrize("scale", SCALES)
def test_the_offset_is_no_larger_than_it_has_to_be(scale: float, probability_width: int, guard_bits: int) -> None:
    widths = numerics(config_of(scale, probability_width, guard_bits, max_length=2, score_width=6))
    tables = widths.logarithms
    assert tables is not None
    unit = 1 << tables.working_fraction
    least = -float(tables.low)
    epsilon = unit * np.log2(1 / (1 - 2.0 ** -(probability_width + guard_bits)))
    assert least + epsilon <= float(tables.offset) * unit <= least + epsilon + 0.25 + 1e-6
    # Half a unit of Y, one of the carry, and what an entry of T cannot give to both ends of its interval: less than three.
    assert least < 3
    assert float(widths.tables.error) <= float(tables.epsilon) * (1 + 2.0**-20)


@pytest.mark.parametrize("form", ["UQ0", "UQ1"])
@pytest.mark.parametrize(("probability_width", "guard_bits"), WIDTHS)
def test_the_last_table_rises_to_one(probability_width: int, guard_bits: int, form: str) -> None:
    """Within an octave a larger fraction is a smaller probability; the next octave lies below all of the one before."""
    widths = numerics(config_of(0.1467, probability_width, guard_bits, max_length=4, probability_format=form))
    codes = widths.antilogarithm
    fraction = probability_width + guard_bits - 2
    assert len(codes) == 2 << fraction
    assert codes[0] == 0
    assert codes.max() == codes[1 << fraction] == widths.probability_maximum
    for octave in range(fraction + 1):
        low = 1 << octave
        part = codes[low : 2 * low]
        assert (np.diff(part) <= 0).all()
        if octave:
            assert part[-1] >= codes[low >> 1]


def attack(config: Config, scores: np.ndarray) -> float:
    """Largest error in ulp of codes that do not saturate; asserts that it is within the bound."""
    limits = bound(config)
    codes = golden(config, scores).probabilities
    assert codes is not None
    errors = error_ulp(config, codes, scores)
    assert errors.max() <= float(limits.worst) + float64_slack_ulp(config)
    saturated = (codes == config.probability_maximum) & (config.probability_format == "UQ0")
    worst = float(errors[~saturated].max(initial=0))
    assert worst <= float(limits.total) + float64_slack_ulp(config)
    return worst


@pytest.mark.parametrize(("scale", "probability_width", "guard_bits"), [(0.03, 8, 4), (0.0625, 4, 3), (0.0625, 7, 5)])
def test_the_bound_under_random_vectors(scale: float, probability_width: int, guard_bits: int) -> None:
    """Wide, narrow and far from the largest code: the errors of the logarithms add to those of rounding."""
    config = config_of(scale, probability_width, guard_bits, max_length=24)
    rng = np.random.default_rng(62)
    worst = 0.0
    for length in (2, 5, 24):
        centre = rng.integers(-128, 128, (1500, 1))
        spread = rng.choice([2, 8, 40, 256], (1500, 1))
        scores = np.clip(centre + np.rint(rng.standard_normal((1500, length)) * spread), -128, 127).astype(int)
        worst = max(worst, attack(config, scores))
    # Rounding alone gives half an ulp: an attack that stays below attacked nothing.
    assert worst > 0.5


@pytest.mark.parametrize("form", ["UQ0", "UQ1"])
@pytest.mark.parametrize("accumulator", ["absolute", "two_windows", "reference"])
@pytest.mark.parametrize(("scale", "probability_width", "guard_bits"), [(0.1467, 4, 4), (0.7, 6, 5)])
def test_every_triple_of_four_bit_scores(
    scale: float, probability_width: int, guard_bits: int, accumulator: str, form: str
) -> None:
    more = {"score_width": 4, "max_length": 3, "accumulator": accumulator, "probability_format": form}
    triples = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 3), axis=-1).reshape(-1, 3)
    assert attack(config_of(scale, probability_width, guard_bits, **more), triples) > 0.5


@pytest.mark.parametrize(("probability_width", "guard_bits"), [(5, 4), (8, 4)])
def test_the_bound_with_a_reference_and_long_vectors(probability_width: int, guard_bits: int) -> None:
    config = config_of(0.3, probability_width, guard_bits, max_length=3000, accumulator="reference")
    rng = np.random.default_rng(63)
    rows = [np.full(3000, level) for level in (-128, 0, 127)]
    for level in (0, 90, 110, 120, 126):
        row = np.full(3000, level)
        row[0] = 127
        rows += [row, row[::-1]]
    rows += [np.linspace(-128, 127, 3000).round().astype(int), rng.integers(-128, 128, 3000)]
    attack(config, np.array(rows))


def test_the_bound_of_an_exact_case() -> None:
    """One score of two bits with a scale of ln 2 nats: all by hand. Two equal scores are 1/2, four are 1/4."""
    config = config_of(float(np.log(2)), 4, 4, score_width=2, max_length=4)
    for count in (1, 2, 4):
        codes = golden(config, np.full((1, count), 1)).probabilities
        assert codes is not None
        assert np.abs(codes - min(16 // count, 15)).max() <= 1
    assert Fraction(1, 2) < bound(config).total <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"score_width": 11},
            "normaliser = 'logarithm' with score_width = 11: takes scores of at most 10 bits; normaliser = 'reciprocal' would do",
        ),
        (
            {"probability_width": 12, "guard_bits": 3},
            "normaliser = 'logarithm' with probability_width = 12, guard_bits = 3: their sum must be at most 14, because the "
            "table has 2^(P + k − 1) entries; normaliser = 'divider' would do",
        ),
        (
            {"guard_bits": 1},
            "guard_bits = 1 with probability_width = 8: the error bound would be 2.482 ulp, at most 1 ulp is allowed; "
            "guard_bits = 3 would do",
        ),
        (
            {"probability_width": 12, "guard_bits": 1},  # three guard bits would be needed
            "at most 1 ulp is allowed; normaliser = 'divider' with guard_bits = 4 would do",
        ),
    ],
)
def test_refusals_name_a_remedy(changes: dict[str, int], message: str) -> None:
    config = Config(max_length=16).replace(**changes)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        bound(config.replace(normaliser="logarithm"))
    assert "\n" not in str(caught.value)
    recommended = dict(re.findall(r"(\w+) = '?(\w+)'?", str(caught.value).rpartition(";")[2]))
    if "guard_bits" in recommended:
        recommended["guard_bits"] = int(recommended["guard_bits"])
    assert bound(config.replace(**recommended)).total <= 1
