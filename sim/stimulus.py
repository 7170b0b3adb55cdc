"""Vectors that benches send: corners, vectors at the length limit, and random ones."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import sidebands

__all__ = ["corner_vectors", "limit_vectors", "members", "random_sideband", "random_vectors"]

Vectors = list[np.ndarray]

SHORT = 20
"""Length that short stimuli keep to; a simulation of vectors at the length limit of 1024 or more is costly."""


def random_sideband(config: Config, scores: np.ndarray, *, whole: bool = False) -> dict[str, np.ndarray]:
    """A random sideband of scores [V, N], the same for the same scores, whatever vectors follow them.

    A field of elements (the mask) is nonzero in no element of a vector, in half, in nearly all, or in all of them; with
    `whole`, in none.
    """
    arrays: dict[str, np.ndarray] = {}
    for number, field in enumerate(sidebands(config)):
        values: list[np.ndarray] = []
        for row, first in enumerate(scores[:, 0]):
            rng = np.random.default_rng([number, row, int(first) & 0xFFFF])
            if field.per == "vector":
                values.append(rng.integers(0, field.limit, (), endpoint=True))
            else:
                often = 0.0 if whole else rng.choice((0.0, 0.5, 0.9, 1.0))
                # An element takes one random number, so that those in front stay the same however long the vector is.
                part = rng.random(scores.shape[1])
                values.append(np.where(part < often, 1 + np.floor(part / (often or 1) * field.limit), 0))
        arrays[field.array] = np.array(values, dtype=np.int64)
    return arrays


def _longest(config: Config) -> int:
    """Length that most vectors keep to; a packet of groups may have more than one round of them."""
    return min(sum(config.groups) + config.max_length if config.groups else config.max_length, SHORT)


def _uniform(config: Config, rng: np.random.Generator, length: int) -> np.ndarray:
    return rng.integers(config.score_format.minimum, config.score_format.maximum, length, endpoint=True)


def _spread(config: Config, rng: np.random.Generator, length: int) -> np.ndarray:
    """Scores within a few nats of one another, whose probabilities are neither 0 nor 1 and whose order is random."""
    low, high = config.score_format.minimum, config.score_format.maximum
    nats = rng.choice((0.5, 2.0, 6.0))
    scores = rng.normal(rng.uniform(low, high), nats / config.effective_scale, length)
    return np.clip(np.rint(scores), low, high).astype(np.int64)


def members(config: Config, rng: np.random.Generator, vectors: Vectors) -> Vectors:
    """The members of ensembles, in order. Each vector is one member; the others are copies, reversed copies and random ones.

    In every other ensemble they are all of its length, in the others each may be of another.
    """
    if config.ensemble == 1:
        return vectors
    vectors_of_members = []
    for row, vector in enumerate(vectors):
        others = [
            (np.array, np.flip, lambda v: _uniform(config, rng, len(v)))[rng.integers(0, 3)](vector)
            for _ in range(config.ensemble - 1)
        ]
        if row % 2:
            others = [np.resize(other, rng.integers(1, len(other) + 2)) for other in others]
        place = int(rng.integers(0, config.ensemble))
        vectors_of_members += [*others[:place], vector, *others[place:]]
    return vectors_of_members


def random_vectors(config: Config, rng: np.random.Generator, count: int) -> Vectors:
    """Vectors of random lengths up to `SHORT`, half of them over the whole range, half within a few nats.

    Of ensembles, so many of them, as all of these stimuli.
    """
    longest = _longest(config)
    lengths = rng.integers(1, longest, count, endpoint=True)
    vectors = [(_uniform, _spread)[row % 2](config, rng, int(length)) for row, length in enumerate(lengths)]
    return members(config, rng, vectors)


def corner_vectors(config: Config, rng: np.random.Generator) -> Vectors:
    """Single elements, equal scores, ties, ramps, extremes, every short length; random vectors between and after them."""
    low, high = config.score_format.minimum, config.score_format.maximum
    middle = (low + high + 1) // 2
    longest = _longest(config)
    ramp = np.linspace(low, high, longest).astype(np.int64)
    step = np.clip(middle + np.arange(longest), low, high)
    peak = np.full(longest, low)
    peak[longest // 2] = high
    ties = _uniform(config, rng, longest)
    ties[longest // 3 :: 2] = ties.max()
    vectors = [np.array([value]) for value in (low, high, middle)]
    vectors += [np.full(length, value) for value in (low, high, middle) for length in {min(2, longest), longest}]
    vectors += [ramp, ramp[::-1], step, step[::-1], peak, ties, np.resize([low, high], longest)]
    vectors += [_spread(config, rng, length) for length in range(1, min(5, longest) + 1)]
    return members(config, rng, vectors) + random_vectors(config, rng, 6)


def limit_vectors(config: Config, rng: np.random.Generator) -> Vectors:
    """Vectors of max_length and longer, with the shortest ones right behind them.

    The cut parts hold the largest score, which must not win; the flag of a cut vector must not reach its neighbours.
    """
    limit = config.max_length
    low, high = config.score_format.minimum, config.score_format.maximum
    over = np.minimum(_uniform(config, rng, limit + 1), high - 1)
    over[-1] = high
    far = np.full(limit + 2 + min(limit, SHORT), low)
    far[limit:] = high
    single = [np.array([high]), np.array([low])]
    tail = [_spread(config, rng, min(2, limit)), _spread(config, rng, min(3, limit))]
    vectors = [_spread(config, rng, limit), single[0], over, single[1], *tail, far, *single]
    if limit <= SHORT:
        # Where it is cheap: every element the same over the whole length, and overlong vectors back to back.
        vectors += [np.full(limit, high), over, over, far, np.full(limit, low), _uniform(config, rng, limit)]
    return members(config, rng, vectors)
