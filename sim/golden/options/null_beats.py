"""Golden model of `hw/options/null_beats.py`: the elements of beats with tkeep."""

from dataclasses import dataclass

import numpy as np

__all__ = ["KeptVector", "kept_vectors"]


@dataclass(frozen=True)
class KeptVector:
    """One vector of a stream of beats."""

    places: tuple[tuple[int, int], ...]
    """Beat and lane of each element, in order."""
    gap: bool
    """Whether tkeep excluded bytes below others of the vector."""


def kept_vectors(keep: np.ndarray, last: np.ndarray) -> list[KeptVector]:
    """The vectors in beats with `keep` [beats, lanes, bytes] and `last` [beats]; beats behind the last `last` are left out.

    A beat without bytes adds no element, and a vector of such beats alone is none. Of the other beats of a vector all but the
    last one have an element in every lane. The last one has them up to the first lane above 0 without bytes.
    """
    vectors: list[KeptVector] = []
    start = 0
    for end in np.flatnonzero(last).tolist():
        beats = [beat for beat in range(start, end + 1) if keep[beat].any()]
        start = end + 1
        if not beats:
            continue
        final = keep[beats[-1]].any(axis=1)
        absent = np.flatnonzero(~final[1:])
        count = 1 + int(absent[0]) if len(absent) else len(final)
        lanes = range(len(final))
        places = [(beat, lane) for beat in beats[:-1] for lane in lanes] + [(beats[-1], lane) for lane in range(count)]
        whole = bool(keep[beats[:-1]].all()) and bool(keep[beats[-1]][:count].all()) and not final[count:].any()
        vectors.append(KeptVector(tuple(places), not whole))
    return vectors
