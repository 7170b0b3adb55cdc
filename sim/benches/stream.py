"""Corner vectors and vectors at the length limit, equal to the model under every pause pattern."""

from typing import Any

import cocotb

from softstream.sim.benches.session import Session
from softstream.sim.stimulus import corner_vectors, limit_vectors

__all__ = ["corners", "limits", "limits_throttled", "ready_after_valid"]


@cocotb.test()
@cocotb.parametrize(
    (
        ("source", "sink", "best"),
        [
            ("never", "never", "never"),
            ("never", "every3", "random"),
            ("never", "random", "never"),
            ("every3", "never", "random"),
            ("every3", "every3", "every3"),
            ("every3", "random", "every3"),
            ("random", "never", "every3"),
            ("random", "every3", "never"),
            ("random", "random", "random"),
        ],
    )
)
async def corners(dut: Any, source: str, sink: str, best: str) -> None:
    """All corner vectors under one combination of pause patterns, with random vectors of its own."""
    with Session(dut, "stream", f"corners/source={source}/sink={sink}/best={best}") as session:
        await session.harness.reset()
        await session.exchange(corner_vectors(session.config, session.rng), source, (sink, best), junk=True)


@cocotb.test()
async def ready_after_valid(dut: Any) -> None:
    """A sink that waits for valid before it is ready: valid must not wait for ready."""
    with Session(dut, "stream", "ready_after_valid") as session:
        await session.harness.reset()
        vectors = corner_vectors(session.config, session.rng)[: 12 * session.config.ensemble]
        await session.exchange(vectors, "never", ("until_valid", "until_valid"))


@cocotb.test()
async def limits(dut: Any) -> None:
    """Vectors of max_length and longer, each followed at once by short ones, at full speed."""
    with Session(dut, "stream", "limits") as session:
        await session.harness.reset()
        await session.exchange(limit_vectors(session.config, session.rng), junk=True)


@cocotb.test()
async def limits_throttled(dut: Any) -> None:
    """The same vectors into sinks with long pauses, so that every queue fills up and drains again."""
    with Session(dut, "stream", "limits_throttled") as session:
        await session.harness.reset()
        await session.exchange(limit_vectors(session.config, session.rng), "never", ("bursts", "bursts"))
