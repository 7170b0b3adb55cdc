"""The table of differences from the maximum: correctly rounded, off by no more than it says, refused where it does not fit."""

import math
from fractions import Fraction

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.two_pass import Differences, differences


def of(**keys: object) -> Differences:
    return differences(Config(accumulator="two_pass", profile="small", **keys))  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [1e-12, 2.0**-7, 0.0625, 0.1467, 1.0, 1e6])
@pytest.mark.parametrize("score_width", [2, 8, 10])
def test_entries_are_rounded_correctly(scale: float, score_width: int) -> None:
    table = of(score_scale=scale, score_width=score_width)
    octaves = np.arange(1 << score_width) * min(scale * math.log2(math.e), 64.0)
    exact = np.exp2(-octaves)
    one = 2**table.fraction - 1
    assert table.entries[0] == one
    assert np.abs(table.exponential - one * exact).max() <= 0.5 + 1e-8
    assert (np.diff(table.exponential) <= 0).all()
    # What it says of itself is what is measured here, and half a unit at most.
    measured = np.abs(table.exponential / one - exact)
    assert measured.max() <= float(table.largest_error) + 1e-15 <= 0.5 / one + 2e-15
    assert measured.max() >= float(table.largest_error) - 1e-13
    others = table.max_length - 1
    assert float(table.sum_error) == pytest.approx(
        (others * measured / (1 + others * exact)).max(), rel=1e-6, abs=1e-12
    )


@pytest.mark.parametrize(
    ("length", "fraction", "total", "dropped"),
    [(1, 10, 10, 0), (2, 11, 12, 0), (4, 12, 14, 0), (5, 13, 16, 1), (1024, 20, 30, 8), (65536, 26, 42, 14)],
)
def test_widths_hold_the_longest_vector(length: int, fraction: int, total: int, dropped: int) -> None:
    table = of(max_length=length)
    assert (table.fraction, table.sum_width, table.dropped) == (fraction, total, dropped)
    assert length * table.entries[0] < 1 << table.sum_width
    assert table.dividend_width == fraction - dropped
    assert table.divisor_width == total - dropped
    assert table.bits == 256 * fraction


def test_one_element_has_no_error_in_its_sum() -> None:
    assert of(max_length=1).sum_error == 0
    assert of(max_length=2).sum_error <= of(max_length=2).largest_error < Fraction(1, 1 << 11)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"normaliser": "reciprocal"}, "with normaliser = 'reciprocal': .*; normaliser = 'divider' would do"),
        ({"score_width": 11}, "with score_width = 11: .* at most 10 bits; accumulator = 'auto' would do"),
        ({"probability_width": 3}, "with probability_width = 3: .* at least 4 .*; probability_width = 4 would do"),
    ],
)
def test_refusals_name_a_remedy(keys: dict[str, object], text: str) -> None:
    with pytest.raises(UserError, match=f"^accumulator = 'two_pass' {text}"):
        of(**keys)
