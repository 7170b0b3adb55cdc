"""The beats that a head answers with, by the golden model."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.sim.golden import golden

__all__ = ["expected_beats"]


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
