r"""Drawing by the inverse of the cumulative distribution: its numbers, and how near the law of a draw is to softmax.

The exponentials of a vector are integers t_i = M·2^E (`exponential`), C_i = t_1 + … + t_i, and S = C_N is their exact sum. With
U random bits u, uniform on 0 … 2^U − 1, the class drawn is the first i with

    C_i > τ,   τ = floor(u·S / 2^U).

C_i is an integer, so C_i > τ is the same as C_i > u·S/2^U. As 0 <= τ <= S − 1, such an i exists for every u, and t_i = 0 is never
the first. (Devroye, "Non-Uniform Random Variate Generation", 1986, section III.2.)

**Distance from softmax.** Total variation distance, for every vector of at most N scores, with q_i = t_i/S and p = softmax. It is
at most the sum of two shares.

* *Resolution of u.* The class is i for ceil(2^U·C_i/S) − ceil(2^U·C_(i−1)/S) of the 2^U words. So its probability is
  q_i + (r_i − r_(i−1))/2^U, where r_i = ceil(c) − c of c = 2^U·C_i/S lies in [0, 1), and r_0 = r_N = 0. The distance is the sum
  of the positive differences. A run of neighbours in which r rises contributes less than 1, and an element in which r does not
  rise follows each run, because r ends at 0. So at most floor(N/2) runs exist, and the distance is below floor(N/2)/2^U.
* *Exponentials.* t_i is a common factor times w_i(1 + ε_i), |ε_i| <= ε, with ε measured over every score code. A set of
  probability a under p has at most a(1 + ε)/(a(1 + ε) + (1 − a)(1 − ε)) under q. The difference from a is largest at
  a = 1/(1 + ρ), ρ² = (1 + ε)/(1 − ε): it is (ρ − 1)/(ρ + 1) = ε/(1 + sqrt(1 − ε²)) <= ε/(2 − ε²).

Both shares are 0 for a vector of one element. U = ceil(log2 N) + B + 2, B the fraction bits of M, makes the first share at most a
quarter of 2^−B, half of what ε <= 2^−(B+1) may contribute. U is at most `WORD`, the bits of a random word.
"""

from dataclasses import dataclass
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.random_words import WORD
from softstream.hw.numbers.softmax import Numerics, numerics, too_many_octaves

__all__ = ["CdfLaw", "cdf_law", "exact_sum"]


@dataclass(frozen=True)
class CdfLaw:
    """Widths and bound of one configuration."""

    widths: Numerics
    """Of the exponentials and of their exact sum."""
    share_bits: int
    """U: bits of u, the lowest of a random word."""
    exponential: Fraction
    """Share of the exponentials' error in the distance."""
    resolution: Fraction
    """Share of the resolution of u."""

    @property
    def bound(self) -> Fraction:
        """The largest total variation distance of a draw's law from softmax, over all vectors of at most max_length scores."""
        return self.exponential + self.resolution


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
        raise too_many_octaves(config, "sampler = 'inverse_cdf'", "sampler = 'gumbel'") from None
    share_bits = min(WORD, ceil_log2(config.max_length) + widths.significand_fraction + 2)
    epsilon, several = widths.tables.error, config.max_length > 1
    return CdfLaw(
        widths=widths,
        share_bits=share_bits,
        exponential=epsilon / (2 - epsilon**2) if several else Fraction(0),
        resolution=Fraction(config.max_length // 2, 1 << share_bits),
    )
