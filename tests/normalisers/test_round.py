"""Distance, shift, rounding and saturation: exhaustive at small widths."""

from fractions import Fraction

import numpy as np
import pytest
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.normalisers.round import Distance, Round
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.sim.golden.normalisers.round import distance, round_quotient

CONFIGS = [
    Config(normaliser="divider", max_length=4, probability_width=width, probability_format=form, profile=profile)
    for width in (2, 4)
    for form in ("UQ0", "UQ1")
    for profile in ("fast", "fastest")
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.probability_qformat}-{c.profile}")
def test_round_equals_golden_and_its_definition(config: Config) -> None:
    widths = numerics(config)
    pairs = [(q, d) for q in range(1 << widths.quotient_width) for d in range(1 << widths.sum_exponent_width)]
    quotients, shifts = (np.array(column) for column in zip(*pairs, strict=True))
    expected = round_quotient(widths, quotients, shifts)
    for (q, d), code in zip(pairs, expected.tolist(), strict=True):
        half_up = (Fraction(q, 1 << (d + 1)) + Fraction(1, 2)).__floor__()
        assert code == min(half_up, config.probability_maximum)
    beats = [{"quotient": q, "tag": {"distance": d, "last": q & 1, "overlong": d & 1}} for q, d in pairs]
    trace = run_component(Round(config, widths), beats, len(beats))
    assert trace.beats == [
        {"probability": code, "last": q & 1, "overlong": d & 1}
        for (q, d), code in zip(pairs, expected.tolist(), strict=True)
    ]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {
        schedule(config).normaliser.step("round")
    }


def test_distance_equals_golden() -> None:
    config = Config(normaliser="divider", max_length=4, probability_width=4, score_scale=0.1)
    widths = numerics(config)
    pairs = [
        (n, e)
        for n in range(1 << widths.sum_exponent_width)
        for e in range(widths.tables.exponent_maximum + 1)
        if n >= e
    ]
    expected = distance(*(np.array(column) for column in zip(*pairs, strict=True)))
    beats = [
        {"exponent": e, "significand": e, "tag": {"exponent": n, "factor": n, "last": n & 1, "overlong": e & 1}}
        for n, e in pairs
    ]
    trace = run_component(Distance(widths, widths.divisor_width), beats, len(beats))
    assert trace.beats == [
        {"significand": e, "factor": n, "tag": {"distance": d, "last": n & 1, "overlong": e & 1}}
        for (n, e), d in zip(pairs, expected.tolist(), strict=True)
    ]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {
        schedule(config).normaliser.step("distance")
    }
