"""The tables that divide by the sums of weights: every dividend, within the rounding that they state."""

import itertools
from fractions import Fraction

import pytest

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.smoothing import places, smoothing_tables


@pytest.mark.parametrize("edges", ["gather", "scatter"])
@pytest.mark.parametrize("kernel", [(1, 2, 1), (1, 3, 0), (1, 0, 5, 2, 7), (255, 254, 253)])
def test_the_sum_of_entries_is_the_quotient_of_every_dividend(kernel: tuple[int, ...], edges: str) -> None:
    config = Config(max_length=6, probability_width=2, guard_bits=4, smoothing=kernel, smoothing_edges=edges)
    parts = composition(config)
    assert parts is not None
    tables = smoothing_tables(config, parts.inner)
    half = (1 << (tables.fraction - 1)) if edges == "gather" else 0
    step = max(1, (1 << tables.dividend_width) // 4000)
    dividends = {*range(0, 1 << tables.dividend_width, step), (1 << tables.dividend_width) - 1}
    for which, divisor in enumerate(tables.sums):
        for dividend in dividends:
            rest, total = dividend, -half
            for digit, entries in zip(tables.digits, tables.entries, strict=True):
                total += entries[(which << digit) + (rest & ((1 << digit) - 1))]
                rest >>= digit
            assert abs(total - Fraction(dividend << tables.fraction, divisor)) <= tables.rounding


@pytest.mark.parametrize("length", range(1, 7))
@pytest.mark.parametrize("scatter", [False, True])
def test_each_place_has_the_sum_of_the_weights_within_the_vector(length: int, scatter: bool) -> None:
    kernel, radius = (1, 0, 5, 2, 7), 2
    edges = "scatter" if scatter else "gather"
    config = Config(max_length=6, smoothing=kernel, smoothing_edges=edges)
    parts = composition(config)
    assert parts is not None
    tables = smoothing_tables(config, parts.inner)
    for i in range(length):
        offsets = [k for k in range(-radius, radius + 1) if 0 <= (i - k if scatter else i + k) < length]
        total = sum(kernel[k + radius] for k in offsets)
        assert tables.sums[tables.choice[places(radius, length, i)]] == total


def test_the_gain_of_scatter_is_the_largest_share_that_an_output_collects() -> None:
    kernel = (1, 0, 5, 2, 7)
    config = Config(max_length=9, smoothing=kernel, smoothing_edges="scatter", guard_bits=6)
    parts = composition(config)
    assert parts is not None
    largest = Fraction(0)
    for length, i in itertools.product(range(1, 10), range(9)):
        if i < length:
            share = Fraction(0)
            for j in range(max(0, i - 2), min(length, i + 3)):
                share += Fraction(kernel[j - i + 2], sum(kernel[j - n + 2] for n in range(length) if abs(j - n) <= 2))
            largest = max(largest, share)
    assert smoothing_tables(config, parts.inner).gain == largest
