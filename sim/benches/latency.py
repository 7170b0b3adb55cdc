"""Latency and interval of the hardware equal the plan's exactly; faster hardware fails as well."""

from typing import Any

import cocotb
import numpy as np

from softstream.sim.benches.session import Session

__all__ = ["interval", "single_vector"]

LENGTHS = (1, 2, 3, 10, 16, 33, 100)
INTERVAL_BUDGET_CYCLES = 6144
IDLE_CYCLES = 40


def _lengths(session: Session) -> list[int]:
    limit, groups = session.config.max_length, session.config.groups
    # One packet holds a whole round of the group sizes, and one ends inside a group.
    rounds = {sum(groups), 2 * sum(groups) + 1} if groups else set()
    return sorted({min(length, limit) for length in LENGTHS} | {limit} | rounds)


def _vectors(session: Session, length: int, results: int) -> list[np.ndarray]:
    fmt, count = session.config.score_format, results * session.config.ensemble
    return [session.rng.integers(fmt.minimum, fmt.maximum, length, endpoint=True) for _ in range(count)]


@cocotb.test()
async def single_vector(dut: Any) -> None:
    """One vector at a time through an idle pipeline: cycles to the first and last output and the winner."""
    with Session(dut, "latency", "single_vector") as session:
        plan = session.plan
        await session.harness.reset()
        for length in _lengths(session):
            source, sinks = await session.exchange(_vectors(session, length, 1), drain=IDLE_CYCLES, whole=True)
            start = source.times[0]
            primary = sinks["m_axis"].times
            due = {"first output": plan.first_output_cycle(length), "last output": plan.last_output_cycle(length)}
            if plan.searched:
                due = dict.fromkeys(due, plan.first_output_cycle(length) + int(session.search_cycles[0]))
            measured = {"first output": primary[0] - start, "last output": primary[-1] - start}
            if len(sinks) > 1:
                due["winner"] = plan.best_output_cycle(length)
                measured["winner"] = list(sinks.values())[-1].times[0] - start
            assert measured == due, f"length {length}: cycles from the first input beat {measured}; the plan says {due}"


@cocotb.test()
async def interval(dut: Any) -> None:
    """Vectors back to back into sinks that are always ready: the sustained cycles per vector."""
    with Session(dut, "latency", "interval") as session:
        plan = session.plan
        await session.harness.reset()
        for length in _lengths(session):
            due = plan.interval_cycles(length)
            # Enough vectors fill every queue; longer vectors are fewer, to limit the cycles.
            count = min(INTERVAL_BUDGET_CYCLES // due, 64)
            if count < 6:
                continue
            vectors = _vectors(session, length, count)
            source, sinks = await session.exchange(vectors, drain=IDLE_CYCLES, whole=True)
            sent = session.config.beats(length) * session.config.ensemble
            beats = len(sinks["m_axis"].times) // count
            firsts = np.array(sinks["m_axis"].times[::beats]) - session.search_cycles
            intervals = set(np.diff(firsts)[count // 2 :].tolist())
            assert intervals == {due}, (
                f"length {length}: {sorted(intervals)} cycles from one vector's first output beat to the "
                f"next one's; the plan says {due}"
            )
            # Until the queues are full the input runs ahead of the interval, and it must never fall behind.
            starts = np.array(source.times[::sent])
            delay = int((starts - starts[0] - due * np.arange(count)).max())
            assert delay == 0, (
                f"length {length}: a first input beat is {delay} cycles later than one vector every {due}"
            )
