"""Golden model of `hw/stages/frame.py`: vectors cut to max_length, and scores as positions 0 … 2^W − 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["BLOCK_ELEMENTS", "Block", "frame", "unframe"]

BLOCK_ELEMENTS = 1 << 16
"""Elements that are worked on at once, few enough for intermediate arrays to stay in the processor's cache."""


@dataclass(frozen=True)
class Block:
    """Framed vectors of the stream: the input of the model of a head."""

    positions: np.ndarray
    """Positions of the score codes, 0 where masked, int64 [V, N]; undefined beyond the length of a vector."""
    lengths: np.ndarray
    """Elements of each vector, cut at max_length, [V]."""
    sideband: Mapping[str, np.ndarray]
    """The sideband of the scores by name, [V, N] or [V]."""
    words_before: int
    """Random words that all vectors before these used since reset."""

    @cached_property
    def taking_part(self) -> np.ndarray:
        """Which positions are elements that are not masked, bool [V, N]."""
        return self.valid & (self.sideband["mask"] == 0) if "mask" in self.sideband else self.valid

    @property
    def flags(self) -> dict[str, np.ndarray]:
        """The flag of fully masked vectors, bool [V], where the head has a mask."""
        return {"all_masked": np.logical_not(self.taking_part.any(axis=1))} if "mask" in self.sideband else {}

    @cached_property
    def valid(self) -> np.ndarray:
        """Which positions are elements, bool [V, N]."""
        if self.lengths.min(initial=self.positions.shape[1]) == self.positions.shape[1]:
            return np.ones(self.positions.shape, dtype=bool)
        return np.arange(self.positions.shape[1]) < self.lengths[:, None]


def frame(
    config: Config, scores: np.ndarray, lengths: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score codes [V, N] and lengths [V] to (positions [V, N'], lengths [V], overlong [V]), N' = min(N, max_length).

    position = code − smallest code of the format, or largest code − code with `select = smallest`; 0 where `mask` [V, N] is
    set. A vector longer than max_length keeps its
    first max_length elements and is flagged.
    """
    overlong = lengths > config.max_length
    positions = config.position(scores[:, : config.max_length].astype(np.int64, copy=False))
    if mask is not None:
        positions[mask[:, : config.max_length] != 0] = 0
    return positions, np.minimum(lengths, config.max_length), overlong


def unframe(config: Config, positions: np.ndarray) -> np.ndarray:
    """Positions back to score codes."""
    return np.asarray(config.code(positions))
