"""The quantiser of real scores: rounding, the shift of vectors that do not fit, and what saturates.

A real score x becomes round_half_to_even(x / score_scale) + score_zero_point, as ONNX's QuantizeLinear has it. A vector with a
score beyond the score format is shifted where a constant added to all its scores changes no result (`Config.shift_invariant`):
its largest score gets the largest code, and a score x gets largest code + round_half_to_even((x − largest score) / score_scale).
With `select = smallest` it is the smallest score, which gets the smallest code. What is still beyond the format saturates.
"""

from dataclasses import dataclass

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.reference.softmax import merits, winner_index

__all__ = ["Quantised", "quantised", "saturating_codes"]


@dataclass(frozen=True)
class Quantised:
    """Vectors of real scores as codes."""

    codes: np.ndarray
    """int64 [V, N], 0 where no element takes part."""
    shift: np.ndarray
    """What was subtracted from the scores of each vector, float64 [V]."""
    saturated: np.ndarray
    """Which scores were beyond the format after the shift, bool [V, N]."""
    winners: np.ndarray
    """The index of the winner among the scores, int64 [V]; 0 where no element takes part."""
    lost: np.ndarray
    """Whether the winner's score is among the saturated ones, bool [V]; false in a mode without a winner."""


def quantised(config: Config, scores: np.ndarray, present: np.ndarray, *, saturate: bool = False) -> Quantised:
    """Finite scores [V, N], float64, of which those of `present`, bool [V, N], take part.

    With `saturate` no vector is shifted.
    """
    low, high = config.score_format.minimum, config.score_format.maximum
    end = int(config.code((1 << config.score_width) - 1))  # the code that wins over all others
    winners = winner_index(config, merits(config, scores), present)
    shift = np.zeros(len(scores))
    steps = np.where(present, _steps(config, scores) + config.score_zero_point, 0)
    if config.shift_invariant and not saturate:
        rows = np.flatnonzero(((steps < low) | (steps > high)).any(axis=1))
        extremes = scores[rows, winners[rows]]
        with np.errstate(over="ignore"):  # a difference beyond float64 saturates as infinity does
            differences = _steps(config, scores[rows] - extremes[:, None])
        steps[rows] = np.where(present[rows], end + differences, 0)
        shift[rows] = extremes - config.real_value(end)
    saturated = (steps < low) | (steps > high)
    lost = saturated[np.arange(len(scores)), winners] & (not config.traits.independent)
    return Quantised(np.clip(steps, low, high).astype(np.int64), shift, saturated, winners, lost)


def saturating_codes(config: Config, scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Score codes of real scores without a shift, int64, and how many of them saturated. The scores hold no NaN."""
    steps = _steps(config, np.asarray(scores, dtype=np.float64)) + config.score_zero_point
    low, high = config.score_format.minimum, config.score_format.maximum
    saturated = int(np.count_nonzero((steps < low) | (steps > high)))
    return np.clip(steps, low, high).astype(np.int64), saturated


def _steps(config: Config, scores: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # a quotient beyond float64 saturates as infinity does
        return np.rint(scores / config.score_scale)
