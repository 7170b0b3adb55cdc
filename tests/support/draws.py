"""The difference that counts of random draws may have from their law."""

import math

import numpy as np
from scipy import stats

__all__ = ["chi_square_probability", "misses_once_in_a_million"]

LEAST_EXPECTED = 10
"""Draws that a cell of the chi-square statistic expects at the least."""


def misses_once_in_a_million(cells: int, count: int) -> float:
    """ε with P(total variation of frequencies from the law > ε) < 10^-6.

    P(Σ|f_i − p_i| >= 2ε) <= 2^cells · exp(−2·count·ε²) (Weissman and others, 2003).
    """
    return math.sqrt((cells * math.log(2) + math.log(1e6)) / (2 * count))


def chi_square_probability(counts: np.ndarray, law: np.ndarray) -> float:
    """P(a chi-square statistic is at least that of the counts), for counts [N] of independent draws with the law [N].

    Classes that expect fewer than `LEAST_EXPECTED` draws join the least probable other class, as the statistic asks.
    """
    order = np.argsort(-law)
    expected, seen = law[order] * counts.sum(), np.asarray(counts)[order]
    cells = max(1, int((expected >= LEAST_EXPECTED).sum()))
    expected = np.append(expected[: cells - 1], expected[cells - 1 :].sum())
    seen = np.append(seen[: cells - 1], seen[cells - 1 :].sum())
    return float(stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), max(1, cells - 1)))
