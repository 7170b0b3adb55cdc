"""Sums of exponentials: the definition of two windows, and the check of a stage's sums, segment by segment."""

from collections.abc import Callable
from typing import Any

from amaranth.lib import wiring
from support.stream_bench import run_cycles

from softstream.hw.numbers.softmax import Numerics
from softstream.sim.stalls import stalls_in_cycle

__all__ = ["check_sums", "edges", "two_windows"]


def two_windows(widths: Numerics, elements: list[tuple[int, int]]) -> tuple[int, int]:
    """The definition of two windows, term by term, in unbounded integers."""
    octaves, dropped = widths.reference_step, widths.significand_fraction
    highest, high, low = -1, 0, 0
    for exponent, significand in elements:
        window, term = exponent // octaves, significand << exponent % octaves
        if window > highest:
            low = high >> dropped if highest >= 0 and window == highest + 1 else 0
            highest, high = window, term
        elif window == highest:
            high += term
        elif window == highest - 1:
            low += term >> dropped
        assert max(high, low << dropped) < 1 << widths.window_width
    cut = widths.accumulator_fraction
    return highest, (high << cut - dropped) + (low >> octaves - cut)


def check_sums(
    dut: wiring.Component,
    segments: tuple[int, ...],
    vectors: list[list[dict[str, Any]]],
    expected: list[tuple[int, int]],
    *,
    latency: int,
    source: str,
) -> None:
    """`ends` marks each segment of each sum, `latency` plus the segment's number of cycles after the last beat."""
    beats = [(beat, k == len(vector) - 1) for vector in vectors for k, beat in enumerate(vector)]
    paused = stalls_in_cycle(source, 3)
    lasts: list[int] = []
    sent = [0]

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        if sent[0] == len(beats) or paused(cycle):
            return {"i.valid": 0, "i.payload": beats[cycle % len(beats)][0]}  # what is not valid does not count
        beat, last = beats[sent[0]]
        sent[0] += 1
        if last:
            lasts.append(cycle)
        return {"i.valid": 1, "i.payload": beat}

    cycles = 3 * len(beats) + len(segments) + 20
    rows = run_cycles(dut, cycles, drive, ["sum", "ends", "reference"])
    assert sent[0] == len(beats)
    low = 0
    for j, width in enumerate(segments):
        due = [cycle + latency + j for cycle in lasts]
        assert [cycle for cycle, row in enumerate(rows) if row["ends"] >> j & 1] == due
        mask = (1 << width) - 1
        assert [rows[cycle]["sum"] >> low & mask for cycle in due] == [total >> low & mask for _, total in expected]
        if j == len(segments) - 1:
            assert [rows[cycle]["reference"] for cycle in due] == [reference for reference, _ in expected]
        low += width


def edges(k: int, length: int) -> dict[str, int]:
    """The marks of the k-th element of a vector."""
    return {"first": int(k == 0), "last": int(k == length - 1)}
