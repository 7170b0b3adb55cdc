"""The ring of scores and the queue of factors: nothing lost, doubled or too early, at any depth."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.head_bench import check_head
from support.stream_bench import run_cycles

from softstream.hw.config.config import Config
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.replay import FactorStore, Replay, ring_entries, stored_layout

CONFIG = Config(max_length=16)
WIDTHS = numerics(CONFIG)
MEMORY = schedule(CONFIG).direct

ROOM: dict[str, Callable[[int, np.random.Generator], bool]] = {
    "always": lambda cycle, rng: True,
    "random": lambda cycle, rng: bool(rng.random() < 0.5),
    "late": lambda cycle, rng: cycle >= 100,
    "rare": lambda cycle, rng: cycle % 7 == 0,
}


SMALL_BANK = 4


@pytest.fixture
def small_banks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Banks of 4 entries, so that a short ring has several."""
    for module in ("plan.stage_cycles", "streams.registers", "stages.replay"):
        monkeypatch.setattr(f"softstream.hw.{module}.BANK", SMALL_BANK)


def as_payload(element: tuple[int, int]) -> dict[str, int]:
    return {"position": element[0], "last": element[1]}


@pytest.mark.parametrize(("interval", "pattern"), [(1, name) for name in ROOM] + [(4, "always"), (11, "random")])
@pytest.mark.parametrize("elements", [5, 16])
def test_complete_vectors_leave_once_and_in_order(elements: int, interval: int, pattern: str) -> None:
    """Vectors of one element up to a full ring."""
    check_replay(elements, interval, pattern, MEMORY)


@pytest.mark.parametrize(
    ("elements", "memory"), [(4, 2), (7, 3), (12, 3), (12, 4), (17, 6), (33, 6), (33, 7), (33, 5), (33, 1)]
)
@pytest.mark.usefixtures("small_banks")
def test_a_ring_of_several_banks_is_a_ring(elements: int, memory: int) -> None:
    """One bank to nine, with the shortest memory that has a register behind each, one more, and too few for registers."""
    check_replay(elements, 1, "random", memory)


def check_replay(elements: int, interval: int, pattern: str, memory: int) -> None:
    """Sends vectors through a ring of that many elements, and checks what leaves it and in which cycle."""
    rng = np.random.default_rng([elements, interval])
    lengths = [elements, 1, 1, *rng.integers(1, elements + 1, 8).tolist(), 1, 1, 1, elements]
    waiting = [(int(p), int(k == n - 1)) for n in lengths for k, p in enumerate(rng.integers(0, 256, n))]
    sent, completed = [0], [0]
    # Cycle → where the vector ends, elements that are complete from then on.
    completions: dict[int, tuple[dict[str, int], int]] = {}
    complete_at: list[int] = []  # completed elements by cycle
    rooms: list[bool] = []
    most = [0]

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        held = sent[0] - sum(row["leaves"] for row in rows)
        most[0] = max(most[0], held)
        rooms.append(ROOM[pattern](cycle, rng))
        inputs: dict[str, Any] = {"room": int(rooms[-1]), "i.valid": 0, "complete.valid": int(cycle in completions)}
        if cycle in completions:
            inputs["complete.payload"], completed[0] = completions[cycle]
        complete_at.append(completed[0])
        if sent[0] < len(waiting) and held < elements and rng.random() < 0.9:
            element = waiting[sent[0]]
            sent[0] += 1
            inputs |= {"i.valid": 1, "i.payload": as_payload(element)}
            if element[1]:
                due = max([cycle + int(rng.integers(1, 9)), *(c + 1 for c in completions)])
                single = sent[0] < 2 or waiting[sent[0] - 2][1]
                completions[due] = {"last": now("address"), "single": int(single)}, sent[0]
        return inputs

    dut = Replay(stored_layout(WIDTHS), beats=elements, interval=interval, memory=memory)
    cycles = 200 + len(waiting) * {"always": interval, "random": 2 + interval, "late": 1, "rare": 7}[pattern]
    rows = run_cycles(dut, cycles, drive, ["leaves", "o.valid", "o.payload"])
    assert [row["o.payload"] for row in rows if row["o.valid"]] == [as_payload(element) for element in waiting]
    assert most[0] == elements  # full at least once

    departures = [cycle for cycle, row in enumerate(rows) if row["leaves"]]
    # An element leaves in the first cycle after its vector is complete in which there is room and the last one is far enough.
    due, previous = [], -interval
    for number in range(len(waiting)):
        cycle = max(previous + interval, next(c for c, count in enumerate(complete_at) if count > number) + 2)
        while not rooms[cycle]:
            cycle += 1
        due.append(cycle)
        previous = cycle
    assert departures == due
    assert [cycle for cycle, row in enumerate(rows) if row["o.valid"]] == [cycle + memory for cycle in due]


