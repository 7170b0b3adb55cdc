"""The beats that a head answers with, by the golden model."""

from collections.abc import Sequence

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden

__all__ = ["expected_beats", "ranked_beats"]


def expected_beats(config: Config, vectors: list[np.ndarray]) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Probability beats and winner beats of the golden model."""
    lengths = np.array([len(vector) for vector in vectors])
    scores = np.full((len(vectors), lengths.max()), config.score_format.minimum)
    for row, vector in zip(scores, vectors, strict=True):
        row[: len(vector)] = vector
    result = golden(config, scores, lengths)
    winners = [
        {"index": int(i), "score": int(b), "overlong": int(o)}
        for i, b, o in zip(result.argmax, result.best, result.overlong, strict=True)
    ]
    probabilities: list[dict[str, int]] = []
    if result.probabilities is not None:
        for codes, length, flag in zip(
            result.probabilities, np.minimum(lengths, config.max_length), result.overlong, strict=True
        ):
            probabilities += [
                {"probability": int(code), "last": int(k == length - 1), "overlong": int(flag)}
                for k, code in enumerate(codes[:length])
            ]
    return probabilities, winners


def ranked_beats(config: Config, vectors: Sequence[np.ndarray]) -> list[dict[str, int]]:
    """The beats of a Top-K head, rank by rank; of `softmax_top_k` with their probabilities."""
    scores, lengths = pad_vectors(vectors, config.score_format.maximum)
    result = golden(config, scores, lengths)
    arrays = {"index": "top_indices", "score": "top_scores"}
    if config.traits.probabilities:
        arrays["probability"] = "top_probabilities"
    beats = []
    for row, length in enumerate(lengths):
        size = min(config.top_k, int(length), config.max_length)
        beats += [
            {
                **{field: int(result[array][row, k]) for field, array in arrays.items()},
                "last": int(k == size - 1),
                "overlong": int(length > config.max_length),
            }
            for k in range(size)
        ]
    return beats
