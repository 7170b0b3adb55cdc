"""Codes that sum to exactly 2^P: the sum, the minimum, and the error of the model against float64 and its proved bound."""

from fractions import Fraction

import numpy as np
import pytest
from support.exact_sums import CONFIGS, exact

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.exact_sum import exact_sum
from softstream.hw.numbers.softmax import CHORDS
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.golden.normalisers.exact_sum import quotient
from softstream.sim.reference.exact import Vectors
from softstream.sim.stimulus import random_sideband


def attacks(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Scores and lengths: every length, one far above all others, ties, near scores, and many of one ensemble each."""
    rng = np.random.default_rng(71)
    low, high = config.score_format.minimum, config.score_format.maximum
    vectors: list[np.ndarray] = []
    for length in range(1, config.max_length + 1):
        peak = np.full(length, low)
        peak[length // 2] = high
        vectors += [peak, np.full(length, high), np.linspace(low, high, length).astype(int)]
        vectors += list(rng.integers(max(low, high - 40), high, (60, length), endpoint=True))
        vectors += list(rng.integers(low, high, (15, length), endpoint=True))
    return pad_vectors(vectors, low)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_codes_are_a_distribution_near_the_formula(name: str) -> None:
    config, one = CONFIGS[name], 1 << CONFIGS[name].probability_width
    scores, lengths = attacks(config)
    sideband = random_sideband(config, scores)
    vectors = Vectors(config, scores, lengths, sideband)
    codes = vectors.results(golden(config, scores, lengths, sideband))["probabilities"]
    taking_part, heads = vectors.head_inputs.valid, vectors.head_inputs
    occupied = taking_part.any(axis=1)
    assert occupied.sum() > 60
    np.testing.assert_array_equal(codes.sum(axis=1), np.where(occupied, one, 0))
    assert (codes[~taking_part] == 0).all()
    assert codes[taking_part].min() >= config.minimum_code
    error = abs(codes - one * heads.softmax).max()
    assert error <= float(bound(config).total) + 1e-6
    # The bound is below 1 + 2^(1−k) ulp, and not far from what happens.
    assert bound(config).total < 1 + Fraction(2, 1 << config.guard_width)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_cumulative_codes_are_the_sums_of_the_codes(name: str) -> None:
    config = CONFIGS[name].replace(mode="cdf", sum="rounded", probability_format="UQ0")
    scores, lengths = attacks(config)
    sideband = random_sideband(config, scores)
    vectors = Vectors(config, scores, lengths, sideband)
    cumulative = vectors.results(golden(config, scores, lengths, sideband))["cumulative"]
    plain = Vectors(CONFIGS[name], scores, lengths, sideband)
    codes = plain.results(golden(CONFIGS[name], scores, lengths, sideband))["probabilities"]
    heads = vectors.head_inputs
    valid = np.arange(codes.shape[1]) < heads.lengths[:, None]
    np.testing.assert_array_equal(cumulative, np.where(valid, np.cumsum(codes, axis=1), 0))
    if config.minimum_code and not config.mask:
        assert (np.diff(cumulative, axis=1)[valid[:, 1:]] > 0).all()
    error = abs(cumulative - (1 << config.probability_width) * np.cumsum(heads.softmax, axis=1))[valid].max()
    assert 0.4 < error <= float(bound(config).total) + 1e-6 or config.max_length == 1


def test_plain_rounding_needs_it() -> None:
    """Codes that are rounded one by one sum to anything near 2^P."""
    config = Config(max_length=16, probability_format="UQ1")
    codes = golden(config, *attacks(config)).probabilities
    assert codes is not None
    assert len(set(codes.sum(axis=1))) > 5


def test_every_width_of_chords_reaches_the_whole() -> None:
    """The measured errors of the chords fulfil the condition of the proof, with the fewest guard bits and with a minimum."""
    for precise in CHORDS:
        for minimum in (0, 1):
            for guard_bits in (1, 2, 4):
                width = precise - 1 - guard_bits
                config = exact(
                    normaliser="reciprocal", probability_width=width, guard_bits=guard_bits, minimum_code=minimum
                )
                numbers = exact_sum(config)
                assert numbers.widths.reciprocals is not None
                assert numbers.exact


@pytest.mark.parametrize("division", ["divider", "reciprocal"])
def test_exhaustive_quotients_rise_to_the_whole(division: str) -> None:
    """Every divisor with every dividend, at a small width: the quotient never falls, and is the whole at the divisor."""
    for minimum in (0, 1):
        config = exact(normaliser=division, probability_width=3, guard_bits=2, minimum_code=minimum, max_length=4)
        numbers = exact_sum(config)
        fraction, half = numbers.widths.divisor_fraction, 1 << (numbers.quotient_width - 1)
        for divisor in range(1 << fraction, 2 << fraction):
            dividends = np.arange(divisor + 1)
            ratios = quotient(numbers, division, dividends, np.full_like(dividends, divisor))
            assert (np.diff(ratios) >= 0).all()
            for share in range(numbers.one + 1 if minimum else numbers.one, numbers.one + 1):
                assert (share * ratios[-1] + half) >> numbers.quotient_width == share
