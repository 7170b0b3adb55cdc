"""Reset of a busy head: no beat from before the reset appears, and the vectors after it are intact."""

import itertools
from collections.abc import Callable
from typing import Any

import cocotb
import numpy as np

from softstream.hw.plan.ports import outputs
from softstream.sim.benches.drivers import Sink
from softstream.sim.benches.session import Session
from softstream.sim.stimulus import corner_vectors, limit_vectors, random_vectors

__all__ = ["anywhere", "in_stalled_output", "in_vector"]

SETTLE_CYCLES = 12


async def _interrupt(session: Session, vectors: list, pauses: tuple[str, ...], until: Callable[[dict[str, Sink]], bool],
                     *, blocked: bool = False) -> None:  # fmt: skip
    """Sends vectors until `until` is True, resets, and sends fresh vectors, whose outputs must be intact.

    `blocked` sinks are never ready.
    """
    source, sinks = session.source(vectors, pauses[0]), session.sinks(vectors, *pauses[1:])
    if blocked:
        sinks = {
            prefix: Sink(prefix, sink.due, itertools.repeat(True), fields=session.fields[prefix])
            for prefix, sink in sinks.items()
        }
    patience = session.patience(max(map(len, vectors)))
    await session.harness.run(source, sinks, patience=patience, until=lambda: until(sinks))
    session.count(source, sinks)
    await session.harness.reset(int(session.rng.integers(1, 6)))
    fresh = corner_vectors(session.config, session.rng)[-6 * session.config.ensemble :]
    await session.exchange(fresh, "never", ("never", "never"))


@cocotb.test()
async def in_vector(dut: Any) -> None:
    """Reset inside a vector without end: after some of its beats, and after its cut at max_length."""
    with Session(dut, "reset", "in_vector") as session:
        await session.harness.reset()
        limit = session.config.max_length
        lanes = session.config.lanes
        lengths = {1, 2, min(7, limit), limit + 2 if limit < 100 else 3}
        # Only the last beat of a vector may be partly filled, so an open vector has full beats.
        for length in sorted({lanes * session.config.beats(length) for length in lengths}):
            fmt = session.config.score_format
            open_vector = session.rng.integers(fmt.minimum, fmt.maximum, length, endpoint=True)
            # In an ensemble the last member is open.
            whole = [np.append(open_vector, fmt.minimum)] * session.config.ensemble
            source = session.source([*whole[:-1], open_vector], ended=False)
            # At max_length the head cuts an open vector and puts out its result before the vector ends.
            sinks = session.sinks(whole, "never", "never")
            if length < limit:
                # A shorter open vector has no result, so only a head without a pass over the vector puts out elements.
                sinks = {
                    output.prefix: Sink(
                        output.prefix,
                        (sinks[output.prefix].due or [])[:-1]
                        if output.per == "element" and session.plan.passes == 0
                        else [],
                        itertools.repeat(False),
                        fields=session.fields[output.prefix],
                    )
                    for output in outputs(session.config)
                }
            end = session.harness.cycle + len(whole) * (length + 1) + SETTLE_CYCLES
            await session.harness.run(source, sinks, patience=10**6, until=lambda end=end: session.harness.cycle >= end)
            session.count(source, sinks)
            await session.harness.reset()
            await session.exchange(random_vectors(session.config, session.rng, 4))


@cocotb.test()
async def in_stalled_output(dut: Any) -> None:
    """Reset while every output stream offers a beat and no sink is ready."""
    with Session(dut, "reset", "in_stalled_output") as session:
        await session.harness.reset()
        offers = [tap.valid for tap in session.harness.outputs.values()]
        # A head that puts out elements before their vector's end waits for ready, so only a short vector gives a winner.
        longest = 2 if outputs(session.config)[0].flags_at_last else None
        for _ in range(2):
            await _interrupt(
                session,
                [vector[:longest] for vector in random_vectors(session.config, session.rng, 3)],
                ("never", "never", "never"),
                lambda _: all(int(valid.value) for valid in offers),
                blocked=True,
            )


@cocotb.test()
async def anywhere(dut: Any) -> None:
    """Reset in random cycles of a busy pipeline, with overlong vectors."""
    with Session(dut, "reset", "anywhere") as session:
        await session.harness.reset()
        for turn in range(6):
            vectors = random_vectors(session.config, session.rng, 12)
            if session.config.max_length <= 64:
                vectors += limit_vectors(session.config, session.rng)
            window = session.plan.last_output_cycle(max(map(len, vectors[:12]))) + 60
            end = session.harness.cycle + int(session.rng.integers(2, window))
            patterns = (("never", "never", "random"), ("random", "random", "never"))[turn % 2]
            await _interrupt(session, vectors, patterns, lambda _, end=end: session.harness.cycle >= end)
