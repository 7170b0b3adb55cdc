"""The golden model: the stages of `hw/head.py` in data-path order, on whole arrays of vectors."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from softstream.hw.config import Config
from softstream.hw.differences import differences
from softstream.hw.errors import UserError
from softstream.hw.numerics import numerics

from . import divider, logarithm, reciprocal, unnormalised
from .accumulate import accumulate
from .exponential import exponential
from .frame import frame, unframe
from .maximum import maximum
from .normalise import normalise
from .two_pass import two_pass

__all__ = ["NORMALISERS", "Result", "checked", "golden"]

NORMALISERS: dict[str, ModuleType] = {
    "divider": divider,
    "reciprocal": reciprocal,
    "logarithm": logarithm,
    "none": unnormalised,
}

_BLOCK_ELEMENTS = 1 << 16
"""Elements per block: intermediate arrays then stay in the processor's cache."""


@dataclass(frozen=True)
class Result:
    """What a head puts out for V vectors of at most N elements."""

    argmax: np.ndarray
    """First index of the largest score, int64 [V]."""
    best: np.ndarray
    """The largest score's code, int64 [V]."""
    overlong: np.ndarray
    """Whether the vector was longer than max_length and was cut, bool [V]."""
    probabilities: np.ndarray | None
    """Probability codes, int64 [V, N], 0 beyond each length; None in argmax mode."""


def checked(config: Config, scores: np.ndarray, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Scores and lengths as arrays, every length given. Raises `UserError` as `golden` does."""
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] == 0 or not np.issubdtype(scores.dtype, np.integer):
        raise UserError(
            f"scores: an array of {scores.dtype} with shape {scores.shape}; must be integer codes [vectors, N] with N >= 1"
        )
    fmt = config.score_format
    if scores.size and (int(scores.min()) < fmt.minimum or int(scores.max()) > fmt.maximum):
        where = tuple(int(i) for i in np.argwhere((scores < fmt.minimum) | (scores > fmt.maximum))[0])
        raise UserError(
            f"scores[{where[0]}, {where[1]}] = {scores[where]}: outside the score format, {fmt.minimum} to {fmt.maximum}; "
            f"clip it to {fmt.maximum if scores[where] > 0 else fmt.minimum}"
        )
    if lengths is None:
        return scores, np.full(len(scores), scores.shape[1], dtype=np.int64)
    lengths = np.asarray(lengths)
    if lengths.shape != (len(scores),) or not np.issubdtype(lengths.dtype, np.integer):
        raise UserError(
            f"lengths: an array of {lengths.dtype} with shape {lengths.shape}; must be {len(scores)} integers, one per vector"
        )
    wrong = np.flatnonzero((lengths < 1) | (lengths > scores.shape[1]))
    if len(wrong):
        raise UserError(
            f"lengths[{wrong[0]}] = {lengths[wrong[0]]}: must be from 1 to {scores.shape[1]}, the columns of the scores; "
            f"for example {scores.shape[1]}"
        )
    return scores, lengths.astype(np.int64)


def golden(config: Config, scores: np.ndarray, lengths: np.ndarray | None = None) -> Result:
    """The result of a head, bit for bit: integer score codes [V, N] in, integer codes out.

    `lengths` [V] tells how many elements of each row count (default: all); a length over max_length is cut and flagged,
    as in hardware. Raises `UserError` for other than integer codes within the score format and lengths of 1 to N.
    """
    scores, lengths = checked(config, scores, lengths)
    block = max(1, _BLOCK_ELEMENTS // scores.shape[1])
    argmax = np.zeros(len(scores), dtype=np.int64)
    best = np.zeros(len(scores), dtype=np.int64)
    overlong = np.zeros(len(scores), dtype=bool)
    probabilities = np.zeros(scores.shape, dtype=np.int64) if config.mode == "softmax" else None
    for start in range(0, len(scores), block):
        rows = slice(start, start + block)
        positions, framed, overlong[rows] = frame(config, scores[rows], lengths[rows])
        valid = np.arange(positions.shape[1]) < framed[:, None]
        argmax[rows], winner = maximum(positions, valid)
        best[rows] = unframe(config, winner)
        if probabilities is not None:
            probabilities[rows, : positions.shape[1]] = _softmax(config, positions, valid)
    return Result(argmax, best, overlong, probabilities)


def _softmax(config: Config, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    if config.accumulator == "two_pass":
        return two_pass(differences(config), positions, valid)
    widths = numerics(config)
    normaliser = NORMALISERS[config.normaliser]
    reference, total = accumulate(widths, *exponential(widths, positions), valid)
    sum_exponent, divisor = normalise(widths, reference, total)
    factor = normaliser.factor(widths, divisor)
    # A probability depends on its vector's sum and its own position alone: where vectors are longer than there are
    # positions, each position is worked out once and looked up.
    every = np.arange(1 << config.score_width)[None]
    repeated = positions.shape[1] > every.shape[1]
    codes = normaliser.emit(widths, sum_exponent[:, None], factor[:, None], every if repeated else positions)
    if repeated:
        # Row by row within the flat array: several times quicker than take_along_axis.
        codes = codes.ravel()[positions + np.arange(len(positions))[:, None] * every.shape[1]]
    return np.where(valid, codes, 0)
