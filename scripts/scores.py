"""Scores, their lengths, labels and sidebands from files and arrays: read, checked, and floats quantised (`quantiser`).

Every verb that takes scores reads them with `read_scores`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from softstream.hw.config.config import Config, check_config
from softstream.hw.errors import UserError
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.derive import plan
from softstream.scripts.arrays import read_array, release
from softstream.scripts.console import Console
from softstream.scripts.quantiser import Quantised, quantised
from softstream.sim.stimulus import random_sideband

__all__ = [
    "MOST_ELEMENTS",
    "NO_LABEL",
    "Layout",
    "ScoreBlocks",
    "ScoreFile",
    "Scores",
    "Totals",
    "quantise",
    "read_blocks",
    "read_labels",
    "read_scores",
    "read_sidebands",
    "to_labels",
    "to_lengths",
]

NO_LABEL = -1
"""The label of a vector that has none."""
BLOCK_ELEMENTS = 1 << 20
"""Elements of a block: 40 MB of codes, real scores and results."""
MOST_ELEMENTS = 1 << 24
"""Elements that stay in memory at once, 90 to 120 bytes for each: those of statistics, such as of `compare`, and of a simulation.
Files may have more."""


@dataclass(frozen=True)
class Layout:
    """The vectors of an array of two or more dimensions: they lie along one axis, in the order of the other indices."""

    shape: tuple[int, ...]
    axis: int
    """The axis of the elements, from 0."""
    numbers: Sequence[int] | np.ndarray | None = field(default=None, compare=False)
    """Of a part of the vectors: their numbers among all. None: all of them."""

    @classmethod
    def of(cls, array: np.ndarray, axis: int, name: str) -> Layout:
        """The layout of scores. Raises `UserError` for fewer than two dimensions, an empty one, and an axis that is none."""
        if array.ndim < 2 or 0 in array.shape:
            single = array.ndim == 1 and array.size
            example = f"reshape it to (1, {array.size})" if single else "for example (100, 10)"
            raise UserError(f"{name}: shape {array.shape}; must be [vectors, N] with at least one of each; {example}")
        if not -array.ndim <= axis < array.ndim:
            raise UserError(
                f"--axis = {axis}: {name} has the shape {array.shape}; must be from {-array.ndim} to {array.ndim - 1}; "
                "for example -1"
            )
        return cls(array.shape, axis % array.ndim)

    @property
    def outer(self) -> tuple[int, ...]:
        """The shape without the axis of the elements: that of one value per vector."""
        return self.shape[: self.axis] + self.shape[self.axis + 1 :]

    @property
    def vectors(self) -> int:
        """All vectors of the array, also where `numbers` names some of them."""
        return math.prod(self.outer)

    @property
    def columns(self) -> int:
        """Elements of a vector, N."""
        return self.shape[self.axis]

    @property
    def part_text(self) -> str:
        """How many of the vectors are read; empty text where all are."""
        return "" if self.numbers is None else f"{len(self.numbers)} of {self.vectors} vectors are read, evenly spaced"

    def chosen(self, values: np.ndarray) -> np.ndarray:
        """Of values for all vectors, [V, …], those of `numbers`."""
        if isinstance(self.numbers, range):
            return values[self.numbers.start : self.numbers.stop]
        if self.numbers is None:
            return values
        numbers = np.asarray(self.numbers)
        rows = max(1, BLOCK_ELEMENTS // max(1, values[:1].size))
        pieces = []
        for start in range(0, len(numbers), rows):
            pieces.append(values[numbers[start : start + rows]])
            release(values)  # evenly spaced vectors touch all pages of a file
        return np.concatenate(pieces) if pieces else values[:0]

    def rows(self, array: np.ndarray) -> np.ndarray:
        """An array of this shape as [vectors, N]."""
        return np.moveaxis(array, self.axis, -1).reshape(-1, self.shape[self.axis])

    def per_vector(self, array: np.ndarray) -> np.ndarray:
        """One value per vector as [vectors]; an array of any other shape as it is.

        The shape may be [vectors], `outer`, or `outer` with an axis of length 1 for the elements, such as a column.
        """
        column = (*self.shape[: self.axis], 1, *self.shape[self.axis + 1 :])
        return array.reshape(-1) if array.shape in (self.outer, column) else array

    def restored(self, values: np.ndarray, members: int = 1) -> np.ndarray:
        """Results of vectors, [V] or [V, K], in the shape of the scores: K stands where the elements stand.

        Of ensembles of `members` vectors there are as many results fewer, along the last of the outer axes.
        """
        outer = (*self.outer[:-1], self.outer[-1] // members)
        shaped = values.reshape(*outer, *values.shape[1:])
        return np.moveaxis(shaped, -1, self.axis) if values.ndim > 1 else shaped

    def number(self, row: int) -> int:
        """The number among all vectors of one of those that are read."""
        return int(row if self.numbers is None else self.numbers[row])

    def position(self, row: int, column: int) -> str:
        """Where an element of `rows` stands in the array, as Python writes it: `[2, 1]`."""
        indices = [int(index) for index in np.unravel_index(self.number(row), self.outer)]
        return str([*indices[: self.axis], int(column), *indices[self.axis :]])


@dataclass(frozen=True)
class Totals:
    """What became of scores, in numbers."""

    vectors: int
    elements: int
    quantised: bool
    """Whether the scores were real numbers."""
    saturated: int
    saturated_winners: int
    shifted: int
    """Vectors, or groups of packets, that were shifted."""
    shiftable: int
    """Vectors, or groups of packets."""
    excluded: int
    """Elements that the mask excludes."""
    warnings: tuple[str, ...] = ()
    blank: bool = False
    """Whether all scores are 0.0, of which no warning says anything."""

    def merged(self, other: Totals) -> Totals:
        """The totals of both; a warning is that of all scores."""
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("vectors", "elements", "saturated", "saturated_winners", "shifted", "shiftable", "excluded")
        }
        lists = [totals.warnings for totals in (self, other) if not totals.blank]
        warnings = tuple(text for text in (lists or [()])[0] if all(text in texts for texts in lists))
        return Totals(**sums, quantised=self.quantised, warnings=warnings, blank=self.blank and other.blank)

    @property
    def saturated_share(self) -> float:
        """Fraction of the scores that saturated."""
        return self.saturated / self.elements

    def to_json(self) -> dict[str, Any]:
        """The counts, as plain values."""
        return {
            "vectors": self.vectors,
            "elements": self.elements,
            "quantised": self.quantised,
            "saturated": self.saturated,
            "saturated_share": self.saturated_share,
            "saturated_winners": self.saturated_winners,
            "shifted": self.shifted,
            "excluded": self.excluded,
            "warnings": list(self.warnings),
        }

    def text(self, config: Config) -> str:
        """What became of the scores, in one line."""
        parts = [f"{self.elements} codes"]
        if self.quantised:
            share = f" ({self.saturated_share:.2%})" if self.saturated else ""
            parts = [
                f"{self.elements} floats quantised in steps of {config.score_scale}",
                f"{self.saturated} saturated{share}",
            ]
        if self.saturated_winners:
            parts.append(f"the largest score of {self.saturated_winners} vectors among them")
        if self.shifted:
            parts.append(f"{self.shifted} of {self.shiftable} vectors shifted")
        if self.excluded:
            parts.append(f"{self.excluded} excluded")
        return "; ".join(parts)


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
    floats: np.ndarray | None = None
    """The real scores before quantisation, float64 [V, N], −inf where excluded and 0 beyond each length; None for codes."""
    mask: np.ndarray | None = None
    """Which elements are excluded, bool [V, N], for the sideband `mask`; None where nothing says it."""
    shift: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """What was subtracted from the real scores of each vector, float64 [V], or [V, G] for packets of groups; 0: nothing."""
    sideband: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The sideband arrays that came with the scores, the mask among them, as `golden` takes them."""
    layout: Layout = Layout((), 0)
    """The shape in which the scores came."""
    warnings: tuple[str, ...] = ()
    """What is probably not meant, in sentences."""

    def __post_init__(self) -> None:
        if self.shift.size == 0:
            object.__setattr__(self, "shift", np.zeros(len(self.codes)))
        if not self.layout.shape:
            object.__setattr__(self, "layout", Layout(self.codes.shape, 1))

    @property
    def elements(self) -> int:
        """Scores in all vectors."""
        return int(self.lengths.sum())

    @property
    def shifted(self) -> int:
        """Vectors, or groups of packets, that were shifted."""
        return int(np.count_nonzero(self.shift))

    @property
    def excluded(self) -> int:
        """Elements that the mask excludes."""
        return 0 if self.mask is None else int(np.count_nonzero(self.mask))

    @property
    def saturated_share(self) -> float:
        """Fraction of the scores that saturated."""
        return self.saturated / self.elements

    def sideband_or_random(self, config: Config) -> dict[str, np.ndarray]:
        """The sideband arrays, random ones for those that did not come with the scores."""
        return {**random_sideband(config, self.codes), **self.sideband}

    @property
    def totals(self) -> Totals:
        """What became of the scores, in numbers."""
        return Totals(
            vectors=len(self.codes),
            elements=self.elements,
            quantised=self.quantised,
            saturated=self.saturated,
            saturated_winners=self.saturated_winners,
            shifted=self.shifted,
            shiftable=self.shift.size,
            excluded=self.excluded,
            warnings=self.warnings,
            blank=self.floats is not None and not self.floats.any(),
        )

    def to_json(self) -> dict[str, Any]:
        """The counts, as plain values."""
        return self.totals.to_json()

    def text(self, config: Config) -> str:
        """What became of the scores, in one line."""
        return self.totals.text(config)


