"""Scores, lengths and labels from .npy files: read, checked, and floats quantised to score codes.

Quantisation of a real score x: code = round_half_to_even(x / score_scale), saturated to the score format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError

__all__ = ["Scores", "quantise", "read_labels", "read_scores", "read_sidebands", "to_codes", "to_lengths"]


@dataclass(frozen=True)
class Scores:
    """Score codes that a head of the given configuration takes."""

    codes: np.ndarray
    """int64 [V, N]; 0 beyond each length."""
    lengths: np.ndarray
    """int64 [V], 1 to N."""
    quantised: bool
    """Whether the scores were real numbers."""
    saturated: int
    """How many of them were beyond the score format and became its largest or smallest code."""


def read_scores(config: Config, scores: Path, lengths: Path | None = None) -> Scores:
    """The scores in a file, [vectors, N]: integers are codes, floats are quantised with `config.score_scale`.

    Raises `UserError` for a file, type, shape, code, NaN or length that will not do, with its position.
    """
    array = _load("--scores", scores)
    return to_codes(config, array, None if lengths is None else _load("--lengths", lengths), str(scores), str(lengths))


def to_codes(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    name: str = "scores",
    lengths_name: str = "lengths",
) -> Scores:
    """As `read_scores`, from arrays; the names are what messages call them."""
    if scores.dtype.kind not in "iuf":
        raise UserError(
            f"{name}: an array of {scores.dtype}; must be integers (score codes) or floats; for example .astype('int8')"
        )
    if scores.ndim != 2 or 0 in scores.shape:
        example = f"reshape it to (1, {scores.size})" if scores.ndim == 1 and scores.size else "for example (100, 10)"
        raise UserError(f"{name}: shape {scores.shape}; must be [vectors, N] with at least one of each; {example}")
    vectors, columns = scores.shape
    if lengths is None and columns > _most(config, columns):
        raise UserError(
            f"{name}: vectors of {columns} elements; must be max_length = {config.max_length} at most; "
            f"for example --set max_length={columns}"
        )
    counts = (
        np.full(vectors, columns) if lengths is None else to_lengths(config, lengths, vectors, columns, lengths_name)
    )
    used = np.arange(columns) < counts[:, None]
    if scores.dtype.kind == "f":
        missing = np.isnan(scores) & used
        if missing.any():
            row, column = np.argwhere(missing)[0]
            raise UserError(
                f"{name}[{row}, {column}] = nan: scores must be numbers; for example {-config.score_scale!r}"
            )
        codes, saturated = quantise(config, np.where(used, scores, 0))
        return Scores(codes, counts, True, saturated)
    low, high = config.score_format.minimum, config.score_format.maximum
    # Bounds in the array's own type where it cannot hold them all: uint64 does not fit into int64.
    outside = ((scores > np.uint64(high)) if scores.dtype == np.uint64 else (scores < low) | (scores > high)) & used
    if outside.any():
        row, column = np.argwhere(outside)[0]
        value = int(scores[row, column])
        raise UserError(
            f"{name}[{row}, {column}] = {value}: outside the score format, {low} to {high}; "
            f"for example {high if value > high else low}"
        )
    return Scores(np.where(used, scores, 0).astype(np.int64), counts, False, 0)


def quantise(config: Config, scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Score codes of real scores, int64, and how many of them saturated. The scores hold no NaN."""
    with np.errstate(over="ignore"):  # a quotient beyond float64 saturates as infinity does
        steps = np.rint(np.asarray(scores, dtype=np.float64) / config.score_scale)
    low, high = config.score_format.minimum, config.score_format.maximum
    saturated = int(np.count_nonzero((steps < low) | (steps > high)))
    return np.clip(steps, low, high).astype(np.int64), saturated


def _most(config: Config, columns: int) -> int:
    """Elements that a vector may have: a packet of groups has any number of them."""
    return columns if config.groups else config.max_length


def to_lengths(config: Config, lengths: np.ndarray, vectors: int, columns: int, name: str = "lengths") -> np.ndarray:
    """Lengths as int64 [V]. Raises `UserError` for other than one integer per vector, 1 to N and to max_length."""
    if lengths.dtype.kind not in "iu" or lengths.shape != (vectors,):
        raise UserError(
            f"{name}: an array of {lengths.dtype} with shape {lengths.shape}; must be one integer per vector, "
            f"for example shape ({vectors},)"
        )
    highest = min(columns, _most(config, columns))
    wrong = np.flatnonzero((lengths < 1) | (lengths > highest))
    if len(wrong):
        rule = "max_length" if highest == config.max_length else "the columns of the scores"
        raise UserError(
            f"{name}[{wrong[0]}] = {lengths[wrong[0]]}: must be 1 to {highest}, {rule}; for example {highest}"
        )
    return lengths.astype(np.int64)


def read_labels(path: Path, vectors: int, columns: int) -> np.ndarray:
    """The labels in a file: the right index of each vector, int64 [V], 0 to N−1. Raises `UserError` otherwise."""
    labels = _load("--labels", path)
    if labels.dtype.kind not in "iu" or labels.shape != (vectors,):
        raise UserError(
            f"{path}: an array of {labels.dtype} with shape {labels.shape}; must be one integer per vector, "
            f"for example shape ({vectors},)"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= columns))
    if len(wrong):
        raise UserError(f"{path}[{wrong[0]}] = {labels[wrong[0]]}: must be an index, 0 to {columns - 1}; for example 0")
    return labels.astype(np.int64)


def read_sidebands(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Sideband arrays from `name=FILE`. Raises `UserError` for another form or a bad file."""
    arrays = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not (name and sign and path):
            raise UserError(f"--sideband {text}: must be name=FILE; for example --sideband mask=M.npy")
        arrays[name] = _load("--sideband", Path(path))
    return arrays


def _load(option: str, path: Path) -> np.ndarray:
    example = "for example numpy.save('scores.npy', array)"
    try:
        content: Any = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(
            f"{option} {path}: cannot be read ({error.strerror or error}); must be a .npy file, {example}"
        ) from None
    except Exception:  # a broken header or archive surfaces as whatever error its parser ran into
        raise UserError(
            f"{option} {path}: not a .npy file of numbers; must be one array without objects, {example}"
        ) from None
    if not isinstance(content, np.ndarray):
        content.close()
        raise UserError(f"{option} {path}: an archive of arrays (.npz); must be one array, {example}")
    return content
