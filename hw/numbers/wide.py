r"""Integer arithmetic of the model whose intermediate results exceed the 63 bits of NumPy's integers.

The widths of a configuration are at most P = 24, k = 8, so that significands have P + k = 32 bits, reciprocals 33 and the
factors of a split table's product 35. Their products have up to 69 bits, but every result is cut to less than 63. Both functions
below are exact, because floor(floor(x / a) / b) = floor(x / (a·b)) for integers a, b >= 1.
"""

import numpy as np

__all__ = ["FACTOR_WIDTH", "power_quotient", "shifted_product"]

FACTOR_WIDTH = 36
"""Widest factor of `shifted_product`."""

_LOW = FACTOR_WIDTH // 2
_SAFE = 63
"""Bits of the largest product that an int64 holds."""


def shifted_product(one: np.ndarray, other: np.ndarray, shift: int, width: int) -> np.ndarray:
    """floor(one · other / 2^shift) of int64 arrays >= 0, of at most `FACTOR_WIDTH` bits each, whose product has `width` bits.

    A wider product is split at bit l = min(shift, 18) of `other` = h·2^l + r: one·other / 2^l = one·h + one·r / 2^l, where
    one·r has at most 36 + 18 bits. one·h has at most width − l bits: 54 where l = 18, otherwise those of the result.
    """
    if width <= _SAFE:
        return (one * other) >> shift
    assert width - shift <= _SAFE - 1
    low = min(shift, _LOW)
    high_part = one * (other >> low)
    low_part = (one * (other & ((1 << low) - 1))) >> low
    return (high_part + low_part) >> (shift - low)


def power_quotient(exponent: int, divisor: np.ndarray) -> np.ndarray:
    """floor(2^exponent / divisor) of an int64 array >= 1; divisors of at most 36 bits, exponents to 66, results below 2^63.

    With 2^62 = q·m + r, r < m, and t = exponent − 62 > 0: 2^exponent / m = q·2^t + r·2^t / m.
    """
    first = min(exponent, _SAFE - 1)
    quotient, rest = np.divmod(np.int64(1 << first), divisor)
    more = exponent - first
    return (quotient << more) + (rest << more) // divisor