@pytest.mark.parametrize("elements", [2, 16, 64, 1000])
def test_a_full_ring_of_complete_vectors_is_not_an_empty_one(elements: int) -> None:
    dut = Replay(stored_layout(WIDTHS), beats=elements, interval=1, memory=MEMORY)

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        end = cycle == elements - 1
        behind = {"complete.payload": {"last": now("address"), "single": 0}} if end else {}
        return {
            "i.valid": int(cycle < elements),
            "complete.valid": int(end),
            "room": int(cycle > elements + 5),
            **behind,
        }

    rows = run_cycles(dut, 2 * elements + 20, drive, ["leaves"])
    assert sum(row["leaves"] for row in rows) == elements


def test_the_depth_is_a_power_of_two_or_whole_banks() -> None:
    assert [ring_entries(needed) for needed in (1, 3, 4, 1000, 2047, 2048, 2049, 70000)] == [
        4,
        4,
        8,
        1024,
        2048,
        2048,
        4096,
        71680,
    ]


@pytest.mark.parametrize(("depth", "memory"), [(3, 2), (8, 3), (11, 3), (33, 4)])
@pytest.mark.usefixtures("small_banks")
def test_factors_stay_until_the_next_is_asked_for(depth: int, memory: int) -> None:
    """From `memory` cycles after `next` until `memory` after the following one, also where that comes in the very next cycle."""
    rng = np.random.default_rng(depth)
    shape = factor_layout(WIDTHS, 8, 1)
    payloads = [{"exponent": int(e), "factor": int(f), "tag": int(f) & 1} for e, f in rng.integers(0, 16, (60, 2))]
    written: list[int] = []
    asked: list[int] = []

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        ask = len(asked) < len(written) and written[len(asked)] < cycle and (cycle > 30 and rng.random() < 0.7)
        write = len(written) < len(payloads) and len(written) - len(asked) < depth and rng.random() < 0.8
        inputs: dict[str, Any] = {"i.valid": int(write), "next": int(ask)}
        if write:
            inputs["i.payload"] = payloads[len(written)]
            written.append(cycle)
        if ask:
            asked.append(cycle)
        return inputs

    rows = run_cycles(FactorStore(shape, depth, memory), 260, drive, ["o"])
    assert len(asked) == len(payloads)
    assert 1 in np.diff(asked)
    for number, cycle in enumerate(asked):
        until = asked[number + 1] if number + 1 < len(asked) else cycle + 5
        assert all(row["o"] == payloads[number] for row in rows[cycle + memory : until + memory])


@pytest.mark.parametrize("stalls", ["never", "random"])
@pytest.mark.parametrize("normaliser", ["divider", "logarithm", "reciprocal"])
@pytest.mark.usefixtures("small_banks")
def test_a_head_with_several_banks_reads_no_factor_before_it_is_written(normaliser: str, stalls: str) -> None:
    """A vector of one element asks for its factor sooner than any other."""
    # No other test has this length, because the schedule of a configuration is cached with the banks that it has here.
    config = Config(max_length=37, score_width=4, score_scale=0.5, normaliser=normaliser, profile="fastest")
    rng = np.random.default_rng(37)
    lengths = [1] * 40 + [37, 1, 1, 37] + rng.integers(1, 4, 40).tolist()
    check_head(config, [rng.integers(-8, 8, length) for length in lengths], source=stalls, sink=stalls)
