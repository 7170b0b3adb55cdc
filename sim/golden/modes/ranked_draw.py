"""Golden model of `hw/modes/ranked_draw.py`: a draw among the first elements of the ordered list of the best."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.ranked_draw import RankedDraw
from softstream.hw.numbers.ranked_draw import ranked_draw as numbers_of
from softstream.sim.golden.modes.gumbel import noise
from softstream.sim.golden.modes.inverse_cdf import draw_share
from softstream.sim.golden.modes.softmax_top_k import softmax_top_k
from softstream.sim.golden.modes.top_k import top_k
from softstream.sim.golden.stages.draw_set import draw_set
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.maximum import maximum
from softstream.sim.golden.stages.random_words import words

__all__ = ["ranked_draw"]


def ranked_draw(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The class drawn for each vector and its score code, [V], and whether its set was truncated.

    With Gumbel noise each of the K best elements of a vector uses the next word of the sequence, whether it belongs to the set
    or not. A share of the sum uses one word for each vector.
    """
    numbers = numbers_of(config)
    ranked = (softmax_top_k if config.draws_share else top_k)(numbers.ranked, block)
    positions = config.position(ranked["top_scores"])
    ranks = np.arange(positions.shape[1])
    present = ranks < block.taking_part.sum(axis=1)[:, None]
    belongs, truncated = draw_set(numbers, positions, present, ranked.get("top_probabilities"), block.sideband)
    if config.inverse_cdf:
        rank = draw_share(numbers.law, positions, belongs, words(config.seed, len(block.lengths), block.words_before))
    else:
        rank = _loudest(config, numbers, positions, belongs, present & (ranks < numbers.count), block.words_before)
    index, position = (
        np.take_along_axis(values, rank[:, None], axis=1)[:, 0] for values in (ranked["top_indices"], positions)
    )
    flags = {"truncated": truncated} if config.may_truncate else {}
    return {"sample": index, "score": unframe(config, position), **block.flags, **flags}


def _loudest(
    config: Config,
    numbers: RankedDraw,
    positions: np.ndarray,
    belongs: np.ndarray,
    takes_word: np.ndarray,
    words_before: int,
) -> np.ndarray:
    """Rank of the largest sum of position and noise in each set, int64 [V]; ranks that take a word consume the sequence."""
    perturbed = positions << numbers.noise.shift
    perturbed[takes_word] += noise(numbers.noise, words(config.seed, int(takes_word.sum()), words_before))
    rank, _ = maximum(perturbed, belongs)
    return rank
