"""Products and quotients of more than 64 bits against Python's integers."""

import numpy as np
import pytest

from softstream.hw.numbers.wide import FACTOR_WIDTH, power_quotient, shifted_product


def numbers(rng: np.random.Generator, width: int) -> np.ndarray:
    """Numbers of up to `width` bits: random ones, those next to each power of two, the largest."""
    corners = [max(0, (1 << bits) + step) for bits in range(width) for step in (-1, 0, 1)]
    return np.array([*rng.integers(0, 1 << width, 300), *corners, (1 << width) - 1], dtype=np.int64)


@pytest.mark.parametrize(("one", "other"), [(4, 5), (31, 32), (32, 33), (35, 34), (FACTOR_WIDTH, FACTOR_WIDTH)])
def test_products(one: int, other: int) -> None:
    rng = np.random.default_rng([one, other])
    left, right = np.meshgrid(numbers(rng, one), numbers(rng, other))
    due = left.astype(object) * right.astype(object)
    for shift in {0, 1, 7, 10, 17, 18, 19, 34, one + other - 1}:
        if one + other - shift <= 62:
            products = shifted_product(left, right, shift, one + other)
            assert np.array_equal(products.astype(object), due >> shift)


@pytest.mark.parametrize("exponent", [5, 61, 62, 63, 64, 65, 66])
def test_quotients(exponent: int) -> None:
    rng = np.random.default_rng(exponent)
    divisors = np.maximum(numbers(rng, FACTOR_WIDTH), 1 << 10)
    quotients = power_quotient(exponent, divisors)
    assert quotients.tolist() == [(1 << exponent) // int(divisor) for divisor in divisors]
