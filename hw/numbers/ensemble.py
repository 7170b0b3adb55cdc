r"""Ensembles: the vectors of one result, and the two means over them.

**The mean of the logits**, Σ_m x_m / M over the M members. The sums of score codes are exact and M times too large. The head
behind them takes them as scores in steps of score_scale / M, so nothing is rounded and nothing is divided. The result is the
logarithm of the geometric mean of the members' distributions, up to a constant that cancels in softmax.

**The mean of the probabilities**, Σ_m p_m / M: the members' guarded codes c_m (`composition`), each off by e at most, are summed
exactly, S = Σ c_m, and the result is floor(S / M). So the error of the mean is at most e too, whatever M is. The floor costs
nothing where the last rounding follows, because floor((floor(S/M) + h)/2^G) = floor((S/M + h)/2^G) with the integer h = 2^(G−1).
A stage between the two sees the floor: an error of at most 1 − 1/M of the step of a guarded code.

floor(S/M) is exact as well, without a division. Let M = 2^a·d, d odd, x = floor(S/2^a) <= d·2^Q, Q the guarded codes' fraction
bits. With m = ceil(2^s/d) and r = m·d − 2^s, in [0, d),

    x·m/2^s = x/d + x·r/(d·2^s),

and x/d is at least 1/d below the next larger integer. So floor(x·m/2^s) = floor(x/d) if the last term is below 1/d,
that is x·r < 2^s. s is the least one for which that holds at x = d·2^Q.
(T. Granlund, P. Montgomery, "Division by invariant integers using multiplication", PLDI 1994, section 4.)
The product with the constant m is a few shifts, added and subtracted.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat, ceil_log2

__all__ = ["MeanDivision", "mean_division", "mean_format", "mean_truncation", "result_lengths", "sum_offset", "summed"]


def result_lengths(config: Config, lengths: Any) -> Any:
    """Lengths of the results for vectors of these lengths [V]: those of each ensemble's first member, [V / M]."""
    return lengths[:: config.ensemble]


def summed(config: Config) -> Config:
    """The configuration behind the sums of an ensemble's scores: ceil(log2 M) bits more, steps of 1/M.

    The exponential of a mean is relative to a score code c of the members, so that of a sum is relative to M·c. The last
    position of the sums' format is no such reference: no sum reaches it.
    """
    sums = config.widened(
        ensemble=1,
        score_width=config.score_width + ceil_log2(config.ensemble),
        score_scale=config.score_scale / config.ensemble,
        score_zero_point=config.ensemble * config.score_zero_point if config.traits.independent else 0,
        reference_offset=0,
    )
    if not config.traits.exponentials:
        return sums
    last = (1 << config.score_width) - 1
    reference = config.ensemble * int(config.code(last - config.reference_offset))
    return sums.replace(reference_offset=(1 << sums.score_width) - 1 - int(sums.position(reference)))


def sum_offset(config: Config) -> int:
    """The sum of the members' codes of position 0: where all members lack an element, this code stands for it."""
    return config.ensemble * int(config.code(0))


def mean_format(config: Config, inner: Config) -> QFormat:
    """Sums of the members' probabilities, of which M stand for 1: codes of the guarded `inner` configuration."""
    return QFormat(1 + ceil_log2(config.ensemble), inner.probability_width)


def mean_truncation(config: Config, inner: Config) -> Fraction:
    """Error of the floor of S / M, which the last rounding absorbs if it comes next."""
    return Fraction(config.ensemble - 1, config.ensemble << inner.probability_width)


@dataclass(frozen=True)
class MeanDivision:
    """floor(S / M) = floor(floor(S / 2^a)·m / 2^s)."""

    halvings: int
    """a."""
    multiplier: int
    """m."""
    shift: int
    """s."""


@lru_cache(maxsize=64)
def mean_division(members: int, fraction: int) -> MeanDivision:
    """The division of sums of `members` codes of at most 2^`fraction`."""
    halvings = (members & -members).bit_length() - 1
    odd = members >> halvings
    shift = 0
    while True:
        multiplier = -(-(1 << shift) // odd)
        if (odd << fraction) * (multiplier * odd - (1 << shift)) < 1 << shift:
            return MeanDivision(halvings, multiplier, shift)
        shift += 1
