"""Vectors as beats of several lanes: those of scores, and those between the stages of a head."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from softstream.hw.streams.layouts import keep_names

__all__ = ["Slice", "beats_of", "framed", "slices"]


@dataclass(frozen=True)
class Slice:
    """The elements of one beat."""

    vector: int
    """Number of the vector."""
    start: int
    """Index of the first element in its vector."""
    values: list[int]
    """As many as the beat holds, at most one per lane."""
    last: bool
    """Whether the beat is the last of its vector."""


def slices(vectors: Sequence[Sequence[int] | np.ndarray], lanes: int = 1) -> Iterator[Slice]:
    """All beats of all vectors, in order."""
    for number, vector in enumerate(vectors):
        for start in range(0, len(vector), lanes):
            values = [int(value) for value in vector[start : start + lanes]]
            yield Slice(number, start, values, start + lanes >= len(vector))


def beats_of(vectors: Sequence[np.ndarray], lanes: int = 1, *, behind_null_beats: bool = False) -> list[dict[str, int]]:
    """Input beats of a head. Lanes beyond the end of a vector hold its largest score.

    Bits of `keep` that have no meaning behind the stage `null_beats` are random, where the beats are those of a stage there.
    """
    rng = np.random.default_rng(len(vectors))
    beats = []
    for piece in slices(vectors, lanes):
        values, largest = piece.values, int(max(vectors[piece.vector]))
        beat = {"score": values[0], "last": int(piece.last)}
        for lane in range(1, lanes):
            keep = lane < len(values)
            if behind_null_beats and not (piece.last and lane <= len(values)):
                keep = rng.integers(0, 2)
            beat[f"score_{lane}"] = values[lane] if lane < len(values) else largest
            beat[f"keep_{lane}"] = int(keep)
        if behind_null_beats:
            for below, above in pairwise(keep_names(lanes)):
                beat[above] &= beat[below]
        beats.append(beat)
    return beats


def framed(vector: Sequence[int], overlong: int = 0, lanes: int = 1) -> list[dict[str, int]]:
    """Beats of one vector behind `Frame`: positions, the index of the beat, both ends, and exact bits of `keep`."""
    beats = []
    for piece in slices([vector], lanes):
        values = piece.values
        beat = {
            "position": values[0],
            "index": piece.start // lanes,
            "first": int(piece.start == 0),
            "last": int(piece.last),
            "overlong": overlong & piece.last,
        }
        for lane in range(1, lanes):
            beat[f"position_{lane}"] = values[lane] if lane < len(values) else 0
            beat[f"keep_{lane}"] = int(lane < len(values))
        beats.append(beat)
    return beats
