"""The last rounding of a composed head: every guarded code, in hardware and model, against exact fractions."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.options import final_round as hardware
from softstream.hw.plan.options.final_round import final_round_latency
from softstream.sim.golden.options.final_round import finish

CASES = [
    *((form, width, guard_bits, 0, 0) for form in ("UQ0", "UQ1") for width, guard_bits in ((2, 3), (4, 4), (3, 6))),
    ("UQ0", 4, 4, 15, 0),
    ("UQ0", 4, 4, 11, -8),
    ("UQ0", 4, 3, 1, 5),
    ("UQ1", 4, 4, 0, -8),
]
"""probability_format, probability_width, guard_bits, output_levels, output_zero_point."""


@pytest.mark.parametrize(("form", "width", "guard_bits", "levels", "zero"), CASES)
@pytest.mark.parametrize("lanes", [1, 2])
def test_every_guarded_code_is_rounded_once_and_saturated(
    form: str, width: int, guard_bits: int, levels: int, zero: int, lanes: int
) -> None:
    config = Config(
        max_length=4, probability_width=width, guard_bits=guard_bits, probability_format=form, probability_floor=0.01,
        lanes=lanes, output_levels=levels, output_zero_point=zero,
    )  # fmt: skip
    parts = composition(config)
    assert parts is not None
    inner = parts.inner
    codes = np.arange(1 << inner.output_width)
    step = Fraction(1 << inner.probability_width, levels or 1 << width)
    largest = levels or (1 << width) - (form == "UQ0")
    rounded = [min(floor(int(code) / step + Fraction(1, 2)), largest) + zero for code in codes]
    assert finish(config, inner, codes).tolist() == rounded
    beats = []
    for code in codes.tolist():
        beat = {"probability": code, "last": code & 1, "overlong": code >> 1 & 1}
        if lanes == 2:
            beat |= {"probability_1": codes[-1 - code], "keep_1": code >> 2 & 1}
        beats.append({name: int(value) for name, value in beat.items()})
    trace = run_component(hardware.FinalRound(config, inner), beats, len(beats))
    expected = []
    for beat in beats:
        due = {**beat, "probability": rounded[beat["probability"]]}
        if lanes == 2:
            due["probability_1"] = rounded[beat["probability_1"]] * beat["keep_1"]
        expected.append(due)
    assert trace.beats == expected
    latency = final_round_latency(config)
    assert latency == {0: 2, 15: 3, 11: 4, 1: 2}[levels]
    assert final_round_latency(config.replace(profile="fast")) == latency - 1
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {latency}
