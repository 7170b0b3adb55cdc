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

**Law.** Among the elements of the set the draw is that of the Gumbel sampler (`gumbel`): the largest x_r + G_r. Elements outside
take no part. The distance of its law from softmax over the set is at most the bound of the table for K elements.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import bound
from softstream.hw.numbers.gumbel import GumbelTable, gumbel_table

__all__ = ["RankedDraw", "ranked_draw"]

_CONTEXT = Context(prec=40, Emin=-(10**9), Emax=10**9)


@dataclass(frozen=True)
class RankedDraw:
    """The numbers of one configuration."""

    ranked: Config
    """The head that orders the best elements: Top-K, or Top-K with probabilities."""
    count: int
    """K: elements that a draw is among, at most."""
    share: int | None
    """ceil(p·2^P): a further element belongs to the set while the codes of those before it sum to less; None without a bound."""
    distance: int | None
    """D: elements up to so many steps below the best one belong to the set; None without a bound."""
    noise: GumbelTable
    """Gumbel noise for K elements."""

    @property
    def share_error(self) -> Fraction:
        """The set is the exact one of a p that differs from `draw_top_p` by at most this."""
        if self.share is None:
            return Fraction(0)
        return self.count * bound(self.ranked).worst / self.ranked.levels


@lru_cache(maxsize=256)
def ranked_draw(config: Config) -> RankedDraw:
    """The numbers of a configuration. Raises `UserError` where the head that orders the elements has no plan."""
    ranked, count = config.replace(**config.ranked_keys()), min(config.draw_top_k, config.max_length)
    share = math.ceil(Fraction(config.draw_top_p) * ranked.levels) if config.draws_share else None
    distance = _distance(config.draw_min_p, config.effective_scale) if config.draw_min_p else None
    largest = (1 << config.score_width) - 1
    # The table depends on the scale and on the number of elements alone.
    among = config.replace(draw_top_k=0, draw_top_p=1.0, draw_min_p=0.0, max_length=count, lanes=1)
    return RankedDraw(ranked, count, share, None if distance is None else min(distance, largest), gumbel_table(among))


def _distance(least: float, scale: float) -> int:
    """floor(−ln(least)/scale): never an integer before the floor unless 0, because ln of a fraction is irrational."""
    nats = -_CONTEXT.ln(Decimal(least))
    return int(_CONTEXT.divide(nats, Decimal(scale)).to_integral_value(ROUND_FLOOR))
