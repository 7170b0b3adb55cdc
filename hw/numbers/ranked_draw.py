r"""Draws among the best elements of a vector: which elements these are, and how near the law of a draw is to softmax among them.

The elements are ordered, the largest score first and of equal ones the first index first: x_1 >= x_2 >= …, with the probabilities
p_1 >= p_2 >= … of softmax over the whole vector. A draw is among the first of them, those ranks r with

    r <= K   (`draw_top_k`),   p_1 + … + p_(r−1) < p   (`draw_top_p`),   p_r >= m·p_1   (`draw_min_p`),

and always the first one. Each condition holds for the ranks up to some rank, so the set is the prefix of an ordered list, and no
more than K elements of a vector are ever stored (K: A. Fan, M. Lewis, Y. Dauphin, "Hierarchical neural story generation", ACL
2018; p: A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020; m: M. Nguyen et al., "Min-p sampling",
ICLR 2025). As p and m count over all N elements and not over the K best, the set is that of a sorted vector wherever it has at
most K elements. Where it has more, the flag `truncated` is set, and the draw is among its K best. The list holds K + 1 elements
for that: the set has more than K elements if and only if element K + 1 meets the conditions on p and m.

**K, m.** Both are exact. p_r >= m·p_1 is s·(x_1 − x_r) <= −ln m with s nats a step, hence x_1 − x_r <= D with the integer
D = floor(−ln(m)/s).

**p.** The hardware adds the codes c_r of the Top-K softmax: element r + 1 is in the set if c_1 + … + c_r < p·2^P, in integers
< ceil(p·2^P). Each code is within b ulp of 2^P·p_r (`bound`), so the sum of r < K codes is within (K − 1)·b·2^−P of the sum of r
probabilities. So the set is the exact one of some p' with |p' − p| <= `share_error` = K·b·2^−P: one element more or less only
where the sum of the probabilities comes as close as that to p.

**Bounds of each vector** (`draw_sideband`). K, ceil(p·2^P) and D come with the vector as codes, and the list has room for the
largest K. Codes of p above 2^P exist: the largest one exceeds every sum of codes, so it bounds nothing.

**Law.** Among the elements of the set the draw is that of `sampler`: the largest x_r + G_r (`gumbel`), or the first rank whose
running sum of exponentials exceeds a random share of their sum over the set (`inverse_cdf`). Elements outside take no part. The
law of the draw is within the bounds of that sampler for K elements of softmax over the set.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.gumbel import GumbelTable, gumbel_table
from softstream.hw.numbers.inverse_cdf import CdfLaw, cdf_law

__all__ = ["RankedDraw", "distance_codes", "ranked_draw", "share_codes", "share_limit"]

_CONTEXT = Context(prec=40, Emin=-(10**9), Emax=10**9)


@dataclass(frozen=True)
class RankedDraw:
    """The numbers of one configuration."""

    ranked: Config
    """The head that orders the best elements: Top-K, or Top-K with probabilities."""
    count: int
    """K: elements that a draw is among, at most."""
    vector_bounds: bool
    """Whether K, share and distance come with each vector, at most `count`, `share_limit` and `distance_limit`."""
    share_limit: int
    """The code of a p that bounds nothing: above every sum of codes, because each code is within an ulp of its probability."""
    distance_limit: int
    """The code of an m that bounds nothing: the largest difference of two positions."""
    share: int | None
    """ceil(p·2^P): a further element belongs to the set while the codes of those before it sum to less; None without a bound."""
    distance: int | None
    """D: elements up to so many steps below the best one belong to the set; None without a bound."""
    among: Config
    """The draw among the K listed elements, without the list and its bounds; elements outside of the set are masked."""

    @property
    def noise(self) -> GumbelTable:
        """Gumbel noise for K elements."""
        return gumbel_table(self.among)

    @property
    def law(self) -> CdfLaw:
        """The law of a draw by a random share of the sum of K exponentials. Raises `UserError` as `cdf_law` does."""
        return cdf_law(self.among)

    @property
    def share_error(self) -> Fraction:
        """The set is the exact one of a p that differs from `draw_top_p` by at most this."""
        if self.share is None and not self.vector_bounds:
            return Fraction(0)
        return self.count * bound(self.ranked).worst / self.ranked.levels


@lru_cache(maxsize=256)
def ranked_draw(config: Config) -> RankedDraw:
    """The numbers of a configuration. Raises `UserError` where the head that orders the elements has no plan."""
    ranked, count = config.replace(**config.ranked_keys()), min(config.draw_top_k, config.max_length)
    share = math.ceil(Fraction(config.draw_top_p) * ranked.levels) if config.draw_top_p < 1 else None
    largest = (1 << config.score_width) - 1
    distance = min(_distance(config.draw_min_p, config.effective_scale), largest) if config.draw_min_p else None
    # The list orders the lanes and leaves out masked elements; the mask of a draw is that of the set.
    off = {"draw_top_k": 0, "draw_top_p": 1.0, "draw_min_p": 0.0, "draw_sideband": False}
    among = config.replace(**off, max_length=count, lanes=1, mask=True)
    return RankedDraw(
        ranked,
        count,
        config.draw_sideband,
        share_limit(config),
        largest,
        share,
        distance,
        among,
    )


def share_limit(config: Config) -> int:
    """The code of a p that bounds nothing."""
    return (1 << config.probability_width) + config.ranked_length + 1


def share_codes(config: Config, shares: np.ndarray) -> np.ndarray:
    """Codes of the p of each vector, float64 [V] to int64 [V]: ceil(p·2^P), and `share_limit` for p = 1.

    Raises `UserError` for a p outside of 0 to 1, with a value that would do.
    """
    values = np.asarray(shares, dtype=np.float64)
    outside = np.flatnonzero(~((values > 0) & (values <= 1)))
    if len(outside):
        raise UserError(
            f"draw_top_ps[{outside[0]}] = {values[outside[0]]:g}: must be above 0, at most 1; for example 0.9"
        )
    return np.where(values < 1, np.ceil(values * (1 << config.probability_width)), share_limit(config)).astype(np.int64)


def distance_codes(config: Config, shares: np.ndarray) -> np.ndarray:
    """Codes of the m of each vector, float64 [V] to int64 [V]: floor(−ln(m)/s), and the largest code for m = 0.

    Raises `UserError` for an m outside of 0 to below 1, with a value that would do.
    """
    values = np.asarray(shares, dtype=np.float64)
    outside = np.flatnonzero(~((values >= 0) & (values < 1)))
    if len(outside):
        raise UserError(
            f"draw_min_ps[{outside[0]}] = {values[outside[0]]:g}: must be from 0 to below 1; for example 0.05"
        )
    largest = (1 << config.inner_width) - 1
    codes = [min(_distance(value, config.inner_scale), largest) if value else largest for value in values.tolist()]
    return np.array(codes, dtype=np.int64)


def _distance(least: float, scale: float) -> int:
    """floor(−ln(least)/scale): never an integer before the floor unless 0, because ln of a fraction is irrational."""
    nats = -_CONTEXT.ln(Decimal(least))
    return int(_CONTEXT.divide(nats, Decimal(scale)).to_integral_value(ROUND_FLOOR))