# Files ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreFile:
    """What the options of a command line say about scores; arrays are those that `read_array` reads."""

    scores: str
    lengths: str | None = None
    sideband: tuple[str, ...] = ()
    """`NAME=FILE` of each sideband."""
    axis: int = -1
    """The axis of the elements."""
    codes: bool = False
    """Whether floats are integer codes."""
    saturate: bool = False
    """Whether vectors are never shifted, and their largest scores may saturate."""
    ignore_label: int | None = None
    """The label of vectors that have none."""
    scale_stated: bool = True
    """Whether `score_scale` was chosen for these scores, and is not just the default."""

    @cached_property
    def array(self) -> np.ndarray:
        """The scores as they are in the file."""
        return read_array("--scores", self.scores)


def read_scores(config: Config, file: ScoreFile, console: Console | None = None, *, most: int | None = None) -> Scores:
    """The scores in a file with their lengths and sidebands, as `quantise` takes them; the console tells what became of them.

    `most`: elements that are read. Of a larger file evenly spaced vectors are, in whole ensembles, and a warning says so.

    Raises `UserError` for a file, type, shape, code, NaN or length that will not do, with its position.
    """
    vectors = _Vectors.of(config, file)
    numbers = None if most is None else vectors.evenly_spaced(most)
    scores = vectors.part(numbers)
    texts = vectors.warnings(scores.quantised)
    if numbers is not None:
        texts.append(f"{file.scores}: {scores.layout.part_text}, because it has more than {most} scores")
    scores = replace(scores, warnings=(*scores.warnings, *texts))
    _tell(config, file, scores.totals, console)
    return scores


