"""The golden model of a head: the outputs of a configuration's hardware, bit for bit."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from softstream.hw.config.config import Config, check_config
from softstream.hw.config.keys import nearest
from softstream.hw.errors import UserError
from softstream.hw.notebook import array_rows, html_table
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.numbers.softmax import refusals_of
from softstream.hw.plan.ports import result_outputs, sidebands
from softstream.sim.golden.modes import MODELS
from softstream.sim.golden.modes.gumbel import words_taken
from softstream.sim.golden.options.composed import composed
from softstream.sim.golden.options.groups import grouped
from softstream.sim.golden.options.member_sum import flags
from softstream.sim.golden.stages.frame import BLOCK_ELEMENTS, Block, frame

__all__ = ["NamedArrays", "Result", "checked", "checked_sideband", "golden"]


BEFORE_LIMIT = 1 << 62
"""Limit of the random words since reset, so that their number and the words of one call fit 64 bits."""


class NamedArrays(Mapping[str, np.ndarray]):
    """Arrays by name, in order; each is also an attribute."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = dict(arrays)
        vars(self).update(self._arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def _shapes(self) -> str:
        """Type and shape of each array."""
        return ", ".join(f"{name} {values.dtype} {list(values.shape)}" for name, values in self._arrays.items())


class Result(NamedArrays):
    """The outputs of a head for V vectors of at most N elements: the arrays named by `ports.outputs`.

    Each array is also an attribute. The array of an element stream is [V, N], 0 beyond each length. The array of the K largest
    elements is [V, K], 0 beyond the number of elements. All others are [V]. Codes are int64, flags bool.
    """

    argmax: np.ndarray
    """First index of the largest score, int64 [V]; this array and the next ones exist in modes with such an output."""
    best: np.ndarray
    """The largest score's code, int64 [V]."""
    overlong: np.ndarray
    """Whether the model cut a vector longer than max_length, bool [V]."""

    def __repr__(self) -> str:
        """Type and shape of each array."""
        return f"Result({self._shapes})"

    def _repr_html_(self) -> str:
        """The codes of the first results as a table for notebooks."""
        return html_table(f"{self!r}, codes", *array_rows(self._arrays))

    @property
    def probabilities(self) -> np.ndarray | None:
        """Probability codes, int64 [V, N], 0 beyond each length; None in a mode without probabilities."""
        return self._arrays.get("probabilities")


def _array(name: str, values: object) -> np.ndarray:
    """Values as an array. Raises `UserError` for rows of unequal lengths and for masked elements."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        remedy = f"pass {name}.filled(1)"
        if name == "scores":
            remedy = "pass scores.filled(0) and sideband={'mask': scores.mask} to a head with mask = true"
        hidden = np.ma.count_masked(values)
        raise UserError(f"{name}: a masked array with {hidden} masked elements, whose mask would be ignored; {remedy}")
    try:
        return np.asarray(values)
    except ValueError:
        raise UserError(
            f"{name}: rows of unequal lengths; must be an array; pad the rows, for example with 0, and pass their lengths"
        ) from None


def checked(config: Config, scores: np.ndarray, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Scores and lengths as arrays, with a length for every vector. Raises `UserError` as `golden` does."""
    scores = _array("scores", scores)
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
    if len(scores) % config.ensemble:
        whole = len(scores) - len(scores) % config.ensemble
        raise UserError(
            f"scores: {len(scores)} vectors with ensemble = {config.ensemble}: must be members of whole ensembles, one after the "
            f"other; {whole or config.ensemble} vectors would do"
        )
    if lengths is None:
        return scores, np.full(len(scores), scores.shape[1], dtype=np.int64)
    lengths = _array("lengths", lengths)
    if lengths.shape != (len(scores),) or not np.issubdtype(lengths.dtype, np.integer):
        raise UserError(
            f"lengths: an array of {lengths.dtype} with shape {lengths.shape}; must be {len(scores)} integers, one per vector"
        )
    outside = np.flatnonzero((lengths < 1) | (lengths > scores.shape[1]))
    if len(outside):
        raise UserError(
            f"lengths[{outside[0]}] = {lengths[outside[0]]}: must be from 1 to {scores.shape[1]}, the columns of the scores; "
            f"for example {scores.shape[1]}"
        )
    return scores, lengths.astype(np.int64)


def checked_sideband(
    config: Config, sideband: Mapping[str, np.ndarray] | None, shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """The sideband of scores of shape [V, N] as int64 arrays; a field with real values quantises them.

    Raises `UserError` as `golden` does.
    """
    arrays, fields = dict(sideband or {}), {field.array: field for field in sidebands(config)}
    for name in [*arrays, *fields]:
        if name not in fields:
            remedy = f"its sideband inputs are {', '.join(fields)}" if fields else "it has none; leave it out"
            raise UserError(f"{name}: this head has no such sideband input{nearest(name, fields)}; {remedy}")
        field = fields[name]
        due = shape if field.per == "element" else shape[:1]
        if name not in arrays:
            raise UserError(
                f"{name}: missing; must be an array of integers, {field.meaning}; for example zeros of shape {due}"
            )
        values = _array(name, arrays[name])
        if field.quantise is not None and values.dtype.kind == "f" and values.shape == due:
            values = field.quantise(values)
        if values.shape != due or values.dtype.kind not in "iub":
            raise UserError(
                f"{name}: an array of {values.dtype} with shape {values.shape}; must be integers of shape {due}"
            )
        outside = np.argwhere((values < 0) | (values > field.limit))
        if len(outside):
            position = tuple(int(i) for i in outside[0])
            raise UserError(f"{name}{list(position)} = {values[position]}: must be 0 to {field.limit}; for example 0")
        arrays[name] = values.astype(np.int64)
    return arrays


def _checked_before(before: int) -> int:
    """The number of words as an int. Raises `UserError` for any other value."""
    if isinstance(before, int | np.integer) and not isinstance(before, bool) and 0 <= before < BEFORE_LIMIT:
        return int(before)
    raise UserError(f"before = {before!r}: must be an integer from 0 to 2^62 − 1, words since reset; for example 0")


def golden(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    sideband: Mapping[str, np.ndarray] | None = None,
    *,
    before: int = 0,
    beside: Mapping[str, np.ndarray] | None = None,
) -> Result:
    """The result of a head, bit for bit: integer score codes [V, N] in, integer codes out.

    With `ensemble` = M, each M vectors are the members of one ensemble and have one result.

    * `lengths` [V]: elements of each vector, 1 to N; N by default. The model cuts a vector longer than max_length
      and sets its flag, as the hardware does.
    * `sideband`: name → array, [V, N] or [V], of each sideband input of the head (`ports.sidebands`): `mask`, `labels`,
      `temperatures`. `beside` is the former name of this argument.
    * `before`: random words drawn since reset (`words_taken`). In mode sample the random sequence continues after these words;
      other modes ignore it.

    Raises `UserError` for scores that are not integer codes of the score format, lengths outside 1 to N, an unknown or missing
    sideband, masked arrays, and a `before` that is not a number of words.
    """
    check_config(config)
    if beside is not None:
        if sideband is not None:
            raise UserError("beside: the former name of sideband, which is given as well; leave it out")
        sideband = beside
    scores, lengths = checked(config, scores, lengths)
    sideband, before = checked_sideband(config, sideband, scores.shape), _checked_before(before)
    if config.groups:
        return Result(grouped(golden, config, scores, lengths, sideband, before))
    words = words_taken(config, result_lengths(config, lengths), sideband.get("mask"))
    words_before = before + np.cumsum(words) - words
    parts = composition(config)
    model = MODELS[config.mode] if parts is None else partial(composed, parts, MODELS)
    arrays: dict[str, np.ndarray] = {}
    for output in result_outputs(config):
        shape = output.shape(config, scores.shape)
        arrays |= {field.array: np.zeros(shape, dtype=np.int64) for field in output.fields}
        arrays |= {flag.array: np.zeros(len(words), dtype=bool) for flag in output.flags}
    members = config.ensemble
    block = max(1, BLOCK_ELEMENTS // (scores.shape[1] * members))
    for start in range(0, len(words), block):
        results = slice(start, start + block)
        rows = slice(start * members, (start + block) * members)
        mask = sideband["mask"][rows] if config.mask else None
        positions, framed, overlong = frame(config, scores[rows], lengths[rows], mask)
        columns = (slice(None), slice(positions.shape[1]))
        block_sideband = {name: values[rows][columns[: values.ndim]] for name, values in sideband.items()}
        with refusals_of(config):
            results_of_block = model(config, Block(positions, framed, block_sideband, int(words_before[start])))
        outcome = {**results_of_block, **_flags(config, framed, overlong)}
        for name, values in outcome.items():
            # The model cuts columns beyond max_length, which stay 0.
            arrays[name][results][..., : values.shape[-1]] = values
    return Result(arrays)


def _flags(config: Config, lengths: np.ndarray, overlong: np.ndarray) -> dict[str, np.ndarray]:
    """The flags of the results that depend only on the framing of the vectors."""
    return {"overlong": overlong} if config.ensemble == 1 else flags(lengths, overlong, config.ensemble)
