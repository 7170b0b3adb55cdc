"""Vectors of scores as beats of the streams, and the beats that the golden model demands."""

from collections.abc import Sequence

import numpy as np

from softstream.hw.config import Config
from softstream.hw.ports import byte_bits

from .golden import Result

__all__ = ["Beat", "due_beats", "output_streams", "pad_vectors", "score_words", "unpack_winner"]

Beat = tuple[int, int, int]
"""(tdata, tlast, tuser) of one output beat."""


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


def score_words(config: Config, scores: np.ndarray, rng: np.random.Generator | None = None) -> list[int]:
    """Score codes as words of s_axis_tdata: sign- or zero-extended, or with random upper bits (which are ignored)."""
    bits = byte_bits(config.score_width)
    words = np.asarray(scores, dtype=np.int64) & ((1 << bits) - 1)
    if rng is not None and bits > config.score_width:
        words &= (1 << config.score_width) - 1
        words |= rng.integers(0, 1 << (bits - config.score_width), words.shape) << config.score_width
    return words.ravel().tolist()


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
    winners = [
        (_winner_word(config, index, score), 1, flag)
        for index, score, flag in zip(result.argmax.tolist(), result.best.tolist(), flags.tolist(), strict=True)
    ]
    if result.probabilities is None:
        return {"m_axis": winners}
    kept = np.minimum(np.asarray(lengths), config.max_length)[:, None]
    element = np.arange(result.probabilities.shape[1])
    inside = element < kept
    columns = (result.probabilities, element == kept - 1, np.broadcast_to(flags[:, None], inside.shape))
    probabilities = list(zip(*(column[inside].astype(np.int64).tolist() for column in columns), strict=True))
    return {"m_axis": probabilities, "m_axis_best": winners}
