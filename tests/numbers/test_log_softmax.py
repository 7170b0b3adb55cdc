"""The format of logarithmic results is the least that holds every result."""

import math

import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.log_softmax import log_numerics


@pytest.mark.parametrize("mode", ["log_softmax", "cross_entropy"])
@pytest.mark.parametrize(("width", "scale", "length"), [(4, 0.1, 1), (8, 0.0625, 16), (8, 0.0625, 1024), (10, 0.4, 3)])
def test_the_format_is_the_least_that_holds_the_largest_loss(mode: str, width: int, scale: float, length: int) -> None:
    config = Config(mode=mode, score_width=width, score_scale=scale, max_length=length)
    signed = mode == "log_softmax"
    numbers = log_numerics(config, signed=signed)
    # One smallest score among length − 1 of the largest.
    largest = math.log1p((length - 1) * math.exp(scale * ((1 << width) - 1))) if length > 1 else 0.0
    code = largest * 2**config.probability_width
    assert numbers.limit + 0.5 > code
    assert not numbers.saturates
    stated = scale * ((1 << width) - 1) + math.log(length)
    assert numbers.format.integer_bits - signed <= max(0, math.ceil(math.log2(stated + 2.0**-config.probability_width)))


def test_fewer_integer_bits_saturate_and_more_are_refused() -> None:
    config = Config(mode="log_softmax", max_length=16)
    most = log_numerics(config, signed=True).format.integer_bits
    narrow = log_numerics(config.replace(integer_bits=most - 1), signed=True)
    assert narrow.saturates
    assert narrow.limit == 1 << (most - 2 + config.probability_width)
    with pytest.raises(UserError, match=rf"integer_bits = {most + 1}.*{most} would do"):
        log_numerics(config.replace(integer_bits=most + 1), signed=True)
