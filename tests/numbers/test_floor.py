"""The code of the floor, and its error over every guarded probability of narrow formats."""

from fractions import Fraction

import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.floor import floor_code, floor_error
from softstream.hw.plan.derive import plan


@pytest.mark.parametrize("floor", [0.004, 0.02, 0.1, 1 / 3])
@pytest.mark.parametrize("length", [1, 2])
def test_the_error_of_every_guarded_code_is_within_the_share(floor: float, length: int) -> None:
    config = Config(max_length=2, probability_width=5, guard_bits=4, probability_floor=floor)
    parts = composition(config)
    assert parts is not None
    inner = parts.inner
    one = 1 << inner.probability_width
    code = floor_code(config, inner)
    assert abs(Fraction(code, one) - Fraction(floor)) <= Fraction(1, 2 * one)
    share = one - code * length
    worst = Fraction(0)
    for probability in range(one + 1):
        result = code + ((share * probability + one // 2) >> inner.probability_width)
        exact = code + Fraction(share * probability, one)
        assert code <= result <= one
        worst = max(worst, abs(result - exact) / one)
    assert worst <= floor_error(config, inner, Fraction(0))


def test_an_error_shrinks_by_the_share_of_one_class() -> None:
    config = Config(max_length=4, probability_floor=0.25 - 1e-3)
    parts = composition(config)
    assert parts is not None
    one = 1 << parts.inner.probability_width
    added = floor_error(config, parts.inner, Fraction(1, 100)) - floor_error(config, parts.inner, Fraction(0))
    assert added == (1 - Fraction(floor_code(config, parts.inner), one)) / 100


def test_a_floor_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"probability_floor = 0\.2499999 .*probability_floor = 0\.125 would do"):
        plan(Config(max_length=4, probability_floor=0.2499999))
