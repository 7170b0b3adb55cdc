"""Scores, lengths and labels from .npy files: read, checked, and floats quantised to score codes (`quantiser`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.groups import Grouping
from softstream.scripts.quantiser import Quantised, quantised

__all__ = ["Scores", "quantise", "read_labels", "read_scores", "read_sidebands", "to_lengths"]


@dataclass(frozen=True)
class Scores:
    """Score codes that a head of the given configuration takes, and the real scores that they come from."""

    codes: np.ndarray
    """int64 [V, N]; 0 beyond each length and where the mask excludes the element."""
    lengths: np.ndarray
    """int64 [V], 1 to N."""
    quantised: bool
    """Whether the scores were real numbers."""
    saturated: int
    """How many of them were beyond the score format, after the shift, and became its largest or smallest code."""
    saturated_winners: int = 0
    """Vectors, or groups of packets, whose largest score is among the saturated ones."""
    given: np.ndarray | None = None
    """The real scores before quantisation, float64 [V, N], −inf where excluded and 0 beyond each length; None for codes."""
    mask: np.ndarray | None = None
    """Which elements are excluded, bool [V, N], for the sideband `mask`; None where the scores do not say it."""
    shift: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """What was subtracted from the real scores of each vector, float64 [V], or [V, G] for packets of groups; 0: nothing."""

    def __post_init__(self) -> None:
        if self.shift.size == 0:
            object.__setattr__(self, "shift", np.zeros(len(self.codes)))

    @property
    def elements(self) -> int:
        """Scores in all vectors."""
        return int(self.lengths.sum())

    @property
    def shifted(self) -> int:
        """Vectors, or groups of packets, that were shifted."""
        return int(np.count_nonzero(self.shift))

    @property
    def sideband(self) -> dict[str, np.ndarray]:
        """The sideband arrays that the scores themselves give: `mask`, or none."""
        return {} if self.mask is None else {"mask": self.mask.astype(np.int64)}


def read_scores(config: Config, scores: Path, lengths: Path | None = None, *, saturate: bool = False) -> Scores:
    """The scores in a file, [vectors, N], as `quantise` takes them.

    Raises `UserError` for a file, type, shape, code, NaN or length that will not do, with its position.
    """
    array = _load("--scores", scores)
    counts = None if lengths is None else _load("--lengths", lengths)
    return quantise(config, array, counts, saturate=saturate, name=str(scores), lengths_name=str(lengths))


def quantise(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    *,
    saturate: bool = False,
    name: str = "scores",
    lengths_name: str = "lengths",
) -> Scores:
    """Score codes of scores [V, N]: integers are codes, floats are real scores in steps of `config.score_scale`.

    * Floats beyond the score format: their vector is shifted where this changes no result (see `quantiser`). With `saturate`
      no vector is shifted, and every score beyond the format becomes its end.
    * −inf excludes an element, and so does the mask of a NumPy masked array, for a head with `mask = true`.
    * `lengths` [V] counts the elements of each vector; by default all N.
    * Messages call the arrays `name` and `lengths_name`.

    Raises `UserError` for a type, shape, code, NaN, +inf or length that will not do; for excluded elements without
    `mask = true`; and for a vector whose largest score saturates, unless `saturate` is set.
    """
    excluded = np.ma.getmaskarray(scores)
    scores = np.ma.getdata(scores)
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
        excluded = excluded | (scores == -np.inf)
    excluded &= used
    if excluded.any() and not config.mask:
        raise _no_mask(config, scores, excluded, name)
    if scores.dtype.kind == "f":
        return _of_floats(config, scores.astype(np.float64), counts, used & ~excluded, saturate, name)
    return _of_codes(config, scores, counts, used & ~excluded, excluded if excluded.any() else None, name)


def _of_codes(
    config: Config, scores: np.ndarray, lengths: np.ndarray, present: np.ndarray, mask: np.ndarray | None, name: str
) -> Scores:
    low, high = config.score_format.minimum, config.score_format.maximum
    # Bounds in the array's own type where it cannot hold them all: uint64 does not fit into int64.
    beyond = (scores > np.uint64(high)) if scores.dtype == np.uint64 else (scores < low) | (scores > high)
    outside = np.argwhere(beyond & present)
    if len(outside):
        value = int(scores[tuple(outside[0])])
        raise UserError(
            f"{name}{_place(outside[0])} = {value}: outside the score format, {low} to {high}; "
            f"for example {high if value > high else low}"
        )
    return Scores(np.where(present, scores, 0).astype(np.int64), lengths, False, 0, mask=mask)


def _of_floats(
    config: Config, scores: np.ndarray, lengths: np.ndarray, present: np.ndarray, saturate: bool, name: str
) -> Scores:
    for wrong, rule in ((np.isnan(scores), "numbers"), (scores == np.inf, "finite")):
        positions = np.argwhere(wrong & present)
        if len(positions):
            raise UserError(
                f"{name}{_place(positions[0])} = {scores[tuple(positions[0])]}: scores must be {rule}; "
                f"for example {-config.score_scale!r}"
            )
    scores = np.where(present, scores, 0)
    groups = Grouping(config.groups, lengths) if config.groups else None
    if groups is None:
        result = quantised(config, scores, present, saturate=saturate)
        codes, shift = result.codes, result.shift
    else:
        result = quantised(config, groups.split(scores), groups.split(present).astype(bool), saturate=saturate)
        codes, shift = groups.join(result.codes, scores.shape[1]), groups.join_groups(result.shift)
    if result.lost.any() and not saturate:
        raise _lost_winner(config, scores, groups, result, name)
    excluded = (np.arange(scores.shape[1]) < lengths[:, None]) & ~present
    return Scores(
        codes=codes,
        lengths=lengths,
        quantised=True,
        saturated=int(np.count_nonzero(result.saturated)),
        saturated_winners=int(np.count_nonzero(result.lost)),
        given=np.where(excluded, -np.inf, scores),
        mask=excluded if config.mask else None,
        shift=shift,
    )


def _no_mask(config: Config, scores: np.ndarray, excluded: np.ndarray, name: str) -> UserError:
    """The refusal of excluded elements by a head without a mask."""
    position = np.argwhere(excluded)[0]
    value = "-inf" if scores.dtype.kind == "f" and scores[tuple(position)] == -np.inf else "masked"
    smallest = config.score_format.minimum * (config.score_scale if scores.dtype.kind == "f" else 1)
    remedy = "--set mask=true"
    try:
        config.replace(mask=True)
    except UserError:  # an option takes no mask
        remedy = f"{smallest!r}, the smallest score"
    return UserError(f"{name}{_place(position)} = {value}: excludes an element, and mask = false; for example {remedy}")


def _lost_winner(
    config: Config, scores: np.ndarray, groups: Grouping | None, result: Quantised, name: str
) -> UserError:
    """The refusal of vectors whose largest score saturates."""
    numbers = np.arange(scores.size).reshape(scores.shape)
    rows = np.flatnonzero(result.lost)
    numbers = (numbers if groups is None else groups.split(numbers))[rows, result.winners[rows]]
    values = scores.ravel()[numbers]
    low, high = config.score_format.minimum, config.score_format.maximum
    scale = max(values.max() / high, values.min() / low if low else 0.0)
    remedy = "--saturate"
    try:
        fitting = config.replace(score_scale=float(f"{scale * 1.005:.2e}"))
        if values.min() / fitting.score_scale >= low:
            remedy = f"--set score_scale={fitting.score_scale:g}, or --saturate"
    except UserError:
        pass
    which = f"one of {len(rows)}" if len(rows) > 1 else "one"
    return UserError(
        f"{name}{_place(np.unravel_index(numbers[0], scores.shape))} = {values[0]:g}: the largest score of its vector, {which} "
        f"of {len(result.lost)} vectors, must be within the score codes, {low * config.score_scale:g} to "
        f"{high * config.score_scale:g} at score_scale = {config.score_scale:g}; for example {remedy}"
    )


def _place(position: Sequence[np.integer]) -> str:
    """A position as Python writes it: `[2, 1]`."""
    return str([int(index) for index in position])


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
