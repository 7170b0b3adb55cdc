"""The difference that counts of random draws may have from their law."""

import math

__all__ = ["misses_once_in_a_million"]


def misses_once_in_a_million(cells: int, count: int) -> float:
    """ε with P(total variation of frequencies from the law > ε) < 10^-6.

    P(Σ|f_i − p_i| >= 2ε) <= 2^cells · exp(−2·count·ε²) (Weissman and others, 2003).
    """
    return math.sqrt((cells * math.log(2) + math.log(1e6)) / (2 * count))
