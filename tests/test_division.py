"""Non-restoring division: exhaustive at a small width, both schedules."""

import numpy as np
import pytest
from stream_bench import PAUSES, run_component

from softstream.hw.division import PipelinedDivision, SerialDivision

WIDTH, QUOTIENT = 4, 6
PAIRS = [(r, d) for d in range(1, 1 << WIDTH) for r in range(d + 1)]


@pytest.mark.parametrize(("kind", "sink"), [(PipelinedDivision, "never")] + [(SerialDivision, sink) for sink in PAUSES])
def test_exhaustive(kind: type, sink: str) -> None:
    beats = [{"remainder": r, "divisor": d, "tag": r & 3} for r, d in PAIRS]
    trace = run_component(kind(WIDTH, QUOTIENT, 2), beats, len(beats), sink=sink)
    saturated = (1 << QUOTIENT) - 1
    assert trace.beats == [{"quotient": min((r << QUOTIENT) // d, saturated), "tag": r & 3} for r, d in PAIRS]
    if sink == "never":
        latency, interval = (QUOTIENT, 1) if kind is PipelinedDivision else (QUOTIENT + 1, QUOTIENT + 2)
        assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {latency}
        assert set(np.diff(trace.inputs)) == {interval}
