"""Drives one component in Amaranth's simulator: beats in, beats out, under pauses on both sides.

Source and sink are two processes that only meet at the clock edge, where they sample; a passive watch on the output checks the
stream law: valid holds until ready, and the payload with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth import ClockDomain, Module
from amaranth.lib import data, wiring
from amaranth.sim import Simulator

__all__ = ["PAUSES", "Trace", "pauses", "run_component", "run_cycles"]

PAUSES = ("never", "every third", "random")
LIMIT = 40_000


def pauses(pattern: str, seed: int) -> Callable[[int], bool]:
    """Whether a side pauses in a given cycle."""
    if pattern == "never":
        return lambda cycle: False
    if pattern == "every third":
        return lambda cycle: cycle % 3 == 2
    if pattern.startswith("first "):
        return lambda cycle: cycle < int(pattern.removeprefix("first "))
    stalls = np.random.default_rng(seed).random(4099) < 0.5
    return lambda cycle: bool(stalls[cycle % len(stalls)])


@dataclass
class Trace:
    """Beats and the cycles of their transfers."""

    inputs: list[int]
    outputs: list[int]
    beats: list[Any]
    drained: dict[str, list[tuple[int, Any]]]
    """Cycle and beat of every transfer of the streams that were always taken."""


def plain(value: Any) -> Any:
    """A payload as a dictionary of integers."""
    if isinstance(value, data.Const):
        return {name: plain(value[name]) for name in value.shape().members}
    return int(value)


def run_component(
    dut: wiring.Component,
    beats: Sequence[Any],
    expected: int,
    *,
    source: str = "never",
    sink: str = "never",
    seed: int = 1,
    i: str = "i",
    o: str = "o",
    drain: tuple[str, ...] = (),
    spacing: int = 1,
    idle: int = 12,
) -> Trace:
    """Feeds `beats` into stream `i`, at least `spacing` cycles apart, and collects `expected` beats of stream `o`.

    Streams named in `drain` are always taken and recorded. Some idle cycles later nothing more may have come.
    """
    trace = Trace([], [], [], {name: [] for name in drain})
    cycle = [0]
    incoming, outgoing = getattr(dut, i), getattr(dut, o)
    always_ready = incoming.signature.always_ready, outgoing.signature.always_ready
    pause_source, pause_sink = pauses(source, seed), pauses(sink, seed + 1)

    async def clock(ctx: Any) -> None:
        async for _ in ctx.tick():
            cycle[0] += 1
            assert cycle[0] < LIMIT, f"only {len(trace.beats)} of {expected} beats came (seed {seed})"

    async def feed(ctx: Any) -> None:
        for beat in beats:
            while pause_source(cycle[0]) or (trace.inputs and cycle[0] - trace.inputs[-1] < spacing):
                await ctx.tick()
            ctx.set(incoming.payload, beat)
            ctx.set(incoming.valid, 1)
            while True:
                now = cycle[0]
                _, _, ready = await ctx.tick().sample(incoming.ready)
                if ready or always_ready[0]:
                    break
            trace.inputs.append(now)
            ctx.set(incoming.valid, 0)

    async def take(ctx: Any) -> None:
        held = None
        patience = idle
        while patience:
            ready = 1 if always_ready[1] else int(not pause_sink(cycle[0]))
            if not always_ready[1]:
                ctx.set(outgoing.ready, ready)
            now = cycle[0]
            _, _, valid, payload = await ctx.tick().sample(outgoing.valid, outgoing.payload)
            beat = plain(payload) if valid else None
            if held is not None:
                assert beat == held, f"cycle {now}: {held} was not taken, then came {beat} (seed {seed})"
            held = beat if valid and not ready else None
            if valid and ready:
                trace.outputs.append(now)
                trace.beats.append(beat)
            if len(trace.beats) >= expected and len(trace.inputs) == len(beats):
                patience -= 1

    def drainer(name: str) -> Callable[[Any], Any]:
        async def drain_stream(ctx: Any) -> None:
            drained = getattr(dut, name)
            ctx.set(drained.ready, 1)
            while True:
                now = cycle[0]
                _, _, valid, payload = await ctx.tick().sample(drained.valid, drained.payload)
                if valid:
                    trace.drained[name].append((now, plain(payload)))

        return drain_stream

    m = Module()
    m.domains.sync = ClockDomain()  # a component without registers does not ask for one
    m.submodules.dut = dut
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clock, background=True)
    for name in drain:
        simulator.add_testbench(drainer(name), background=True)
    simulator.add_testbench(feed)
    simulator.add_testbench(take)
    simulator.run()
    assert len(trace.beats) == expected, f"{len(trace.beats)} beats came, expected {expected} (seed {seed})"
    return trace


def run_cycles(
    dut: wiring.Component,
    cycles: int,
    drive: Callable[[list[dict[str, Any]], Callable[[str], int]], Mapping[str, Any]],
    watched: Sequence[str],
) -> list[dict[str, Any]]:
    """What the watched ports are in each cycle, for parts that are no streams.

    `drive(found, now)` gives a cycle's inputs by their dotted names, those it leaves out stay. `found` is what was seen in the
    cycles before, `now(name)` a port before the inputs are set: of registered outputs, what they are in this cycle.
    """
    found: list[dict[str, Any]] = []

    def port(name: str) -> Any:
        value: Any = dut
        for part in name.split("."):
            value = getattr(value, part)
        return value

    signals = [port(name) for name in watched]

    async def run(ctx: Any) -> None:
        for _ in range(cycles):
            for name, value in drive(found, lambda name: int(ctx.get(port(name)))).items():
                ctx.set(port(name), value)
            _, _, *values = await ctx.tick().sample(*signals)
            found.append({name: plain(value) for name, value in zip(watched, values, strict=True)})

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.dut = dut
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    return found
