"""Errors of the model's probabilities against the exact ones of the codes: given codes, pairs, adversarial vectors."""

import math
from dataclasses import dataclass

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.two_pass import differences
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64, valid_elements
from softstream.sim.stimulus import corner_vectors, limit_vectors

__all__ = ["Sweep", "signed_errors", "sweep_pairs", "worst_errors"]

_SWEEP_PAIRS_LOG2 = 16
"""log2 of the largest number of pairs that the sweep takes one by one; beyond it, every difference once."""


@dataclass(frozen=True)
class Sweep:
    """Two scores, over all their differences: the extreme errors of the first one's probability, in ulp, signed."""

    difference: np.ndarray
    """Real difference first − second, in nats."""
    lowest: np.ndarray
    highest: np.ndarray
    exhaustive: bool
    """Whether every pair of codes was tried, or every difference once."""


def signed_errors(config: Config, codes: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(errors in ulp, code − zero point − p·levels; whether the saturation of 1.0 causes the error)."""
    ideal = exact * config.levels
    steps, top = codes - config.output_zero_point, config.probability_maximum
    return steps - ideal, (steps == top) & (ideal > top + 0.5)


def sweep_pairs(config: Config) -> tuple[Sweep, np.ndarray, np.ndarray] | None:
    """Two scores over all their differences: the extremes, the error of every first probability, and whether it saturated.

    All members of an ensemble have the same scores.
    """
    if config.max_length < 2:
        return None
    low, high = config.score_format.minimum, config.score_format.maximum
    codes = np.arange(low, high + 1)
    exhaustive = 2 * config.score_width <= _SWEEP_PAIRS_LOG2
    if exhaustive:
        first, second = (grid.ravel() for grid in np.meshgrid(codes, codes))
    else:  # one of the two is the largest code
        first, second = np.append(codes, np.full_like(codes, high)), np.append(np.full_like(codes, high), codes)
    pairs = np.repeat(np.stack([first, second], axis=1), config.ensemble, axis=0)
    error, saturated = (both[:, 0] for both in _signed_errors(config, pairs))
    span = high - low
    lowest, highest = np.full(2 * span + 1, np.inf), np.full(2 * span + 1, -np.inf)
    np.minimum.at(lowest, first - second + span, error)
    np.maximum.at(highest, first - second + span, error)
    difference = np.arange(-span, span + 1) * config.effective_scale
    return Sweep(difference, lowest, highest, exhaustive), error, saturated


def worst_errors(config: Config, seed: int) -> tuple[float, float]:
    """The largest errors in ulp, before saturation of 1.0 and with it, in softmax mode only.

    The vectors are corner vectors and those at the length limit, every pair of scores (or every difference of two), vectors
    that combine the table entries with the largest errors of both signs, and random ones: normal scores of 1/2 to 8 nats, of
    many lengths. The same seed gives the same vectors.
    """
    rng = np.random.default_rng(seed)
    swept = sweep_pairs(config)
    groups = [] if swept is None else [swept[1:]]
    for vectors in (corner_vectors(config, rng), limit_vectors(config, rng)):
        groups.append(_errors(config, *pad_vectors(vectors, config.score_format.minimum)))
    lengths = sorted({min(length, config.max_length) for length in _LENGTHS} | {config.max_length})
    for length in lengths:
        groups.append(_errors(config, np.repeat(_biased(config, length), config.ensemble, axis=0)))
        count = max(1, _ELEMENTS // (length * config.ensemble)) * config.ensemble
        groups.append(_errors(config, _normal(config, rng, count, length)))
    whole = max(float(np.abs(error).max()) for error, _ in groups)
    unsaturated = max(float(np.abs(error[~saturated]).max(initial=0.0)) for error, saturated in groups)
    return unsaturated, whole


_LENGTHS = (1, 2, 3, 5, 10, 17, 64, 300, 1000)
_ELEMENTS = 100_000
"""Random scores of each length."""


def _errors(config: Config, scores: np.ndarray, lengths: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    valid = result_lengths(config, valid_elements(config, scores, lengths))
    error, saturated = _signed_errors(config, scores, lengths)
    return error[valid], saturated[valid]


def _signed_errors(
    config: Config, scores: np.ndarray, lengths: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`signed_errors` of the model; where each vector brings its sink, a random one, the same for as many vectors."""
    bits = np.random.default_rng(len(scores)).integers(0, 1 << config.score_width, len(scores))
    sideband = {"sinks": bits} if config.sink_per_vector else {}
    codes = golden(config, scores, lengths, sideband).probabilities
    assert codes is not None
    return signed_errors(config, codes, softmax_float64(config, scores, lengths, **sideband))


def _biased(config: Config, length: int) -> np.ndarray:
    """Vectors of the codes whose exponential is rounded up and down the most, one against all the others."""
    octaves = np.arange(1 << config.score_width) * min(config.effective_scale * math.log2(math.e), 64.0)
    if config.accumulator == "two_pass":
        table = differences(config).exponential
        order = np.argsort(table / table[0] - np.exp2(-octaves))
        highest = (1 << config.score_width) - 1
        extremes = config.code(highest - np.concatenate([order[:4], order[-4:], [0]]))
    else:
        exponent, significand = numerics(config).tables.all_positions
        order = np.argsort(significand * np.exp2(exponent - octaves))
        extremes = config.code(np.concatenate([order[:4], order[-4:]]))
    one, many = (grid.ravel() for grid in np.meshgrid(extremes, extremes))
    vectors = np.repeat(many[:, None], length, axis=1)
    vectors[:, 0] = one
    return vectors


def _normal(config: Config, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    low, high = config.score_format.minimum, config.score_format.maximum
    nats = rng.choice((0.5, 1.0, 2.0, 4.0, 8.0), (count, 1))
    centre = rng.uniform(low, high, (count, 1))
    scores = centre + rng.standard_normal((count, length)) * nats / config.effective_scale
    return np.clip(np.rint(scores), low, high).astype(np.int64)
