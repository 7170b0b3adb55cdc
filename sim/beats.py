"""Vectors of scores as beats of the streams, and the beats that the golden model demands."""

from collections.abc import Sequence

import numpy as np

from softstream.hw.config import Config
from softstream.hw.ports import byte_bits

from .golden import Result

__all__ = [
    "Beat",
    "due_beats",
    "output_streams",
    "pad_vectors",
    "score_beats",
    "score_fields",
    "unpack_probabilities",
    "unpack_winner",
]

Beat = tuple[int, ...]
"""One beat, a number for each signal that `ports.stream_fields` names: (tdata, tlast, tuser) of an output, (tdata, tlast)
of the input, and behind tdata of several lanes tkeep. tlast of the input comes last."""


def output_streams(config: Config) -> tuple[str, ...]:
    """Prefixes of the top's output streams; the primary one comes first."""
    return ("m_axis",) if config.mode == "argmax" else ("m_axis", "m_axis_best")


def pad_vectors(vectors: Sequence[np.ndarray], fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of any lengths as (scores [V, N], lengths [V]), N the longest length, filled up with `fill`."""
    lengths = np.array([len(vector) for vector in vectors], dtype=np.int64)
    scores = np.full((len(vectors), int(lengths.max())), fill, dtype=np.int64)
    for row, vector in zip(scores, vectors, strict=True):
        row[: len(vector)] = vector
    return scores, lengths


def score_fields(config: Config, scores: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Score codes as fields of s_axis_tdata: sign- or zero-extended, or with random upper bits (which are ignored)."""
    bits = byte_bits(config.score_width)
    fields = np.asarray(scores, dtype=np.int64) & ((1 << bits) - 1)
    if rng is not None and bits > config.score_width:
        fields &= (1 << config.score_width) - 1
        fields |= rng.integers(0, 1 << (bits - config.score_width), fields.shape) << config.score_width
    return fields


def score_beats(
    config: Config, scores: np.ndarray, lengths: np.ndarray, rng: np.random.Generator | None = None
) -> list[Beat]:
    """Vectors [V, N] of lengths [V] as beats of s_axis: (tdata, tlast), or (tdata, tkeep, tlast) with several lanes.

    Lanes beyond a vector's end hold the largest code. With `rng`, everything that is ignored is random: those lanes, upper
    bits of fields, tkeep but in a last beat, and there all of it but the lowest bit of each lane up to the first that is 0.
    """
    lanes, field_bytes = config.lanes, byte_bits(config.score_width) // 8
    blocks, held = _blocks(config, scores, lengths, config.score_format.maximum)
    count, last = held.T
    if rng is not None:
        free = np.arange(lanes) >= count[:, None]
        codes = rng.integers(config.score_format.minimum, config.score_format.maximum, blocks.shape, endpoint=True)
        blocks = np.where(free, codes, blocks)
    words = _words(score_fields(config, blocks, rng), field_bytes)
    if lanes == 1:
        return list(zip(words, last.tolist(), strict=True))
    keep = np.repeat(np.arange(lanes) < count[:, None], field_bytes, axis=1)
    if rng is not None:
        byte = np.arange(lanes * field_bytes)
        speaks = (byte % field_bytes == 0) & (byte > 0) & (byte <= count[:, None] * field_bytes) & (last[:, None] == 1)
        keep = np.where(speaks, keep, rng.integers(0, 2, keep.shape))
    return list(zip(words, _keep_words(keep), last.tolist(), strict=True))


def _blocks(config: Config, values: np.ndarray, lengths: np.ndarray, fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Values [V, N] of lengths [V] as beats of all vectors, [beats, lanes], and for each (lanes held, 1 for the last)."""
    lanes = config.lanes
    beats = config.beats(values.shape[1])
    padded = np.full((len(values), beats * lanes), fill, dtype=np.int64)
    padded[:, : values.shape[1]] = np.where(np.arange(values.shape[1]) < lengths[:, None], values, fill)
    count = np.clip(lengths[:, None] - lanes * np.arange(beats), 0, lanes)
    present = count > 0
    last = np.arange(beats) == (-(-lengths // lanes) - 1)[:, None]
    return padded.reshape(len(values), beats, lanes)[present], np.stack([count[present], last[present]], axis=1)


def _words(fields: np.ndarray, field_bytes: int) -> list[int]:
    """Fields [beats, lanes] as one integer per beat, lane 0 lowest."""
    wide = np.ascontiguousarray(fields, dtype="<u8").view(np.uint8).reshape(*fields.shape, 8)
    size = fields.shape[1] * field_bytes
    raw = wide[:, :, :field_bytes].tobytes()
    return [int.from_bytes(raw[at : at + size], "little") for at in range(0, len(raw), size)]


def _keep_words(keep: np.ndarray) -> list[int]:
    """Bits [beats, bytes] as one integer per beat."""
    packed = np.packbits(keep.astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _winner_word(config: Config, index: int, score: int) -> int:
    return index | (score & ((1 << byte_bits(config.score_width)) - 1)) << byte_bits(config.index_width)


def unpack_winner(config: Config, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words of the winner's tdata as (index, score code)."""
    words = np.asarray(words, dtype=np.int64)
    index_bits, score_bits = byte_bits(config.index_width), byte_bits(config.score_width)
    score = words >> index_bits & ((1 << score_bits) - 1)
    if config.score_signed:
        score = score - (score >> (score_bits - 1) << score_bits)
    return words & ((1 << index_bits) - 1), score


def due_beats(config: Config, result: Result, lengths: np.ndarray) -> dict[str, list[Beat]]:
    """The beats that every output stream must carry for a result of the golden model, in order."""
    flags = np.asarray(result.overlong, dtype=np.int64)
    winners: list[Beat] = [
        (_winner_word(config, index, score), 1, flag)
        for index, score, flag in zip(result.argmax.tolist(), result.best.tolist(), flags.tolist(), strict=True)
    ]
    if result.probabilities is None:
        return {"m_axis": winners}
    kept = np.minimum(np.asarray(lengths), config.max_length)
    field_bytes = byte_bits(config.output_width) // 8
    # What a lane without an element holds is not compared: 0 stands for it.
    blocks, held = _blocks(config, result.probabilities, kept, 0)
    rows = np.repeat(flags, -(-kept // config.lanes)).tolist()
    words, last = _words(blocks, field_bytes), held[:, 1].tolist()
    if config.lanes == 1:
        return {"m_axis": list(zip(words, last, rows, strict=True)), "m_axis_best": winners}
    keep = _keep_words(np.repeat(np.arange(config.lanes) < held[:, :1], field_bytes, axis=1))
    return {"m_axis": list(zip(words, keep, last, rows, strict=True)), "m_axis_best": winners}


def unpack_probabilities(config: Config, words: list[int]) -> np.ndarray:
    """Words of m_axis_tdata in softmax mode as fields [beats, lanes]."""
    field_bytes = byte_bits(config.output_width) // 8
    raw = b"".join(word.to_bytes(config.lanes * field_bytes, "little") for word in words)
    fields = np.frombuffer(raw, dtype=np.uint8).reshape(len(words), config.lanes, field_bytes).astype(np.int64)
    return (fields << 8 * np.arange(field_bytes)).sum(axis=2)