@dataclass(frozen=True)
class ScoreBlocks:
    """The scores in a file, block by block, so that a large file costs the memory of a block."""

    totals: Totals
    layout: Layout
    _vectors: _Vectors
    _blocks: Sequence[range]

    def __iter__(self) -> Iterator[Scores]:
        """The blocks, in order; each is read and quantised anew."""
        for block in self._blocks:
            yield self._vectors.part(block)
            self._vectors.release()

    def to_json(self) -> dict[str, Any]:
        """The counts, as plain values."""
        return self.totals.to_json()


def read_blocks(config: Config, file: ScoreFile, console: Console | None = None, *, whole: bool = False) -> ScoreBlocks:
    """The scores in a file, as `read_scores` gives them, in blocks of whole ensembles; all of them are checked first.

    Packets of groups are one block, and so are all vectors with `whole`. Raises `UserError` as `read_scores` does, and where one
    block would have more than `MOST_ELEMENTS`.
    """
    vectors = _Vectors.of(config, file)
    layout, members = vectors.layout, config.ensemble
    if whole or config.groups:
        _check_size(layout, file, "packets of groups" if config.groups and not whole else "a simulation", members)
        size = layout.vectors
    else:
        size = max(1, BLOCK_ELEMENTS // (layout.columns * members)) * members
    blocks = [range(start, min(start + size, layout.vectors)) for start in range(0, layout.vectors, size)]
    totals: Totals | None = None
    lost: _LostWinners | None = None
    for block in blocks:
        try:
            of_block = vectors.part(block).totals
            totals = of_block if totals is None else totals.merged(of_block)
        except _LostWinners as error:
            lost = error if lost is None else lost.merged(error)
        vectors.release()
    if lost is not None:
        raise lost.of(layout.vectors)
    assert totals is not None  # a layout has a vector
    totals = replace(totals, warnings=(*totals.warnings, *vectors.warnings(totals.quantised)))
    _tell(config, file, totals, console)
    return ScoreBlocks(totals, layout, vectors, blocks)


def _check_size(layout: Layout, file: ScoreFile, what: str, members: int = 1) -> None:
    """Raises `UserError` for more scores than a verb can hold at once."""
    most = max(1, MOST_ELEMENTS // (layout.columns * members)) * members
    example = f"the first {most} of the {layout.vectors} vectors, as a file of their own"
    _check_elements(math.prod(layout.shape), file, what, example)


def _check_elements(elements: int, file: ScoreFile, what: str, example: str) -> None:
    if elements > MOST_ELEMENTS:
        raise UserError(
            f"{file.scores}: {elements} scores; must be {MOST_ELEMENTS} at most for {what}, which takes all of them into memory; "
            f"for example {example}"
        )


def _tell(config: Config, file: ScoreFile, totals: Totals, console: Console | None) -> None:
    """Prints what became of the scores."""
    if console is not None:
        if totals.quantised or totals.excluded:
            console.note(f"{file.scores}: {totals.text(config)}")
        for warning in totals.warnings:
            console.note(f"warning: {warning}")


@dataclass(frozen=True)
class _Vectors:
    """The vectors in a file, with their lengths and sidebands, before they are quantised."""

    config: Config
    file: ScoreFile
    layout: Layout
    rows: np.ndarray
    """The scores as [V, N], a view of the file."""
    lengths: np.ndarray | None
    sideband: Mapping[str, np.ndarray]
    """But the mask of a head that has one."""
    mask: np.ndarray | None

    @classmethod
    def of(cls, config: Config, file: ScoreFile) -> _Vectors:
        """The vectors of the options of a command line. Raises `UserError` as `read_scores` does."""
        array = file.array
        layout = Layout.of(array, file.axis, file.scores)
        arrays = read_sidebands(file.sideband, layout)
        mask = arrays.pop("mask", None) if config.mask else None  # the model refuses it in its own words
        _check_members(config, layout, file.scores)
        if layout.axis != len(layout.shape) - 1 and len(layout.shape) > 2:
            example = f"numpy.moveaxis(scores, {layout.axis}, -1), saved as a file of its own"
            _check_elements(array.size, file, f"--axis {layout.axis} of {array.ndim} axes", example)
        rows, lengths = layout.rows(array), None
        if file.lengths is not None:
            lengths = layout.per_vector(read_array("--lengths", file.lengths))
            _check_lengths(config, lengths, len(rows), rows.shape[1], file.lengths)
            release(lengths)
        return cls(config, file, layout, rows, lengths, arrays, mask)

    def release(self) -> None:
        """Gives the memory of the files back."""
        for array in (self.rows, self.lengths, self.mask, *self.sideband.values()):
            if array is not None:
                release(array)

    def evenly_spaced(self, most: int) -> np.ndarray | None:
        """Numbers of vectors with about so many elements, in whole ensembles; None where all have no more."""
        if self.rows.size <= most:
            return None
        members = self.config.ensemble
        ensembles, count = len(self.rows) // members, max(1, most // (self.rows.shape[1] * members))
        first = np.linspace(0, ensembles, count, endpoint=False).astype(np.int64) * members
        return (first[:, None] + np.arange(members)).ravel()

    def part(self, numbers: Sequence[int] | np.ndarray | None) -> Scores:
        """The vectors of these numbers, quantised; None: all. Raises `UserError` as `read_scores` does."""
        layout = replace(self.layout, numbers=numbers)

        def chosen(values: np.ndarray) -> np.ndarray:
            # Of another length it is passed on whole, and refused with its shape.
            return layout.chosen(values) if len(values) == layout.vectors else values

        scores = _quantised_rows(
            self.config,
            layout.chosen(self.rows),
            None if self.lengths is None else layout.chosen(self.lengths).astype(np.int64),
            layout,
            mask=None if self.mask is None else chosen(self.mask),
            codes=self.file.codes,
            saturate=self.file.saturate,
            name=self.file.scores,
            whole=self.rows,
        )
        sideband = {name: chosen(array) for name, array in self.sideband.items()}
        if "labels" in sideband and self.file.ignore_label is not None:
            # max_length is the index of no element.
            labels = sideband["labels"]
            sideband["labels"] = np.where(labels == self.file.ignore_label, self.config.max_length, labels)
        return replace(scores, sideband={**sideband, **scores.sideband})

    def warnings(self, quantised: bool) -> list[str]:
        """What the options lack."""
        config, file = self.config, self.file
        if quantised or file.scale_stated or config.traits.order_only:
            return []
        return [
            f"{file.scores}: integer codes in steps of {config.score_scale}, the default of score_scale; state the scale of "
            f"these codes; for example --set score_scale={config.score_scale}"
        ]


def read_labels(path: str, scores: Scores, ignore: int | None = None) -> np.ndarray:
    """The labels in a file, as `to_labels` takes them."""
    return to_labels(read_array("--labels", path), scores, ignore=ignore, name=path)


def read_sidebands(texts: Sequence[str], layout: Layout | None = None) -> dict[str, np.ndarray]:
    """Sideband arrays from `name=FILE`, of elements as [V, N] and of vectors as [V] where the layout of the scores is known.

    Raises `UserError` for another form, a name given twice, or a bad file.
    """
    arrays: dict[str, np.ndarray] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not (name and sign and path):
            raise UserError(f"--sideband {text}: must be name=FILE; for example --sideband mask=M.npy")
        if name in arrays:
            raise UserError(f"--sideband {text}: {name} is given twice; once would do")
        array = read_array("--sideband", path)
        if layout is not None:
            array = layout.rows(array) if array.shape == layout.shape else layout.per_vector(array)
        arrays[name] = array
    return arrays


# Arrays --------------------------------------------------------------------------------------------------------------


def quantise(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    *,
    mask: np.ndarray | None = None,
    axis: int = -1,
    codes: bool = False,
    saturate: bool = False,
    name: str = "scores",
    lengths_name: str = "lengths",
) -> Scores:
    """Score codes of scores [V, N]: integers are codes, floats are real scores in steps of `config.score_scale`.

    * Floats beyond the score format: their vector is shifted where this changes no result (see `quantiser`). With `saturate`
      no vector is shifted, and every score beyond the format becomes its end. With `codes` floats are integer codes, too.
    * −inf excludes an element, and so do the mask of a NumPy masked array and `mask`, for a head with `mask = true`.
    * `lengths` [V] counts the elements of each vector; by default all N.
    * An array of more dimensions holds its vectors along `axis`; `Scores.layout.restored` gives results its shape.
    * Messages call the arrays `name` and `lengths_name`.

    Raises `UserError` for a type, shape, axis, code, NaN, +inf or length that will not do; for excluded elements without
    `mask = true`; and for a vector whose largest score saturates, unless `saturate` is set.
    """
    check_config(config)
    scores = _as_array(scores, name)
    layout = Layout.of(scores, axis, name)
    _check_members(config, layout, name)
    masked = layout.rows(np.ma.getmaskarray(scores)) if np.ma.is_masked(scores) else None
    rows = layout.rows(np.ma.getdata(scores))
    counts = None
    if lengths is not None:
        counts = to_lengths(config, layout.per_vector(np.asarray(lengths)), len(rows), rows.shape[1], lengths_name)
    if mask is not None and mask.shape == layout.shape:
        mask = layout.rows(mask)
    return _quantised_rows(
        config, rows, counts, layout, masked=masked, mask=mask, codes=codes, saturate=saturate, name=name, whole=rows
    )


def _quantised_rows(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None,
    layout: Layout,
    *,
    masked: np.ndarray | None = None,
    mask: np.ndarray | None,
    codes: bool,
    saturate: bool,
    name: str,
    whole: np.ndarray,
) -> Scores:
    """Score codes of scores [V, N], which are the vectors that `layout` numbers among those of `whole`.

    `masked`: the elements that a masked array excludes, bool [V, N]; the others are those of `quantise`.
    """
    if scores.dtype.kind not in "iuf":
        raise UserError(
            f"{name}: an array of {scores.dtype}; must be integers (score codes) or floats; for example .astype('int8')"
        )
    vectors, columns = scores.shape
    if lengths is None and columns > _most(config, columns):
        raise UserError(
            f"{name}: vectors of {columns} elements; must be max_length = {config.max_length} at most; "
            f"for example --set max_length={columns}"
        )
    counts = np.full(vectors, columns) if lengths is None else lengths
    used = np.arange(columns) < counts[:, None]
    floats = scores.dtype.kind == "f"
    excluded = np.zeros(scores.shape, dtype=bool) if masked is None else masked
    if floats:
        excluded = excluded | (scores == -np.inf)
    excluded = excluded & used
    if excluded.any() and not config.mask:
        raise _no_mask(config, scores, excluded, layout, name)
    if mask is not None:
        excluded |= _checked_mask(config, mask, layout, used)
    source = _Source(config, scores, counts, used & ~excluded, layout, name, whole)
    result = source.of_floats(saturate) if floats and not codes else source.of_codes()
    if config.mask and (mask is not None or floats or excluded.any()):
        result = replace(result, mask=excluded, sideband={"mask": excluded.astype(np.int64)})
    return result


@dataclass(frozen=True)
class _Source:
    """Scores [V, N] on their way to codes; `present` are the elements that count."""

    config: Config
    scores: np.ndarray
    lengths: np.ndarray
    present: np.ndarray
    layout: Layout
    name: str
    whole: np.ndarray
    """All scores of the file, of which `scores` may be a part."""

    def _wider_format(self) -> str:
        """The options with which all codes fit, if the head takes them; else empty text."""
        values = self.scores[self.present] if len(self.scores) == len(self.whole) else self.whole
        least, largest = _ends(values)
        formats = []
        for signed in (self.config.score_signed, not self.config.score_signed):
            if signed or least >= 0:
                width = max(largest.bit_length(), (~least).bit_length() if least < 0 else 0) + signed
                formats.append((max(width, self.config.score_width), signed))
        for width, signed in sorted(formats, key=lambda item: item[0]):
            keys = {"score_width": width, "score_signed": signed}
            changes = {key: value for key, value in keys.items() if value != getattr(self.config, key)}
            try:
                plan(self.config.replace(**changes))
            except UserError:
                continue
            return f", or {' '.join(f'--set {key}={str(value).lower()}' for key, value in changes.items())} for these codes"
        return ""

    def of_codes(self) -> Scores:
        """Integers, or floats that are integers, as codes."""
        low, high = self.config.score_format.minimum, self.config.score_format.maximum
        scores = self.scores
        if scores.dtype.kind == "f":
            self._check(np.isfinite(scores) & (np.rint(scores) == scores), "with --codes scores must be integers", "0")
        # Bounds in the array's own type where it cannot hold them all: uint64 does not fit into int64.
        beyond = (scores > np.uint64(high)) if scores.dtype == np.uint64 else (scores < low) | (scores > high)
        outside = np.argwhere(beyond & self.present)
        if len(outside):
            value = int(scores[tuple(outside[0])])
            raise UserError(
                f"{self.name}{self.layout.position(*outside[0])} = {value}: outside the score format, {low} to {high}; "
                f"for example {high if value > high else low}{self._wider_format()}"
            )
        codes = np.where(self.present, scores, 0).astype(np.int64)
        return Scores(codes, self.lengths, False, 0, layout=self.layout)

    def of_floats(self, saturate: bool) -> Scores:
        """Real scores, quantised."""
        config, columns, example = self.config, self.scores.shape[1], repr(-self.config.score_scale)
        self._check(~np.isnan(self.scores), "scores must be numbers", example)
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, and is refused
            scores = np.where(self.present, self.scores, 0).astype(np.float64)
        self._check(np.isfinite(scores), "scores must be finite", example)
        groups = Grouping(config.groups, self.lengths) if config.groups else None
        if groups is None:
            result = quantised(config, scores, self.present, saturate=saturate)
            codes, shift = result.codes, result.shift
        else:
            present = groups.split(self.present).astype(bool)
            result = quantised(config, groups.split(scores), present, saturate=saturate)
            codes, shift = groups.join(result.codes, columns), groups.join_groups(result.shift)
        if result.lost.any() and not saturate:
            raise self._lost_winner(scores, groups, result)
        excluded = (np.arange(columns) < self.lengths[:, None]) & ~self.present
        return Scores(
            codes=codes,
            lengths=self.lengths,
            quantised=True,
            saturated=int(np.count_nonzero(result.saturated)),
            saturated_winners=int(np.count_nonzero(result.lost)),
            floats=np.where(excluded, -np.inf, scores),
            shift=shift,
            layout=self.layout,
            warnings=self._warnings(scores),
        )

    def _check(self, right: np.ndarray, rule: str, example: str) -> None:
        """Raises `UserError` at the first element that counts and is not `right`."""
        wrong = np.argwhere(~right & self.present)
        if len(wrong):
            position, value = self.layout.position(*wrong[0]), self.scores[tuple(wrong[0])]
            raise UserError(f"{self.name}{position} = {value}: {rule}; for example {example}")

    def _warnings(self, scores: np.ndarray) -> tuple[str, ...]:
        """Whether the floats look like codes."""
        low, high = self.config.score_format.minimum, self.config.score_format.maximum
        if self.config.score_scale == 1 or not scores.any() or scores.min() < low or scores.max() > high:
            return ()
        if (np.rint(scores) != scores).any():
            return ()
        return (
            f"{self.name}: all floats are integers from {low} to {high}, as score codes are, and were divided by score_scale "
            f"= {self.config.score_scale}; --codes takes them as codes",
        )

    def _lost_winner(self, scores: np.ndarray, groups: Grouping | None, result: Quantised) -> _LostWinners:
        """The refusal of vectors whose largest score saturates."""
        rows = np.flatnonzero(result.lost)
        numbers = np.arange(scores.size).reshape(scores.shape)
        numbers = (numbers if groups is None else groups.split(numbers))[rows, result.winners[rows]]
        values = scores.ravel()[numbers]
        position = self.layout.position(*divmod(int(numbers[0]), scores.shape[1]))
        first = f"{self.name}{position} = {values[0]:g}"
        ends = float(values.min()), float(values.max())
        return _LostWinners(self.config, first, len(rows), len(result.lost), ends)


class _LostWinners(UserError):
    """The refusal of vectors whose largest score saturates."""

    def __init__(self, config: Config, first: str, lost: int, vectors: int, ends: tuple[float, float]) -> None:
        """`first`: position and value of the first of them; `ends`: the smallest and the largest of their scores."""
        self.config, self.first, self.lost, self.vectors, self.ends = config, first, lost, vectors, ends
        low, high = (
            end - config.score_zero_point for end in (config.score_format.minimum, config.score_format.maximum)
        )
        least, largest = ends
        step = max(largest / high if high else 0.0, least / low if low else 0.0)
        remedy = "--saturate"
        try:
            fitting = config.replace(score_scale=float(f"{step * 1.005:.2e}"))
            if low * fitting.score_scale <= least and largest <= high * fitting.score_scale:
                remedy = f"--set score_scale={fitting.score_scale:g}, or --saturate"
        except UserError:  # no scale that the configuration takes is coarse enough
            pass
        which = f"one of {lost}" if lost > 1 else "one"
        super().__init__(
            f"{first}: the {config.select} score of its vector, {which} of {vectors} vectors, must be within the score codes, "
            f"{low * config.score_scale:g} to {high * config.score_scale:g} at score_scale = {config.score_scale:g}; for example "
            f"{remedy}"
        )

    def merged(self, later: _LostWinners) -> _LostWinners:
        """The refusal of these and of those of a later block."""
        ends = min(self.ends[0], later.ends[0]), max(self.ends[1], later.ends[1])
        return _LostWinners(self.config, self.first, self.lost + later.lost, self.vectors, ends)

    def of(self, vectors: int) -> _LostWinners:
        """The same refusal, among so many vectors."""
        return self if self.config.groups else _LostWinners(self.config, self.first, self.lost, vectors, self.ends)


def _ends(values: np.ndarray) -> tuple[int, int]:
    """The smallest and the largest of integers, which may be in a large file."""
    rows = max(1, BLOCK_ELEMENTS // max(1, values[:1].size))
    least, largest = [], []
    for start in range(0, len(values), rows):
        least.append(int(values[start : start + rows].min()))
        largest.append(int(values[start : start + rows].max()))
        release(values)
    return min(least), max(largest)


def _as_array(scores: Any, name: str) -> np.ndarray:
    """Lists and arrays as an array, a masked array with its mask. Raises `UserError` for rows of unequal lengths."""
    if isinstance(scores, np.ma.MaskedArray):
        return scores
    try:
        return np.asarray(scores)
    except ValueError:
        raise UserError(
            f"{name}: rows of unequal lengths; must be an array; pad the rows, for example with 0, and pass their lengths"
        ) from None


def _check_members(config: Config, layout: Layout, name: str) -> None:
    """Raises `UserError` where the members of an ensemble do not lie side by side along one axis."""
    if len(layout.outer) > 1 and layout.outer[-1] % config.ensemble:
        raise UserError(
            f"{name}: shape {layout.shape} with ensemble = {config.ensemble}: the last axis of vectors must hold whole "
            f"ensembles; for example shape {(*layout.outer[:-1], config.ensemble, layout.shape[layout.axis])}"
        )


def _checked_mask(config: Config, mask: np.ndarray, layout: Layout, used: np.ndarray) -> np.ndarray:
    """The mask of a caller, bool [V, N]."""
    if not config.mask:
        raise UserError("mask: this head has no such sideband input; leave it out, or set mask = true")
    if mask.shape != used.shape or mask.dtype.kind not in "iub":
        raise UserError(
            f"mask: an array of {mask.dtype} with shape {mask.shape}; must be integers of shape {layout.shape}"
        )
    wrong = np.argwhere((mask != 0) & (mask != 1))
    if len(wrong):
        raise UserError(f"mask{layout.position(*wrong[0])} = {mask[tuple(wrong[0])]}: must be 0 to 1; for example 0")
    return (mask != 0) & used


def _no_mask(config: Config, scores: np.ndarray, excluded: np.ndarray, layout: Layout, name: str) -> UserError:
    """The refusal of excluded elements by a head without a mask."""
    position = np.argwhere(excluded)[0]
    value = "-inf" if scores.dtype.kind == "f" and scores[tuple(position)] == -np.inf else "masked"
    smallest = config.score_format.minimum
    smallest = config.real_value(smallest) if scores.dtype.kind == "f" else smallest
    remedy = "--set mask=true"
    try:
        config.replace(mask=True)
    except UserError:  # an option takes no mask
        remedy = f"{smallest!r}, the smallest score"
    return UserError(
        f"{name}{layout.position(*position)} = {value}: excludes an element, and mask = false; for example {remedy}"
    )


def _most(config: Config, columns: int) -> int:
    """Elements that a vector may have: a packet of groups has any number of them."""
    return columns if config.groups else config.max_length


def to_lengths(config: Config, lengths: np.ndarray, vectors: int, columns: int, name: str = "lengths") -> np.ndarray:
    """Lengths as int64 [V]. Raises `UserError` for other than one integer per vector, 1 to N and to max_length."""
    _check_lengths(config, lengths, vectors, columns, name)
    return lengths.astype(np.int64)


def _check_lengths(config: Config, lengths: np.ndarray, vectors: int, columns: int, name: str) -> None:
    """Raises `UserError` as `to_lengths` does."""
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


def to_labels(labels: np.ndarray, scores: Scores, *, ignore: int | None = None, name: str = "labels") -> np.ndarray:
    """Labels as int64 [V]: the right index of each vector, 0 to N−1, or `NO_LABEL` where a label equals `ignore`.

    They are one integer per vector, in a row, in a column or in the shape of the vectors, or one-hot in the shape of the
    scores: a 1 for the right element of each vector, and 0 for all others.

    Raises `UserError` otherwise.
    """
    layout, columns = scores.layout, scores.codes.shape[1]
    labels = layout.per_vector(labels)
    if labels.shape == layout.shape and labels.dtype.kind in "iufb":
        return _of_one_hot(layout.chosen(layout.rows(labels)), layout, name)
    if labels.dtype.kind not in "iu" or labels.shape != (layout.vectors,):
        raise UserError(
            f"{name}: an array of {labels.dtype} with shape {labels.shape}; must be one integer per vector, "
            f"for example shape ({layout.vectors},), or one-hot with shape {layout.shape}"
        )
    labels = layout.chosen(labels)
    ignored = np.zeros(len(labels), dtype=bool) if ignore is None else labels == ignore
    wrong = np.flatnonzero(((labels < 0) | (labels >= columns)) & ~ignored)
    if len(wrong):
        value = labels[wrong[0]]
        raise UserError(
            f"{name}[{layout.number(wrong[0])}] = {value}: must be an index, 0 to {columns - 1}; for example {columns - 1}, or "
            f"--ignore-label {value} for vectors without a label"
        )
    if ignored.all():
        raise UserError(
            f"{name}: every label is {ignore}, that of vectors without one; must be an index for one vector at least"
        )
    return np.where(ignored, NO_LABEL, labels.astype(np.int64))


def _of_one_hot(rows: np.ndarray, layout: Layout, name: str) -> np.ndarray:
    ones = rows == 1
    wrong = np.argwhere(~ones & (rows != 0))
    if len(wrong):
        raise UserError(
            f"{name}{layout.position(*wrong[0])} = {rows[tuple(wrong[0])]}: one-hot labels must be 0 or 1; for example 0"
        )
    counts = np.count_nonzero(ones, axis=1)
    several = np.flatnonzero(counts != 1)
    if len(several):
        raise UserError(
            f"{name}: vector {layout.number(several[0])} has {counts[several[0]]} ones; must be one in every vector of one-hot "
            "labels; for example labels as indices, and --ignore-label for vectors without one"
        )
    return ones.argmax(axis=1)
