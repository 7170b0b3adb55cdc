"""Tables of natural logarithms: off by no more than they say, and the bound of log-softmax and cross-entropy."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.limits import DIRECT_WIDTH
from softstream.hw.errors import UserError
from softstream.hw.numbers.log_softmax import log_bound, log_numerics
from softstream.hw.numbers.natural_logarithm import ln_tables
from softstream.sim.golden import golden
from softstream.sim.golden.normalisers.log_sum import log_sum

SCALES = (1e-6, 0.1467, math.log(2), 1.9)
WIDTHS = ((2, 4), (4, 3), (8, 3), (9, 4))  # (P, k)


def log_softmax(config: Config, positions: np.ndarray) -> np.ndarray:
    """Codes of whole vectors of positions."""
    codes = golden(config.replace(mode="log_softmax"), positions + config.score_format.minimum)["log_probabilities"]
    return np.asarray(codes)


def exact_log_softmax(config: Config, positions: np.ndarray) -> np.ndarray:
    """In float64, relative to the largest score, so that nothing cancels."""
    shifted = (positions - positions.max(axis=1, keepdims=True)) * config.score_scale
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize(("probability_width", "guard_bits"), WIDTHS)
@pytest.mark.parametrize("scale", SCALES)
def test_errors_of_all_entries_are_within_the_limits_of_the_tables(
    scale: float, probability_width: int, guard_bits: int
) -> None:
    """Every position, every octave, and both ends of every half interval of ln m, in float64."""
    width = 8
    tables = ln_tables(width, scale, 40, probability_width, guard_bits)
    unit = 2.0**tables.working_fraction
    assert tables.working_fraction == probability_width + guard_bits + 1
    position = np.arange(1 << width)
    y = tables.positions(position) - position * scale * unit
    octave = tables.octave - (1 << guard_bits) - np.arange(40) * math.log(2) * unit
    halves = 2 << tables.fraction
    edges = np.log1p(np.arange(halves + 1) / halves) * unit
    entry = np.repeat(tables.logarithm, 2) + 4 * (np.arange(halves) & 1)
    logarithm = np.concatenate([entry - edges[:-1], entry - edges[1:]])
    low, high = (float(value) for value in (tables.low, tables.high))
    slack = 1e-6  # float64, far above its own error at these magnitudes
    assert logarithm.min() + octave.min() - y.max() == pytest.approx(low, abs=slack)
    assert logarithm.max() + octave.max() - y.min() == pytest.approx(high, abs=slack)
    assert max(-low, high) <= 2.5 + 0.5 + 0.5
    assert logarithm.max() <= 2.5
    assert tables.logarithm.min() >= 0


def test_a_power_of_two_needs_no_table_of_positions() -> None:
    assert ln_tables(8, 0.0625, 40, 8, 4).position_shift == 13 - 4
    assert ln_tables(16, 2.0**-12, 40, 8, 4).position_shift == 1
    for scale in (0.1467, 0.09375, 2.0**-20):
        assert ln_tables(8, scale, 40, 8, 4).position_shift is None


def test_split_positions_add_their_errors() -> None:
    width = 12
    assert width > DIRECT_WIDTH
    tables = ln_tables(width, 0.0123, 80, 6, 4)
    position = np.arange(1 << width)
    exact = position * 0.0123 * 2.0**tables.working_fraction
    worst = np.abs(tables.positions(position) - exact).max()
    assert 0.5 < worst <= 1.0
    assert float(tables.high) <= 2.5 + 0.5 + 1.0


@pytest.mark.parametrize("probability_width", [2, 5, 8, 10])
def test_three_guard_bits_are_less_than_one_ulp(probability_width: int) -> None:
    """And two are not, for the sum's own error does not cancel: the exponentials alone are off by 2^-k ulp."""
    for accumulator in ("absolute", "two_windows", "reference"):
        config = Config(probability_width=probability_width, guard_bits=3, accumulator=accumulator, score_scale=0.05)
        assert 0.5 < log_bound(config).total < 1
        shares = log_bound(config)
        assert shares.rounding + shares.normaliser + shares.exponential + shares.accumulator == shares.total
        with pytest.raises(UserError, match="guard_bits = 3 would do"):
            log_bound(config.replace(guard_bits=2))


def attack(config: Config, positions: np.ndarray) -> float:
    """Largest error in ulp; asserts that it is within the bound."""
    codes = log_softmax(config, positions)
    errors = np.abs(codes - exact_log_softmax(config, positions) * 2.0**config.probability_width)
    assert errors.max() <= float(log_bound(config).total) + 1e-6
    assert codes.max() <= 0
    return float(errors.max())


@pytest.mark.parametrize("accumulator", ["absolute", "two_windows", "reference"])
@pytest.mark.parametrize(("scale", "probability_width", "guard_bits"), [(0.1467, 4, 4), (0.7, 6, 3), (0.0625, 8, 4)])
def test_the_bound_over_every_triple_of_four_bit_scores(
    scale: float, probability_width: int, guard_bits: int, accumulator: str
) -> None:
    config = Config(
        score_width=4, score_scale=scale, max_length=3, probability_width=probability_width, guard_bits=guard_bits,
        accumulator=accumulator,
    )  # fmt: skip
    triples = np.stack(np.meshgrid(*[np.arange(16)] * 3), axis=-1).reshape(-1, 3)
    assert attack(config, triples) > 0.5


