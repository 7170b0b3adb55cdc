r"""Drawing by the inverse of the cumulative distribution: its numbers, and how near the law of a draw is to softmax.

The exponentials of a vector are integers t_i = M·2^E (`exponential`), C_i = t_1 + … + t_i, and S = C_N is their exact sum. With
U random bits u, uniform on 0 … 2^U − 1, the class drawn is the first i with

    C_i > τ,   τ = floor((u + ½)·S / 2^U).

C_i is an integer, so C_i > τ is the same as C_i > (u + ½)·S/2^U. As 0 <= τ <= S − 1, such an i exists for every u, and t_i = 0 is
never the first. (Devroye, "Non-Uniform Random Variate Generation", 1986, section III.2.) The half centres the share: without it
u = 0 draws the first class however improbable it is, and the largest u leaves out a last class below 2^−U.

**Law.** The class is i for R(2^U·C_i/S) − R(2^U·C_(i−1)/S) of the 2^U words, where R(c) = ceil(c − ½). So its probability is
P_i = q_i + (d_i − d_(i−1))/2^U with q_i = t_i/S, where d_i = R(c) − c of c = 2^U·C_i/S lies in [−½, ½), and d_0 = d_N = 0.

**Each class.** With p = softmax, w_i the exact exponential and t_i a common factor times w_i(1 + ε_i), |ε_i| <= ε:

* |P_i − q_i| < 2^−U, because two values of [−½, ½) differ by less than 1.
* |q_i/p_i − 1| <= η = 2ε/(1 − ε), because q_i/p_i is (1 + ε_i) over a mean of such factors. ε is measured over every score code.
* So |P_i/p_i − 1| < η + 2^−U/p_i. A class of p_i >= 2^(`HONOURED` − U) has an error of at most η + 2^−`HONOURED` of its own
  probability: this is the smallest probability that is honoured. A class with q_i >= 2^−U has at least one word, because P_i is
  a multiple of 2^−U above 0. A less probable class has at most p_i(1 + η) + 2^−U.

**Distance from softmax.** Total variation distance, for every vector of at most N scores. It is at most the sum of two shares.

* *Resolution of u.* The distance of P from q is half the sum of |d_i − d_(i−1)|/2^U. The first and the last of the N differences
  are at most ½, because d_0 = d_N = 0, and the others are below 1. So the distance is at most (N − 1)/2^(U+1), for N > 1.
* *Exponentials.* A set of probability a under p has at most a(1 + ε)/(a(1 + ε) + (1 − a)(1 − ε)) under q. The difference from a
  is largest at a = 1/(1 + ρ), ρ² = (1 + ε)/(1 − ε): it is (ρ − 1)/(ρ + 1) = ε/(1 + sqrt(1 − ε²)) <= ε/(2 − ε²).

Both shares are 0 for a vector of one element.

**Random bits.** S is below 2^W, so no class that takes part has q_i < 2^−W. U = W + `HONOURED` honours every class; U is at most
`WORD` − 1, because a vector takes one random word, and the word is as many whole steps of the multiplication as U + 1 bits.
"""

from dataclasses import dataclass
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.random_words import WORD
from softstream.hw.numbers.softmax import Numerics, TooManyOctaves, numerics

__all__ = ["HONOURED", "CdfLaw", "cdf_law", "exact_sum"]

HONOURED = 6
"""The resolution of u changes the probability of a class that is honoured by at most 2^−HONOURED of it."""


@dataclass(frozen=True)
class CdfLaw:
    """Widths and bound of one configuration."""

    widths: Numerics
    """Of the exponentials and of their exact sum."""
    share_bits: int
    """U: bits of u, the lowest of a random word."""
    exponential: Fraction
    """Share of the exponentials' error in the distance."""
    relative: Fraction
    """η: the largest relative error of a class's probability that the exponentials cause."""
    resolution: Fraction
    """Share of the resolution of u."""

    @property
    def bound(self) -> Fraction:
        """The largest total variation distance of a draw's law from softmax, over all vectors of at most max_length scores."""
        return self.exponential + self.resolution

    @property
    def smallest(self) -> Fraction:
        """The smallest probability that is honoured: from here on the law is within `class_error` of it, relatively."""
        return Fraction(1, 1 << max(0, self.share_bits - HONOURED))

    @property
    def class_error(self) -> Fraction:
        """The largest |P_i/p_i − 1| of a class whose probability p_i is at least `smallest`, over all vectors."""
        return self.relative + Fraction(1, 1 << HONOURED)


def exact_sum(config: Config) -> Config:
    """The configuration whose exponentials and exact sum the draws use."""
    # A draw has no probability codes, so keys of codes that no softmax could have must not refuse it.
    codes = {"output_levels": 0, "output_zero_point": 0, "sum": "rounded", "minimum_code": 0}
    return config.replace(mode="softmax", normaliser="none", accumulator="absolute", sampler="gumbel", **codes)


def cdf_law(config: Config) -> CdfLaw:
    """The numbers of a configuration.

    Raises `UserError` for scores whose exact sum is too wide.
    """
    try:
        widths = numerics(exact_sum(config))
    except UserError:
        raise TooManyOctaves(config, "sampler = 'inverse_cdf'", "sampler = 'gumbel'") from None
    share_bits = min(WORD - 1, widths.accumulator_width + HONOURED)
    epsilon, several = widths.tables.error, config.max_length > 1
    return CdfLaw(
        widths=widths,
        share_bits=share_bits,
        exponential=epsilon / (2 - epsilon**2) if several else Fraction(0),
        relative=2 * epsilon / (1 - epsilon) if several else Fraction(0),
        resolution=Fraction(config.max_length - 1, 2 << share_bits),
    )
