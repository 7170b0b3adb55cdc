r"""Probability codes that sum to exactly 2^P (`sum = exact`): the running sum is rounded, not each code by itself.

The terms t_i of a vector are those of its exact sum S, 0 for a masked element, and A_i = t_1 + … + t_i. With
2^n <= S < 2^(n+1) and D = P + k + 1, both are cut to the same bits: a_i = floor(A_i / 2^(n−D)), and the divisor
m = floor(S / 2^(n−D)) >= 2^D. Then

    q_i = floor(2^T · a_i / m), at most 2^T − 1, with the divider; or floor(2^T · a_i · r / 2^(R+D)) with the reciprocal r
    C_i = F·c_i + floor(K·q_i / 2^T + 1/2),   K = 2^P − F·c_N         code_i = C_i − C_(i−1),   C_0 = 0

where c_i counts the elements that take part up to the i-th and F is `minimum_code`. Without a minimum K is 2^P and T = P + 1, so
that C_i is the quotient 2^P·a_i / m rounded half up. With one, T = P + k + 2.

**Distribution.** a_i never falls with i, and each step behind it is monotonic, so the share of K never falls either. Hence
code_i >= F for an element that takes part. A masked element adds no term, so its code is 0. At the last element a_N = m. Its
share is exactly K, so Σ code = C_N = 2^P:

* Divider: q_N = 2^T − 1, and K·(2^T − 1)/2^T + 1/2 lies in [K, K + 1), because K <= 2^P <= 2^(T−1).
* Reciprocal: m·r / 2^(R+D) lies in [1 − β, 1 + α], so K·q_N / 2^T + 1/2 lies in [K, K + 1) where 2^P·(β + 2^−T) <= 1/2 and
  2^P·α < 1/2. Without a minimum 2^P·β <= 1/2 is enough, because then the cut of q changes no rounding. `ExactSum.exact` is this
  condition, and bit by bit it holds for every k >= 1: β = 2^(1−R) = 2^−(P+k+1) and α <= 0.

**Error.** The divisor stands for x = S / 2^(n−D) in [m, m + 1), and r·x / 2^(R+D) lies in [1 − β, 1 + α]: α = 2^−D, β = 0 for the
divider, β = 2^(1−R) for the reciprocal bit by bit, and the measured errors of the chords. The cut of A_i drops a fraction φ_i in
[0, 1). With s_i = t_i / S the code before the roundings is 2^P·(s_i·(1 + ρ) − (φ_i − φ_(i−1))·r / 2^(R+D)), −β <= ρ <= α. The
roundings of C_i and C_(i−1) differ by less than 1. With κ = max(α, β), and a of `bound`, which limits |s_i − p_i| by a·p(1 − p),

    |code_i − 2^P·p_i| < 1 + 2^P·( max over p of a·p(1 − p) + κ·(p + a·p(1 − p)) + (1 + α)·2^−D ),

which is below 1 + 2^(1−k). With a minimum p_i is F/2^P + (K/2^P)·softmax_i, and the cut of q_i to T bits adds less than 2^(P−T).

The cumulative code C_i has one rounding instead of two, hence half an ulp: a·p(1 − p) also limits the error of the probability of
a set of elements, by the same extremes.
"""

from dataclasses import dataclass
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import Numerics, numerics

__all__ = ["ExactSum", "exact_sum"]


@dataclass(frozen=True)
class ExactSum:
    """The numbers behind the running sum of one configuration."""

    widths: Numerics
    minimum: int
    """F, the smallest code of an element that takes part."""
    quotient_width: int
    """T: fraction bits of a quotient."""
    above: Fraction
    """α: the largest relative excess of a quotient."""
    below: Fraction
    """β: the largest relative loss of a quotient."""

    @property
    def one(self) -> int:
        """2^P, the sum of a vector's codes."""
        return 1 << self.widths.probability_width

    @property
    def code_width(self) -> int:
        """Bits of a cumulative code, which reaches 2^P."""
        return self.widths.probability_width + 1

    @property
    def raised(self) -> int:
        """Bits by which the running sum moves up before it moves down by n."""
        return self.widths.divisor_fraction - self.widths.accumulator_fraction

    @property
    def product_shift(self) -> int:
        """Bits that a product with the reciprocal has beyond T."""
        return self.widths.reciprocal_width + self.widths.divisor_fraction - self.quotient_width

    @property
    def exact(self) -> bool:
        """Whether the last cumulative code is 2^P for every vector."""
        cut = Fraction(1, 1 << self.quotient_width) if self.minimum else Fraction(0)
        return self.one * (self.below + cut) <= Fraction(1, 2) and self.one * self.above < Fraction(1, 2)

    @property
    def truncation(self) -> Fraction:
        """Largest error of a probability by the cuts of the running sum and of the quotient, absolute."""
        cut = Fraction(1, 1 << self.quotient_width) if self.minimum else Fraction(0)
        return (1 + self.above) / (1 << self.widths.divisor_fraction) + cut


def exact_sum(config: Config) -> ExactSum:
    """The numbers of a configuration with `exact_sum`. Raises `UserError` as `numerics` does."""
    widths, minimum = numerics(config), config.minimum_code
    width = config.probability_width + (config.guard_width + 2 if minimum else 1)
    above, below = Fraction(1, 1 << widths.divisor_fraction), Fraction(0)
    if config.division == "reciprocal":
        below = Fraction(2, 1 << widths.reciprocal_width)
    if config.division == "reciprocal" and widths.reciprocals is not None:
        above, below = widths.reciprocals.above, widths.reciprocals.below
    numbers = ExactSum(widths, minimum, width, above, below)
    assert numbers.exact
    return numbers
