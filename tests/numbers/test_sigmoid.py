"""Every code of the sigmoid table is the nearest one."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.numbers.sigmoid import sigmoid_codes


@pytest.mark.parametrize("width", [2, 4, 8, 11])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("scale", "temperature"), [(0.0625, 1.0), (0.3, 1.7), (2.0**-9, 0.5)])
def test_every_code_is_correctly_rounded(width: int, signed: bool, scale: float, temperature: float) -> None:
    config = Config(
        mode="sigmoid", score_width=width, score_signed=signed, score_scale=scale, temperature=temperature,
        probability_width=12, probability_format="UQ1",
    )  # fmt: skip
    codes = sigmoid_codes(config)
    scores = np.arange(config.score_format.minimum, config.score_format.maximum + 1)
    exact = 4096 / (1 + np.exp(-scores.astype(np.longdouble) * np.longdouble(scale / temperature)))
    assert len(codes) == len(scores)
    assert np.abs(codes - exact).max() <= 0.5 + 1e-12
    assert np.all(np.diff(codes) >= 0)
    if signed:
        assert np.array_equal(codes[1:] + codes[1:][::-1], np.full(len(codes) - 1, 4096))


def test_one_saturates_in_uq0() -> None:
    config = Config(mode="sigmoid", score_width=8, score_scale=1.0, probability_width=6)
    wide = sigmoid_codes(config.replace(probability_format="UQ1"))
    assert np.array_equal(sigmoid_codes(config), np.minimum(wide, 63))
    assert wide.max() == 64
