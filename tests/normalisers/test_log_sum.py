"""The logarithm of a sum: every divisor under every exponent of small formats, against its model and against ln."""

import numpy as np
import pytest
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.normalisers.log_sum import LogSum, log_sum_cycles
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.sim.golden.normalisers.log_sum import log_sum

CONFIGS = {
    "narrow": Config(mode="log_softmax", max_length=4, score_width=3, probability_width=2, guard_bits=4),
    "steep": Config(
        mode="log_softmax", max_length=2, score_width=3, score_scale=0.9, probability_width=3, guard_bits=4
    ),
}


@pytest.mark.parametrize("memory", [1, 2, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_sum(name: str, memory: int) -> None:
    numbers = log_numerics(CONFIGS[name], signed=True)
    widths, tables = numbers.widths, numbers.tables
    one = 1 << widths.divisor_fraction
    exponents, divisors = (
        grid.ravel() for grid in np.meshgrid(np.arange(len(tables.octave)), np.arange(one, 2 * one), indexing="ij")
    )
    logarithms = log_sum(numbers, exponents, divisors)
    unit = 1 << tables.working_fraction
    assert logarithms.max() < 1 << numbers.logarithm_width
    beats = [
        {"exponent": int(n), "divisor": int(m), "tag": k & 7}
        for k, (n, m) in enumerate(zip(exponents, divisors, strict=True))
    ]
    interval = log_sum_cycles(memory) + 1  # the divisor stays until the logarithm is out
    trace = run_component(LogSum(numbers, 3, memory), beats, len(beats), spacing=interval)
    assert trace.beats == [
        {"exponent": int(total // unit), "factor": int(total % unit), "tag": k & 7}
        for k, total in enumerate(logarithms)
    ]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {log_sum_cycles(memory)}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_model_is_near_the_logarithm(name: str) -> None:
    """L minus half an ulp of the result is ln(2^n · m) within half an interval of the table and two roundings."""
    config = CONFIGS[name]
    numbers = log_numerics(config, signed=True)
    widths, tables = numbers.widths, numbers.tables
    one, unit = 1 << widths.divisor_fraction, 1 << tables.working_fraction
    divisors = np.arange(one, 2 * one)
    for n in range(len(tables.octave)):
        exact = n * np.log(2) + np.log(divisors / one)
        half = 0.5 / (1 << config.probability_width)
        logarithms = log_sum(numbers, np.full(len(divisors), n), divisors) / unit - half
        assert np.abs(logarithms - exact).max() <= 2.0 ** -(tables.fraction + 1) + 3 / unit
