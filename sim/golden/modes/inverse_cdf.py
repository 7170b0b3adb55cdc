"""Golden model of `hw/modes/inverse_cdf.py`: the class whose share of the sum a random number falls into."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.inverse_cdf import CdfLaw, cdf_law
from softstream.sim.golden.stages.cdf_search import search
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.frame import Block, unframe
from softstream.sim.golden.stages.random_words import words
from softstream.sim.golden.stages.sum_share import threshold

__all__ = ["draw_share", "inverse_cdf", "terms"]


def terms(law: CdfLaw, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The exponentials as the sum takes them, 0 where not valid; int64 [V, N]."""
    exponent, significand = exponential(law.widths, positions)
    return (significand << exponent) * valid


def draw_share(law: CdfLaw, positions: np.ndarray, valid: np.ndarray, stream: np.ndarray) -> np.ndarray:
    """Index of the class drawn from positions [V, N] where valid, with a random word for each vector; int64 [V]."""
    shares = terms(law, positions, valid)
    return search(shares, threshold(law, shares.sum(axis=1), stream))


def inverse_cdf(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The class drawn for each vector and its score code, [V]; index 0 where all is masked.

    Each vector uses the next word of the sequence.
    """
    stream = words(config.seed, len(block.lengths), block.words_before)
    index = draw_share(cdf_law(config), block.positions, block.taking_part, stream)
    drawn = np.take_along_axis(block.positions, index[:, None], axis=1)[:, 0]
    return {"sample": index, "score": unframe(config, drawn), **block.flags}
