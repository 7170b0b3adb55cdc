"""Golden model of `hw/stages/sum_share.py`: a random share of each vector's sum."""

import numpy as np

from softstream.hw.numbers.inverse_cdf import CdfLaw

__all__ = ["threshold"]


def threshold(law: CdfLaw, total: np.ndarray, words: np.ndarray) -> np.ndarray:
    """floor((u + ½)·S / 2^U) for sums S and random words, int64 [V], u the lowest U bits of the word.

    The half comes first, then the bits of u one by one, the lowest first, so that no intermediate result is wider than S + 1 bit.
    """
    share = total >> 1
    for bit in range(law.share_bits):
        share = (share + (words >> bit & 1) * total) >> 1
    return share
