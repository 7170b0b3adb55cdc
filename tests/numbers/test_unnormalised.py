"""Every code of the table of unnormalised exponentials is the nearest one; wide scores keep the bound at every position."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.numbers.unnormalised import exponential_bound, exponential_codes, sum_format
from softstream.sim.golden import golden


@pytest.mark.parametrize("offset", [0, 1, 9])
@pytest.mark.parametrize("width", [4, 8, 10])
def test_every_code_is_correctly_rounded(width: int, offset: int) -> None:
    config = Config(
        mode="exponential", score_width=width, score_scale=0.03, probability_width=11, reference_offset=offset
    )
    codes = exponential_codes(config).codes
    assert codes is not None
    below = np.arange(1 << width) - ((1 << width) - 1 - offset)
    exact = 2048 * np.exp(np.minimum(below, 0).astype(np.longdouble) * np.longdouble(0.03))
    assert np.abs(codes - np.minimum(exact, 2047)).max() <= 0.5 + 1e-12


@pytest.mark.parametrize("offset", [0, 1000])
def test_every_wide_score_keeps_the_bound(offset: int) -> None:
    config = Config(mode="exponential", max_length=4, score_width=12, score_scale=0.002, reference_offset=offset)
    scores = np.arange(-2048, 2048)[:, None]
    codes = golden(config, scores)["exponentials"][:, 0]
    exact = 256 * np.exp(np.minimum(scores[:, 0] - (2047 - offset), 0).astype(np.longdouble) * np.longdouble(0.002))
    bound = float(exponential_bound(exponential_codes(config)).total)
    assert 0.4 < np.abs(codes - np.minimum(exact, 255)).max() <= bound + 1e-9


@pytest.mark.parametrize(("length", "form"), [(1, "UQ1"), (3, "UQ0"), (1024, "UQ1")])
def test_the_format_of_the_sum_is_the_least_that_holds_it(length: int, form: str) -> None:
    config = Config(mode="exponential", max_length=length, probability_format=form)
    assert sum_format(config).maximum >= length * config.probability_maximum > sum_format(config).maximum >> 1
