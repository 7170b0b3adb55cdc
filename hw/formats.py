"""Fixed-point formats, in the Q notation of AMD and Arm manuals: UQi.f and Qi.f.

`UQi.f` is an unsigned integer code of i + f bits that stands for code · 2^-f; `Qi.f` is the signed one, whose i
integer bits include the sign.
"""

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["QFormat", "ceil_log2", "signed_digits"]


def ceil_log2(value: int) -> int:
    """The smallest b with 2^b >= value, for value >= 1: the bits that an index below `value` needs."""
    if value < 1:
        raise ValueError(f"ceil_log2 of {value}: needs a value of at least 1")
    return (value - 1).bit_length()


def signed_digits(weight: int) -> list[tuple[int, bool]]:
    """A weight as a sum of few powers of two: [(exponent, whether it is subtracted), …], its non-adjacent form."""
    digits, exponent = [], 0
    while weight:
        if weight & 1:
            negative = weight & 3 == 3
            digits.append((exponent, negative))
            weight += 1 if negative else -1
        weight >>= 1
        exponent += 1
    return digits


@dataclass(frozen=True)
class QFormat:
    """A fixed-point format: `integer_bits` before and `fraction_bits` after the point.

    `fraction_bits` may be negative and `integer_bits` may exceed the width, as in block-scaled integers.
    """

    integer_bits: int
    fraction_bits: int
    signed: bool = False

    @property
    def width(self) -> int:
        """Bits of the code."""
        return self.integer_bits + self.fraction_bits

    @property
    def minimum(self) -> int:
        """The smallest code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The largest code."""
        return (1 << (self.width - 1 if self.signed else self.width)) - 1

    @property
    def ulp(self) -> Fraction:
        """The real value of one step of the code: 2^-fraction_bits."""
        return Fraction(2) ** -self.fraction_bits

    def __str__(self) -> str:
        return f"{'' if self.signed else 'U'}Q{self.integer_bits}.{self.fraction_bits}"
