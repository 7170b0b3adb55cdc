"""Leading one and divisor: golden against Python's integers, both schedules of the hardware against golden."""

import numpy as np
import pytest
from configurations import SOFTMAX, WIDTHS
from stream_bench import PAUSES, run_component

from softstream.hw.formats import ceil_log2
from softstream.hw.normalise import Normalise, SerialNormalise
from softstream.hw.numerics import Numerics, numerics
from softstream.hw.schedule import normalise_cycles, serial_steps
from softstream.sim.golden.normalise import normalise


def sums(widths: Numerics) -> tuple[np.ndarray, np.ndarray]:
    """References and sums that can occur: powers of two and their neighbours over the whole range, and random ones."""
    low, high = widths.accumulator_fraction, widths.accumulator_width
    edges = [(1 << bits) + d for bits in range(low, high) for d in (-1, 0, 1)] + [(1 << high) - 1]
    rng = np.random.default_rng(7)
    random = (1 << rng.integers(low, high, 40)) + rng.integers(0, 1 << low, 40)
    totals = np.concatenate([edges, random])
    reference = rng.integers(0, widths.tables.exponent_maximum // widths.reference_step + 1, len(totals))
    # No sum reaches max_length times the octave above the largest exponential.
    limit = widths.tables.exponent_maximum + 1 + ceil_log2(widths.max_length)
    top = 1 << np.minimum(high, limit - widths.reference_step * reference + low)
    kept = (totals >= 1 << low) & (totals < top)
    return reference[kept], totals[kept]


@pytest.mark.parametrize("name", WIDTHS)
def test_golden_is_the_definition(name: str) -> None:
    widths = numerics(WIDTHS[name])
    reference, totals = sums(widths)
    exponent, divisor = normalise(widths, reference, totals)
    for row, total in enumerate(totals.tolist()):
        leading = total.bit_length() - 1
        assert divisor[row] == total * 2**widths.divisor_fraction // 2**leading
        scale = widths.reference_step * int(reference[row]) + leading - widths.accumulator_fraction
        assert exponent[row] == scale
        assert 0 <= scale < 1 << widths.sum_exponent_width


@pytest.mark.parametrize(("kind", "sink"), [(Normalise, "never")] + [(SerialNormalise, sink) for sink in PAUSES])
@pytest.mark.parametrize("name", WIDTHS)
def test_equals_golden(name: str, kind: type, sink: str) -> None:
    widths = numerics(SOFTMAX[name])
    reference, totals = sums(widths)
    exponent, divisor = normalise(widths, reference, totals)
    beats = [
        {"sum": t, "reference": r, "overlong": r & 1} for t, r in zip(totals.tolist(), reference.tolist(), strict=True)
    ]
    trace = run_component(kind(widths), beats, len(beats), sink=sink)
    assert trace.beats == [
        {"exponent": n, "divisor": d, "overlong": r & 1}
        for n, d, r in zip(exponent.tolist(), divisor.tolist(), reference.tolist(), strict=True)
    ]
    if sink == "never":
        latency = normalise_cycles(widths) if kind is Normalise else sum(serial_steps(widths)) + 1
        interval = 1 if kind is Normalise else latency + 1
        assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {latency}
        assert set(np.diff(trace.inputs)) == {interval}
