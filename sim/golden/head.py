"""The golden model of a head: what the hardware of a configuration answers, bit for bit."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.plan.ports import outputs, sidebands
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.modes.cross_entropy import cross_entropy
from softstream.sim.golden.modes.gumbel import sample, words_taken
from softstream.sim.golden.modes.hardmax import hardmax
from softstream.sim.golden.modes.log_softmax import log_softmax
from softstream.sim.golden.modes.sigmoid import sigmoid
from softstream.sim.golden.modes.softmax import softmax
from softstream.sim.golden.modes.softmax_top_k import softmax_top_k
from softstream.sim.golden.modes.top_k import top_k
from softstream.sim.golden.modes.unnormalised import exponentials
from softstream.sim.golden.options.composed import composed
from softstream.sim.golden.options.groups import grouped
from softstream.sim.golden.options.member_sum import flags
from softstream.sim.golden.stages.frame import Block, frame

__all__ = ["MODELS", "Result", "checked", "checked_beside", "golden"]

MODELS: dict[str, Callable[[Config, Block], dict[str, np.ndarray]]] = {
    "argmax": argmax,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "cross_entropy": cross_entropy,
    "exponential": exponentials,
    "sigmoid": sigmoid,
    "sample": sample,
    "hardmax": hardmax,
    "top_k": top_k,
    "softmax_top_k": softmax_top_k,
}
"""Mode → its model: framed vectors in, the arrays of the mode's outputs out, all but `overlong`."""

_BLOCK_ELEMENTS = 1 << 16
"""Elements per block: intermediate arrays then stay in the processor's cache."""


class Result(Mapping[str, np.ndarray]):
    """What a head puts out for V vectors of at most N elements: the arrays that `ports.outputs` names, also as attributes.

    An array of a mode's element stream is [V, N], 0 beyond each length, one of the K largest [V, K], 0 beyond as many as there
    are, all others [V]; int64, flags bool.
    """

    argmax: np.ndarray
    """First index of the largest score, int64 [V]; in the modes that tell it, as the others here."""
    best: np.ndarray
    """The largest score's code, int64 [V]."""
    overlong: np.ndarray
    """Whether the vector was longer than max_length and was cut, bool [V]."""

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
    def probabilities(self) -> np.ndarray | None:
        """Probability codes, int64 [V, N], 0 beyond each length; None in a mode without."""
        return self._arrays.get("probabilities")


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
    if len(scores) % config.ensemble:
        whole = len(scores) - len(scores) % config.ensemble
        raise UserError(
            f"scores: {len(scores)} vectors with ensemble = {config.ensemble}: must be members of whole ensembles, one after the "
            f"other; {whole or config.ensemble} vectors would do"
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


def checked_beside(
    config: Config, beside: Mapping[str, np.ndarray] | None, shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """What comes beside scores [V, N] of that shape, as integers, real numbers quantised where the field takes them.

    Raises `UserError` as `golden` does.
    """
    given, fields = dict(beside or {}), {field.array: field for field in sidebands(config)}
    for name in [*given, *fields]:
        if name not in fields:
            raise UserError(f"{name}: nothing of that name comes beside the scores; leave it out, or set its key")
        field = fields[name]
        wanted = shape if field.per == "element" else shape[:1]
        if name not in given:
            raise UserError(
                f"{name}: missing; must be an array of integers, {field.meaning}; for example zeros of shape {wanted}"
            )
        values = np.asarray(given[name])
        if field.quantise is not None and values.dtype.kind == "f" and values.shape == wanted:
            values = field.quantise(values)
        if values.shape != wanted or values.dtype.kind not in "iub":
            raise UserError(
                f"{name}: an array of {values.dtype} with shape {values.shape}; must be integers of shape {wanted}"
            )
        values = given[name] = values.astype(np.int64)
        wrong = np.argwhere((values < 0) | (values > field.limit))
        if len(wrong):
            place = tuple(int(i) for i in wrong[0])
            raise UserError(f"{name}{list(place)} = {values[place]}: must be 0 to {field.limit}; for example 0")
    return given


def golden(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    beside: Mapping[str, np.ndarray] | None = None,
    *,
    before: int = 0,
) -> Result:
    """The result of a head, bit for bit: integer score codes [V, N] in, integer codes out. Each `ensemble` vectors are the
    members of one, and have one result.

    `lengths` [V] tells how many elements of each row count (default: all); a length over max_length is cut and flagged,
    as in hardware. `beside` holds what comes beside the scores, by name, for a head that takes it (`ports.sidebands`).
    `before` random words have been taken since reset (`sample.words_taken`): in sample mode the random sequence goes on behind
    them, in all others it does not matter.
    Raises `UserError` for other than integer codes within the score format and lengths of 1 to N.
    """
    scores, lengths = checked(config, scores, lengths)
    beside = checked_beside(config, beside, scores.shape)
    if config.groups:
        return Result(grouped(golden, config, scores, lengths, beside, before))
    taken = words_taken(config, result_lengths(config, lengths), beside.get("mask"))
    earlier = before + np.cumsum(taken) - taken
    parts = composition(config)
    model = MODELS[config.mode] if parts is None else partial(composed, parts, MODELS)
    arrays: dict[str, np.ndarray] = {}
    for output in outputs(config):
        shape = output.shape(config, scores.shape)
        arrays |= {field.array: np.zeros(shape, dtype=np.int64) for field in output.fields}
        arrays |= {flag.array: np.zeros(len(taken), dtype=bool) for flag in output.flags}
    members = config.ensemble
    block = max(1, _BLOCK_ELEMENTS // (scores.shape[1] * members))
    for start in range(0, len(taken), block):
        results = slice(start, start + block)
        rows = slice(start * members, (start + block) * members)
        mask = beside["mask"][rows] if config.mask else None
        positions, framed, overlong = frame(config, scores[rows], lengths[rows], mask)
        columns = (slice(None), slice(positions.shape[1]))
        extra = {name: values[rows][columns[: values.ndim]] for name, values in beside.items()}
        made = {
            **model(config, Block(positions, framed, extra, int(earlier[start]))),
            **_flags(config, framed, overlong),
        }
        for name, values in made.items():
            # Columns beyond max_length were cut and stay 0.
            arrays[name][results][..., : values.shape[-1]] = values
    return Result(arrays)


def _flags(config: Config, lengths: np.ndarray, overlong: np.ndarray) -> dict[str, np.ndarray]:
    """What the framing of vectors says of their results."""
    return {"overlong": overlong} if config.ensemble == 1 else flags(lengths, overlong, config.ensemble)
