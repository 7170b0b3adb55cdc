# amaranth: UnusedElaboratable=no
"""The plumbing: queues, credits, spacing and holds, against models a few lines long."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from support.stream_bench import PAUSES, run_component, run_cycles

from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.streams.flow import Credit, Hold, Queue, Skid, Spacing
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay

Drive = Callable[[list[dict[str, Any]], Callable[[str], int]], dict[str, Any]]


class Piped(wiring.Component):
    """A rigid pipe between a credit and a queue, as the head's output has it."""

    def __init__(self, depth: int, stages: int) -> None:
        self._depth, self._stages = depth, stages
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.credit = credit = Credit(self._depth, 1)
        m.submodules.queue = queue = Queue(8, self._depth)
        transfer = Signal()
        m.d.comb += [
            self.i.ready.eq(credit.available),
            transfer.eq(self.i.valid & self.i.ready),
            queue.i.valid.eq(delay(m, transfer, self._stages, "taken", reset=True)),
            queue.i.payload.eq(delay(m, Value.cast(self.i.payload), self._stages, "element")),
            credit.take.eq(transfer),
            credit.give.eq(self.o.valid & self.o.ready),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("sink", [*PAUSES, "first60"])
@pytest.mark.parametrize(("depth", "stages"), [(2, 0), (3, 5), (8, 1), (9, 5)])
def test_queue_behind_credits_loses_and_doubles_nothing(depth: int, stages: int, source: str, sink: str) -> None:
    run = run_component(Piped(depth, stages), list(range(100)), 100, source=source, sink=sink)
    assert run.beats == list(range(100))
    if sink == "first60" and source == "never":
        # Every credit is used: so many come in while nothing is taken.
        assert sum(cycle < 60 for cycle in run.inputs) == depth


@pytest.mark.parametrize("stages", [1, 5])
def test_credits_for_the_pipe_and_four_more_leave_no_bubble(stages: int) -> None:
    """The queue's latency is part of the pipe; credits are counted two cycles late on either side."""
    run = run_component(Piped(stages + QUEUE_LATENCY + 3, stages), list(range(200)), 200)
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + 200))
    assert {o - i for i, o in zip(run.inputs, run.outputs, strict=True)} == {stages + QUEUE_LATENCY}


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_queue_filled_to_its_depth(depth: int, density: float) -> None:
    """A sender that counts without delay may fill every entry; a beat that waits at the output stays."""
    rng = np.random.default_rng([depth, int(10 * density)])
    sent, outputs, most = [0], [0], [0]

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        ready = int(len(rows) > 30 and rng.random() < density)
        outputs[0] += rows[-1]["o.valid"] and rows[-1]["o.ready"] if rows else 0
        push = sent[0] - outputs[0] < depth and rng.random() < 0.8
        sent[0] += push
        most[0] = max(most[0], sent[0] - outputs[0])
        return {"i.valid": int(push), "i.payload": sent[0] % 256, "o.ready": ready}

    rows = run_cycles(Queue(8, depth), 400, drive, ["o.valid", "o.ready", "o.payload"])
    out = [row["o.payload"] for row in rows if row["o.valid"] and row["o.ready"]]
    assert out == [number % 256 for number in range(1, len(out) + 1)]
    assert len(out) >= sent[0] - depth > 20
    assert most[0] == depth
    for row, following in pairwise(rows):
        if row["o.valid"] and not row["o.ready"]:
            assert (following["o.valid"], following["o.payload"]) == (1, row["o.payload"])


@pytest.mark.parametrize(("limit", "margin"), [(1, 0), (2, 0), (5, 0), (2, 1), (3, 1), (8, 1)])
def test_credit_counts_the_transfers_of_two_cycles_ago(limit: int, margin: int) -> None:
    rng = np.random.default_rng([limit, margin])
    takes, gives, most = [0], [0], [0]  # by the end of each cycle

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        # Without a margin a take must not follow a take in the next cycle.
        allowed = now("available") and (margin or len(takes) < 2 or takes[-1] == takes[-2])
        take = int(bool(allowed) and (cycle % 100 < 40 or rng.random() < 0.6))
        give = int(gives[-1] < takes[-1] and cycle % 100 > 20 and rng.random() < 0.6)
        takes.append(takes[-1] + take)
        gives.append(gives[-1] + give)
        most[0] = max(most[0], takes[-1] - gives[-1])
        return {"take": take, "give": give}

    rows = run_cycles(Credit(limit, margin), 500, drive, ["available"])
    for cycle, row in enumerate(rows):
        counted = max(0, cycle - 1)  # takes[k] is before cycle k
        assert row["available"] == (limit - takes[counted] + gives[counted] > margin)
    assert most[0] == limit  # never more, and no credit is wasted


def test_credits_have_to_exceed_the_margin() -> None:
    for limit, margin in ((0, 0), (1, 1), (3, 3)):
        with pytest.raises(ValueError, match=f"credit limit {limit} must exceed the margin {margin}"):
            Credit(limit, margin)


@pytest.mark.parametrize("interval", [4, 5, 6, 11])
@pytest.mark.parametrize("eager", [True, False])
def test_spacing(interval: int, eager: bool) -> None:
    """Free from the `interval`-th cycle on, neither sooner nor later; and not behind a cycle in which it is not allowed."""
    rng = np.random.default_rng(interval)
    starts: list[int] = []
    allowed: list[int] = []

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        take = int(now("free") and (eager or rng.random() < 0.3))
        allowed.append(int(eager or rng.random() < 0.8))
        if take:
            starts.append(cycle)
        return {"take": take, "allowed": allowed[-1]}

    rows = run_cycles(Spacing(interval), 300, drive, ["free"])
    for cycle, row in enumerate(rows[1:], 1):
        since = min((cycle - t for t in starts if t < cycle), default=interval)
        assert row["free"] == (since >= interval and allowed[cycle - 1])
    assert min(np.diff(starts)) == interval
    if eager:
        assert set(np.diff(starts)) == {interval}


def test_spacing_of_less_than_four_is_refused() -> None:
    with pytest.raises(ValueError, match="interval 3 must be at least 4"):
        Spacing(3)


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("sink", PAUSES)
def test_hold(source: str, sink: str) -> None:
    run = run_component(Hold(8), list(range(60)), 60, source=source, sink=sink)
    assert run.beats == list(range(60))
    if source == sink == "never":
        assert {o - i for i, o in zip(run.inputs, run.outputs, strict=True)} == {1}
        assert set(np.diff(run.inputs)) == {1}


def test_pulses_need_no_ready() -> None:
    assert pulse(4).always_ready
    assert not stream.Signature(4).always_ready


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("sink", PAUSES)
def test_a_skid_buffer_passes_every_beat_on(source: str, sink: str) -> None:
    beats = [(7 * k) % 251 for k in range(200)]
    assert run_component(Skid(8), beats, len(beats), source=source, sink=sink).beats == beats


def test_a_skid_takes_one_cycle_and_a_payload_in_each() -> None:
    trace = run_component(Skid(8), list(range(50)), 50)
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + 50))
    assert trace.outputs == [cycle + 1 for cycle in trace.inputs]
