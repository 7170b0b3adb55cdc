"""The exact values of the scores that a person gave, before quantisation: the reference that shows what quantising costs.

    vectors = FloatVectors.of(config, floats, shift, lengths, sideband)
    exact_values("log_probabilities", vectors)             # of the given real scores, in float64

Scores are real numbers in nats before the temperature. They enter the formulas of `exact` in units of `score_scale`, but they
are neither rounded nor limited to the score format. Options that belong to the function (temperature, clip, smoothing, floor,
groups, ensembles, mask) apply as they do to codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping
from softstream.sim.reference.exact import Vectors
from softstream.sim.reference.softmax import merits, winner_index

__all__ = ["FloatVectors"]

_LARGEST = 1e300
"""Largest magnitude in units of `score_scale`: a logarithm of an element that far below the others stays finite."""
_LEAST = 5e-324
"""The smallest number of float64 above 0."""


@dataclass(frozen=True)
class FloatVectors(Vectors):
    """The inputs of a head as real scores: `scores` in units of `score_scale`, and the scores as they were given."""

    floats: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    """float64 [V, N], −∞ for excluded elements: the winner is that of these numbers, because a quotient may merge two of them."""

    @classmethod
    def of(
        cls,
        config: Config,
        floats: np.ndarray,
        shift: np.ndarray,
        lengths: np.ndarray,
        sideband: Mapping[str, np.ndarray] | None = None,
    ) -> "FloatVectors":
        """Vectors of real scores [V, N]; `shift` [V], or [V, G] for packets of groups, is what the quantiser subtracted."""
        if not config.groups:
            return cls(config, _in_steps(config, floats, shift, lengths), lengths, sideband or {}, floats)
        groups = Grouping(config.groups, lengths)
        steps = _in_steps(config, groups.split(floats), groups.split_groups(shift), groups.lengths)
        return cls(config, groups.join(steps, floats.shape[1]), lengths, sideband or {}, floats)

    @cached_property
    def head_inputs(self) -> Vectors:
        """The inputs of the head behind the input stages, one vector for each result."""
        inner, groups = super().head_inputs, self.groups
        if groups is None:
            return inner
        return FloatVectors(inner.config, inner.scores, inner.lengths, inner.sideband, groups.split(self.floats))

    @cached_property
    def winners(self) -> np.ndarray:
        """Index of the winner among the given scores, [V]; for an ensemble, of the largest mean."""
        if self.head_inputs is not self or self.config.ensemble > 1:
            return super().winners
        return winner_index(self.config, merits(self.config, self.floats), self.valid)


def _in_steps(config: Config, floats: np.ndarray, shift: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Real scores [V, N] in units of `score_scale`, 0 where excluded; relative to the winner's score where this changes nothing.

    Differences from the winner's score lose no digits, and none of them becomes 0.
    """
    present = (floats != -np.inf) & (np.arange(floats.shape[1]) < lengths[:, None])
    scores = np.where(present, floats, 0)
    with np.errstate(over="ignore"):  # a quotient beyond float64 is limited below
        if config.shift_invariant and config.ensemble == 1:
            # merits is its own inverse.
            peak = np.where(present, merits(config, floats), -np.inf).max(axis=1, keepdims=True)
            differences = merits(config, scores) - np.where(np.isfinite(peak), peak, 0)
            below = np.where(differences < 0, np.minimum(differences / config.score_scale, -_LEAST), 0)
            steps = merits(config, below)
        else:
            steps = (scores - shift[:, None]) / config.score_scale + config.score_zero_point
    return np.where(present, np.clip(steps, -_LARGEST, _LARGEST), 0)