@pytest.mark.parametrize(
    ("scale", "probability_width", "guard_bits", "score_width"),
    [(0.03, 8, 4, 8), (0.0625, 4, 3, 8), (0.0625, 10, 4, 8), (0.0123, 9, 3, 12), (2.0**-11, 10, 4, 16)],
)
def test_the_bound_under_random_vectors(
    scale: float, probability_width: int, guard_bits: int, score_width: int
) -> None:
    """Wide, narrow and far from the largest code; lengths that put the sum close to a power of two and far from it."""
    config = Config(
        score_width=score_width,
        score_scale=scale,
        max_length=40,
        probability_width=probability_width,
        guard_bits=guard_bits,
    )
    rng, largest = np.random.default_rng(71), (1 << score_width) - 1
    worst = 0.0
    for length in (1, 2, 3, 5, 24, 40):
        centre = rng.integers(0, largest + 1, (800, 1))
        spread = rng.choice([2, 8, 40, 256], (800, 1)) * (largest + 1) / 256
        scores = np.clip(centre + np.rint(rng.standard_normal((800, length)) * spread), 0, largest).astype(int)
        worst = max(worst, attack(config, scores))
    assert worst > 0.5


def test_the_bound_with_a_reference_and_long_vectors() -> None:
    config = Config(score_scale=0.3, max_length=3000, accumulator="reference", probability_width=5)
    rng = np.random.default_rng(63)
    rows = [np.full(3000, level) for level in (0, 128, 255)]
    for level in (128, 218, 238, 248, 254):
        row = np.full(3000, level)
        row[0] = 255
        rows += [row, row[::-1]]
    rows += [np.linspace(0, 255, 3000).round().astype(int), rng.integers(0, 256, 3000)]
    attack(config, np.array(rows))


def test_the_bound_by_hand() -> None:
    """One element is certain: ln 1 = 0. Two equal ones have ln 1/2, four ln 1/4, to the nearest code."""
    config = Config(score_width=3, score_scale=math.log(2), probability_width=8, max_length=4)
    for count, code in ((1, 0), (2, -177.4), (4, -354.9)):
        positions = np.full((1, count), 5)
        codes = log_softmax(config, positions)
        assert (codes == codes[0, 0]).all()
        assert abs(codes[0, 0] - code) < (0.7 if code else 0.1)


def test_nothing_overflows_in_the_format_that_is_derived() -> None:
    """The worst case is one smallest score among largest ones; one integer bit less would not hold it."""
    for scale, width, length in ((0.0625, 8, 1024), (0.1467, 8, 7), (2.0**-11, 16, 100), (1.9, 3, 2), (0.001, 4, 2)):
        config = Config(score_scale=scale, score_width=width, max_length=length)
        positions = np.full((1, length), (1 << width) - 1)
        positions[0, 0] = 0
        for signed in (True, False):
            numbers = log_numerics(config, signed=signed)
            exact = round(-float(exact_log_softmax(config, positions).min()) * 256)
            assert not numbers.saturates
            assert exact <= numbers.limit
            if numbers.format.integer_bits > 1:
                assert exact + 1 + 1 >= numbers.limit / 2


def test_a_narrow_format_saturates() -> None:
    config = Config(max_length=4, integer_bits=3)
    numbers = log_numerics(config, signed=True)
    assert str(numbers.format) == "Q3.8"
    assert numbers.saturates
    codes = log_softmax(config, np.array([[0, 255, 250, 100]]))
    assert codes[0, 0] == codes[0, 3] == numbers.format.minimum == -1024
    assert codes[0, 1] > -256


def test_every_divisor_and_octave_reaches_its_entries() -> None:
    """L rises with the sum, but for the two units that an entry in the middle of its interval may step back."""
    numbers = log_numerics(Config(max_length=8, probability_width=4, score_width=4), signed=True)
    one = 1 << numbers.widths.divisor_fraction
    divisors = np.arange(one, 2 * one)
    logarithms = np.concatenate(
        [log_sum(numbers, np.full_like(divisors, n), divisors) for n in range(len(numbers.tables.octave))]
    )
    assert np.diff(logarithms).min() >= -4
    exact = np.concatenate([np.log(divisors / one) + n * math.log(2) for n in range(len(numbers.tables.octave))])
    half = 1 << numbers.tables.guard_bits
    assert np.abs(logarithms - half - exact * 2.0**numbers.tables.working_fraction).max() <= 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"score_scale": 3.0},
            "score_scale = 3.0 and score_width = 8: the scores would span 765 nats; at most 512 in steps of at most 32 have a "
            "table of logarithms; score_scale = 2.0 would do",
        ),
        (
            {"score_scale": 40.0, "score_width": 2},
            "score_scale = 40.0 and score_width = 2: the scores would span 120 nats; at most 512 in steps of at most 32 have a "
            "table of logarithms; score_scale = 32.0 would do",
        ),
        (
            {"probability_width": 12},
            "probability_width = 12, guard_bits = 4: their sum must be at most 14, because the table of logarithms "
            "has 2^(P + k − 2) entries; probability_width = 10 would do",
        ),
    ],
)
def test_refusals_name_a_remedy(changes: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        Config(mode="log_softmax", **changes)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    key, value = re.findall(r"(\w+) = ([\d.]+)", str(caught.value).rpartition(";")[2])[0]
    config = Config.from_mapping({"mode": "log_softmax", **changes, key: type(changes[key])(value)})
    assert log_bound(config).total <= 1


def test_more_integer_bits_than_are_of_use_are_refused() -> None:
    with pytest.raises(UserError, match=re.escape("integer_bits = 7: must be from 0 to 6")):
        log_numerics(Config(integer_bits=7), signed=True)


def test_the_share_of_the_sum_is_its_relative_error() -> None:
    config = Config(score_scale=0.05)
    epsilon = log_numerics(config, signed=True).widths.tables.error
    share = log_bound(config).exponential
    assert abs(share - epsilon * 256) < Fraction(1, 1000)
