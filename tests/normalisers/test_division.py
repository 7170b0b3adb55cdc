"""Non-restoring division: exhaustive at a small width, pipelined and serial."""

import pytest
from support.stream_bench import PAUSES, run_component, run_cycles

from softstream.hw.normalisers.division import PipelinedDivision, SerialDivision

WIDTH, QUOTIENT = 4, 6
PAIRS = [(r, d) for d in range(1, 1 << WIDTH) for r in range(d + 1)]
SATURATED = (1 << QUOTIENT) - 1
BEATS = [{"remainder": r, "divisor": d, "tag": r & 3} for r, d in PAIRS]
QUOTIENTS = [{"quotient": min((r << QUOTIENT) // d, SATURATED), "tag": r & 3} for r, d in PAIRS]


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize(
    ("kind", "latency", "interval"), [(PipelinedDivision, QUOTIENT, 1), (SerialDivision, QUOTIENT + 1, QUOTIENT + 1)]
)
def test_exhaustive(kind: type, latency: int, interval: int, source: str) -> None:
    trace = run_component(kind(WIDTH, QUOTIENT, 2), BEATS, len(BEATS), source=source, spacing=interval)
    assert trace.beats == QUOTIENTS
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {latency}


def test_a_serial_result_stays_until_the_next_dividend() -> None:
    beat = BEATS[-2]
    found = run_cycles(
        SerialDivision(WIDTH, QUOTIENT, 2),
        40,
        lambda found, now: {"i.valid": int(len(found) == 3), "i.payload": beat if len(found) == 3 else BEATS[0]},
        ["o.valid", "o.payload"],
    )
    done = 3 + QUOTIENT + 1
    assert [cycle for cycle, row in enumerate(found) if row["o.valid"]] == [done]
    assert all(row["o.payload"] == QUOTIENTS[-2] for row in found[done:])
