"""Reset in the middle of things: what comes after it is intact, and nothing from before it comes out."""

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
    """Sends vectors until `until` says so, resets, and sends fresh vectors that must come out intact and alone."""
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
    """Reset after some beats of a vector whose end never comes; then, after its cut and before its end."""
    with Session(dut, "reset", "in_vector") as session:
        await session.harness.reset()
        limit = session.config.max_length
        lanes = session.config.lanes
        lengths = {1, 2, min(7, limit), limit + 2 if limit < 100 else 3}
        # A beat that is not its vector's last is full.
        for length in sorted({lanes * session.config.beats(length) for length in lengths}):
            fmt = session.config.score_format
            open_vector = session.rng.integers(fmt.minimum, fmt.maximum, length, endpoint=True)
            # Of an ensemble, the last member.
            whole = [np.append(open_vector, fmt.minimum)] * session.config.ensemble
            source = session.source([*whole[:-1], open_vector], ended=False)
            # At the limit an open vector is cut and has its result, though its end has not come.
            sinks = session.sinks(whole, "never", "never")
            if length < limit:
                # Before it there is no result, and so nothing may come out.
                # But for elements that leave as they come.
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
    """Reset while every output stream offers a beat that nobody takes."""
    with Session(dut, "reset", "in_stalled_output") as session:
        await session.harness.reset()
        offers = [tap.valid for tap in session.harness.outputs.values()]
        # Where elements leave before their vector's end, that waits for the first to be taken, and so does the winner.
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
    """Reset at random moments of a busy pipeline, overlong vectors among the rest."""
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
