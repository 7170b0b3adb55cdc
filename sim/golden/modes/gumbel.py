"""Golden model of `hw/modes/gumbel.py`: Gumbel noise from random words, and the first index of the largest sum.

The noise of every address is `GumbelTable.values` in `hw/numbers/gumbel.py`.
"""

from functools import lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.gumbel import FRACTION, MANTISSA, UPPER_OCTAVES, GumbelTable, gumbel_table
from softstream.hw.plan.ports import active_elements
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.maximum import maximum
from softstream.sim.golden.stages.random_words import words

__all__ = ["draw", "noise", "sample", "words_taken"]


def noise(table: GumbelTable, words: np.ndarray) -> np.ndarray:
    """Words, int64, to Gumbel noise in units of the table, above the least: same shape, int64."""
    offset_width = FRACTION + MANTISSA
    sides = words >> offset_width
    octave = _short_octaves(table.lower_octaves).take(sides & ((1 << _SHORT_WIDTH) - 1))
    long = np.flatnonzero(octave < 0)
    octave.flat[long] = _octave(table.lower_octaves, sides.flat[long])
    return table.values.ravel().take((octave << offset_width) | (words & ((1 << offset_width) - 1)))


_SHORT_WIDTH = 13
"""Bits of {octave bits, side} that tell the octave of all words but one in 2^12."""


def _octave(lower_octaves: int, sides: np.ndarray) -> np.ndarray:
    """Octave of the table for {octave bits, side} of words, int64."""
    upper, rest = sides & 1, sides >> 1
    # Zeros below the lowest one; 63 if the word has no one, more than any table has octaves.
    zeros = np.where(rest == 0, 63, np.frexp((rest & -rest).astype(np.float64))[1] - 1)
    lower_octave = np.minimum(zeros, lower_octaves - 1)
    return np.where(upper == 1, np.minimum(zeros, UPPER_OCTAVES - 1) + lower_octaves, lower_octave)


@lru_cache(maxsize=8)
def _short_octaves(lower_octaves: int) -> np.ndarray:
    """Octave for the lowest bits of {octave bits, side}, −1 where the octave bits among them are all 0, int64."""
    sides = np.arange(1 << _SHORT_WIDTH)
    return np.where(sides >> 1, _octave(lower_octaves, sides), -1)


def draw(
    table: GumbelTable, positions: np.ndarray, valid: np.ndarray, stream: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(index [V], position [V]) of the classes drawn from positions [V, N] where valid; index 0 where none is.

    `stream` holds one word for each valid element, vector by vector, in the order of the elements.
    """
    perturbed = positions << table.shift
    if valid.all():
        perturbed += noise(table, stream).reshape(perturbed.shape)
    else:
        perturbed[valid] += noise(table, stream)
    index, _ = maximum(perturbed, valid)
    return index, np.take_along_axis(positions, index[:, None], axis=1)[:, 0]


def words_taken(config: Config, lengths: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Random words that vectors of these lengths [V] use in mode sample.

    Gumbel noise takes one per element that takes part, or one per element of the list of the best; a share of the sum one.
    """
    if config.inverse_cdf:
        return np.ones_like(lengths)
    elements = active_elements(config, lengths, mask)
    return np.minimum(elements, config.draw_top_k) if config.ranked_draw else elements


def sample(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The class drawn for each vector and its score code, [V].

    Each element uses the next word of the sequence. Masked elements use none, so the draws are those of vectors without them.
    """
    stream = words(config.seed, int(block.taking_part.sum()), block.words_before)
    index, position = draw(gumbel_table(config), block.positions, block.taking_part, stream)
    return {"sample": index, "score": unframe(config, position), **block.flags}
