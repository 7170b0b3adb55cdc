"""Codes of temperatures: their values, the conversion from floats, and floats without a code."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.temperature import range_text, temperature_codes, tempered
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden

CONFIG = Config(temperature_bits=8, temperature_fraction=5, max_length=16)


def test_codes_are_the_nearest_inverse_temperatures() -> None:
    temperatures = np.array([1, 2, 32, np.inf, 0.125489, 0.5, 3, 1e9, 64.0001, 63.9])
    assert temperature_codes(CONFIG, temperatures).tolist() == [32, 16, 1, 0, 255, 64, 11, 0, 0, 1]
    grid = np.linspace(0.1256, 40, 5000)
    codes = temperature_codes(CONFIG, grid)
    assert (np.abs(codes / 32 - 1 / grid) <= 1 / 64 + 1e-15).all()
    assert range_text(CONFIG) == "1/T in steps of 2^−5, T from 0.125 to 32, and infinite"


def test_the_model_takes_floats_and_codes_alike() -> None:
    scores = np.random.default_rng(1).integers(-128, 128, (4, 16))
    temperatures = np.array([1.0, 0.25, 7.0, np.inf])
    one = golden(CONFIG, scores, sideband={"temperatures": temperatures})
    other = golden(CONFIG, scores, sideband={"temperatures": temperature_codes(CONFIG, temperatures)})
    np.testing.assert_array_equal(one["probabilities"], other["probabilities"])


@pytest.mark.parametrize(
    ("temperatures", "text"),
    [
        ([1, 0.0], r"temperatures\[1\] = 0: must be above 0; for example 1; mode = 'argmax' is the limit at 0"),
        ([-1.0], r"temperatures\[0\] = -1: must be above 0"),
        ([np.nan], r"temperatures\[0\] = nan: must be above 0"),
        (
            [2, 0.12],
            r"temperatures\[1\] = 0\.12: the lowest of temperature_bits = 8, temperature_fraction = 5 is 0\.1255; a",
        ),
    ],
)
def test_a_temperature_without_a_code_is_refused(temperatures: list[float], text: str) -> None:
    with pytest.raises(UserError, match=text):
        golden(CONFIG, np.zeros((len(temperatures), 3), dtype=int), sideband={"temperatures": np.array(temperatures)})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mode": "top_k"}, "temperature_bits = 8 with mode = 'top_k': the order does not depend .* temperature_bits = 0 would"),
        ({"mode": "sigmoid"}, "with mode = 'sigmoid': softmax, its logarithms and draws alone take it; .*, or mode = 'softmax'"),
        ({"score_width": 9}, "temperature_bits = 8 with score_width = 9: their product has 17 bits, .* temperature_bits = 7 "),
        ({"score_width": 16}, "at most 16 are taken; score_width = 8 would do"),
        ({"normaliser": "logarithm"}, "and normaliser = 'logarithm': .* at most 10 are taken; temperature_bits = 2 would do"),
        ({"normaliser": "logarithm", "score_width": 10}, "at most 10 are taken; normaliser = 'divider' would do"),
        ({"accumulator": "two_pass", "profile": "small"}, "and accumulator = 'two_pass': .* temperature_bits = 2 would do"),
        ({"groups": [8], "max_length": 8}, r"temperature_bits = 8 with groups = \[8\]: .* temperature_bits = 0 would do"),
        ({"ensemble": 3}, "temperature_bits = 8 with ensemble = 3: .* temperature_bits = 0 would do"),
        ({"temperature_bits": 15}, "temperature_bits = 15: must be an integer from 0 to 14"),
        ({"temperature_fraction": -1}, "temperature_fraction = -1: must be an integer from 0 to 14"),
    ],
)  # fmt: skip
def test_keys_that_exclude_each_other_are_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UserError, match=text):
        CONFIG.replace(**changes)


def test_stages_behind_the_product_ignore_the_temperature() -> None:
    parts = composition(CONFIG)
    assert parts is not None
    assert (
        parts.inner
        == tempered(CONFIG)
        == Config(max_length=16, score_width=16, score_signed=False, score_scale=2.0**-9)
    )
    assert parts.argmax == Config(mode="argmax", max_length=16)
    losses = composition(CONFIG.replace(mode="cross_entropy"))
    assert losses is not None
    assert losses.argmax is None
    assert plan(CONFIG).bound == plan(parts.inner).bound


@pytest.mark.parametrize("mode", ["log_softmax", "cross_entropy"])
def test_steps_that_are_too_coarse_before_the_product_alone_are_accepted(mode: str) -> None:
    """The rule for natural logarithms concerns the scores behind the product: 63 · 40 / 16 nats, and 15 · 40 before it."""
    config = Config.from_mapping(
        {"mode": mode, "score_width": 4, "score_scale": 40.0, "temperature_bits": 2, "max_length": 8}
    )
    assert plan(config).bound is not None
