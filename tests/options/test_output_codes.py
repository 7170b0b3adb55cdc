"""Codes in steps of 1/L and with a zero point: the hardware of every way to them equals the model."""

from typing import Any

import numpy as np
import pytest
from support.configurations import score_vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.hw.verilog import verilog
from softstream.sim.golden import golden

INT8 = {"output_levels": 255, "output_zero_point": -128}

CONFIGS = {
    name: Config.from_mapping({"max_length": 7, "score_width": 5, "score_scale": 0.3, **keys})
    for name, keys in {
        "divider": {**INT8, "lanes": 2},
        "reference": {**INT8, "accumulator": "reference", "mask": True},
        "reciprocal": {"output_levels": 100, "normaliser": "reciprocal", "per_vector": "pipelined", "lanes": 4},
        "logarithm": {**INT8, "normaliser": "logarithm", "profile": "fastest"},
        "none": {**INT8, "normaliser": "none"},
        "split": {"output_levels": 4000, "probability_width": 12, "score_width": 12, "score_scale": 0.01},
        "zero point": {"output_zero_point": -128, "lanes": 4},
        "zero point that is no power of two": {"output_zero_point": 37, "mask": True},
        "floor": {**INT8, "probability_floor": 0.02},
        "smoothing": {"output_levels": 171, "smoothing": [1, 2, 1]},
        "mean of probabilities": {**INT8, "ensemble": 3, "ensemble_mean": "probabilities"},
        "mean of logits": {**INT8, "ensemble": 3},
        "temperature": {**INT8, "temperature_bits": 4},
        "groups": {**INT8, "groups": [7, 3], "mask": True},
        "two passes": {**INT8, "accumulator": "two_pass", "profile": "small"},
        "top-k": {**INT8, "mode": "softmax_top_k", "top_k": 3, "mask": True},
        "top-k zero point": {"output_zero_point": -128, "mode": "softmax_top_k", "top_k": 3, "lanes": 2},
        "sigmoid": {**INT8, "mode": "sigmoid", "mask": True},
        "hardmax": {**INT8, "mode": "hardmax", "mask": True},
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_the_hardware_equals_the_model(name: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=81)[: 15 // config.ensemble * config.ensemble]
    check_head(config, vectors, source="random", sink="random")


@pytest.mark.parametrize("name", ["divider", "logarithm", "zero point", "two passes", "top-k"])
def test_the_plan_states_the_cycles(name: str) -> None:
    config = CONFIGS[name].replace(mask=False)
    trace = check_head(config, [np.arange(7)])
    assert trace.outputs["m_axis"][0] - trace.inputs[0] == plan(config).first_output_cycle(7)


@pytest.mark.parametrize(
    ("keys", "width", "signed", "form"),
    [
        ({}, 8, False, "UQ0.8"),
        ({"probability_format": "UQ1"}, 9, False, "UQ1.8"),
        ({"output_levels": 256}, 8, False, "UQ0.8"),
        ({"output_levels": 255}, 8, False, "code/255"),
        ({"output_levels": 255, "probability_format": "UQ1"}, 8, False, "code/255"),
        ({"output_levels": 127}, 7, False, "code/127"),
        ({"output_levels": 127, "output_zero_point": -128}, 8, True, "(code + 128)/127"),
        ({"output_levels": 1, "output_zero_point": -1}, 1, True, "(code + 1)/1"),
        (INT8, 8, True, "(code + 128)/255"),
        ({"output_zero_point": -128}, 8, True, "(code + 128)/256"),
        ({"output_zero_point": -128, "probability_format": "UQ1"}, 9, True, "(code + 128)/256"),
        ({"output_zero_point": 3}, 9, False, "(code − 3)/256"),
        ({"output_zero_point": -1}, 9, True, "(code + 1)/256"),
    ],
)  # fmt: skip
def test_codes_have_the_bits_that_hold_them(keys: dict[str, Any], width: int, signed: bool, form: str) -> None:
    config = Config(max_length=4, **keys)
    field = outputs(config)[0].fields[0]
    assert (field.width, field.signed, field.form) == (width, signed, form)
    zero, one = config.probability_codes
    low = -(1 << width - 1) if signed else 0
    assert low <= zero < one < low + (1 << width)
    # Not a bit more than that.
    assert not (low / 2 <= zero and one < (low + (1 << width)) / 2) or width == 1
    assert config.probability_of(np.array([zero, one])).tolist() == [0, config.probability_maximum / config.levels]


def test_a_zero_point_adds_no_register_and_no_cycle() -> None:
    """−2^(P−1) inverts the top bit at the port."""
    config = Config(max_length=16)
    shifted = config.replace(output_zero_point=-128)
    assert plan(shifted).latency_formula == plan(config).latency_formula
    assert verilog(shifted).count(" reg ") == verilog(config).count(" reg ") > 0
    scores = np.random.default_rng(82).integers(-128, 128, (20, 16))
    codes = [golden(each, scores).probabilities for each in (shifted, config)]
    np.testing.assert_array_equal(codes[0] & 0xFF, codes[1] ^ 0x80)


def test_levels_add_no_cycle_where_tables_hold_them() -> None:
    for normaliser in ("divider", "reciprocal", "logarithm", "none"):
        config = Config(max_length=16, normaliser=normaliser)
        assert plan(config.replace(output_levels=255)).latency_formula == plan(config).latency_formula


def test_masked_elements_have_the_code_of_zero() -> None:
    config = CONFIGS["groups"].replace(groups=[])
    mask = np.array([[0, 1, 0, 1]])
    codes = golden(config, np.array([[3, 15, -4, 2]]), sideband={"mask": mask}).probabilities
    assert codes[0][mask[0] == 1].tolist() == [-128, -128]
    assert golden(config, np.array([[3, 2]]), sideband={"mask": mask[:, 1:2].repeat(2, 1)}).probabilities.tolist() == [
        [-128, -128]
    ]
