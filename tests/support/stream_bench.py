"""Drives one component in Amaranth's simulator: beats in, beats out, under pauses on both sides.

Source and sink are two processes that only meet at the clock edge, where they sample; a passive watch on the output checks the
stream law: valid holds until ready, and the payload with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from amaranth import Cat, ClockDomain, EnableInserter, Module, ResetInserter, Signal, Value
from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.sim import Simulator

from softstream.sim.stalls import stalls_in_cycle

__all__ = ["PAUSED", "PAUSES", "ThrottledComponent", "Trace", "beats_after_restart", "run_component", "run_cycles"]

PAUSES = ("never", "every3", "random")
"""Stall patterns of both sides of a component."""

PAUSED = [
    ("every3", "random"),
    pytest.param("never", "never", marks=pytest.mark.long),
    pytest.param("random", "never", marks=pytest.mark.long),
]
"""(source, sink) for tests of many heads: stalls on both sides always, the others where `make test-long` has the time."""

LIMIT = 40_000


@dataclass
class Trace:
    """Beats and the cycles of their transfers."""

    inputs: list[int]
    outputs: list[int]
    beats: list[Any]
    drained: dict[str, list[tuple[int, Any]]]
    """Cycle and beat of every transfer of the streams that are always ready."""


# A simulator settles after every assignment, and makes Python objects of every field that it is asked for: so all inputs of a
# cycle are assigned at once, as one number, and all outputs are sampled as numbers.


def encoder(port: Any) -> Callable[[Any], int]:
    """A function from a port's value (a dictionary if the port has fields) to its bits."""
    shape, mask = port.shape(), (1 << len(Value.cast(port))) - 1
    if isinstance(shape, data.Layout):
        return lambda value: Value.cast(shape.const(value)).value & mask
    return lambda value: int(value) & mask


def decoder(shape: Any) -> Callable[[int], Any]:
    """A function from bits to an integer, or to a dictionary of integers if the shape has fields."""
    if isinstance(shape, data.Layout):
        fields = [
            (name, field.offset, (1 << Shape.cast(field.shape).width) - 1, decoder(field.shape))
            for name, field in shape
        ]
        return lambda bits: {name: decode(bits >> offset & mask) for name, offset, mask, decode in fields}
    cast = Shape.cast(shape)
    if cast.signed:
        return lambda bits: bits - (bits >> (cast.width - 1) << cast.width)
    return lambda bits: bits


def sampled(ctx: Any, *ports: Any) -> Any:
    """The ports' bits at each clock edge, asynchronously."""
    values = [Value.cast(port) for port in ports]
    # `await ctx.tick().sample(…)` would make the trigger anew in each cycle.
    return aiter(ctx.tick().sample(*[value.as_unsigned() if value.shape().signed else value for value in values]))


@dataclass
class ComponentBench:
    """The processes of `run_component`: they share the cycle count and the trace."""

    beats: Sequence[Any]
    expected: int
    incoming: Any
    outgoing: Any
    pause_source: Callable[[int], bool]
    pause_sink: Callable[[int], bool]
    seed: int
    spacing: int
    waits: Mapping[int, int]
    idle: int
    trace: Trace
    cycle: int = 0

    async def clock(self, ctx: Any) -> None:
        """Counts the cycles, and ends a run that hangs."""
        async for _ in ctx.tick():
            self.cycle += 1
            assert self.cycle < LIMIT, f"only {len(self.trace.beats)} of {self.expected} beats came (seed {self.seed})"

    def early(self, number: int) -> bool:
        """Whether `spacing` or `waits` still hold back the beat of this number."""
        inputs, outputs = self.trace.inputs, self.trace.outputs
        if inputs and self.cycle - inputs[-1] < self.spacing:
            return True
        count = self.waits.get(number, 0)
        return len(outputs) < count or (count > 0 and self.cycle - outputs[-1] < self.idle)

    async def feed(self, ctx: Any) -> None:
        """Offers the beats under the pauses of the source; a beat stays offered until the component accepts it."""
        incoming = self.incoming
        offer, always_ready = Cat(incoming.valid, Value.cast(incoming.payload)), incoming.signature.always_ready
        encode, edges, bits, offered = encoder(incoming.payload), sampled(ctx, incoming.ready), 0, False
        for number, beat in enumerate(self.beats):
            while self.pause_source(self.cycle) or self.early(number):
                if offered:
                    ctx.set(offer, bits)  # the payload of the last beat stays on the lines
                    offered = False
                await anext(edges)
            bits, offered = encode(beat) << 1, True
            ctx.set(offer, bits | 1)
            while True:
                now = self.cycle
                _, _, ready = await anext(edges)
                if ready or always_ready:
                    break
            self.trace.inputs.append(now)
        ctx.set(offer, bits)

    async def take(self, ctx: Any) -> None:
        """Accepts beats under the pauses of the sink and checks the stream law, until `idle` cycles after the last one."""
        outgoing, trace = self.outgoing, self.trace
        always_ready = outgoing.signature.always_ready
        held = before = None
        patience = self.idle
        decode = decoder(outgoing.payload.shape())
        edges = sampled(ctx, outgoing.valid, outgoing.payload)
        while patience:
            ready = 1 if always_ready else int(not self.pause_sink(self.cycle))
            if not always_ready and ready != before:
                ctx.set(outgoing.ready, ready)
                before = ready
            now = self.cycle
            _, _, valid, payload = await anext(edges)
            if held is not None:
                came = decode(payload) if valid else None
                assert came == decode(held), (
                    f"cycle {now}: {decode(held)} was not taken, then came {came} (seed {self.seed})"
                )
            held = payload if valid and not ready else None
            if valid and ready:
                trace.outputs.append(now)
                trace.beats.append(decode(payload))
            if len(trace.beats) >= self.expected and len(trace.inputs) == len(self.beats):
                patience -= 1

    def drainer(self, stream: Any, transfers: list[tuple[int, Any]]) -> Callable[[Any], Any]:
        """A process that accepts every beat of `stream` and records its cycle."""

        async def drain(ctx: Any) -> None:
            decode, edges = decoder(stream.payload.shape()), sampled(ctx, stream.valid, stream.payload)
            ctx.set(stream.ready, 1)
            while True:
                now = self.cycle
                _, _, valid, payload = await anext(edges)
                if valid:
                    transfers.append((now, decode(payload)))

        return drain


def simulator_of(dut: wiring.Component) -> Simulator:
    """A simulator of one component, with its clock running."""
    m = Module()
    m.domains.sync = ClockDomain()  # a component without registers does not ask for one
    m.submodules.dut = dut
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    return simulator


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
    waits: Mapping[int, int] = {},
    idle: int = 12,
) -> Trace:
    """Feeds `beats` into stream `i`, at least `spacing` cycles apart, and collects `expected` beats of stream `o`.

    Beat k of `waits` is not offered before `waits[k]` beats are out, and `idle` cycles more.
    The streams named in `drain` are always ready, and every transfer is recorded. After the last expected beat the run goes on
    for `idle` cycles, in which no further beat may come.
    """
    trace = Trace([], [], [], {name: [] for name in drain})
    pause_source, pause_sink = stalls_in_cycle(source, seed), stalls_in_cycle(sink, seed + 1)
    bench = ComponentBench(
        beats, expected, getattr(dut, i), getattr(dut, o), pause_source, pause_sink, seed, spacing, waits, idle, trace
    )
    simulator = simulator_of(dut)
    simulator.add_testbench(bench.clock, background=True)
    for name, transfers in trace.drained.items():
        simulator.add_testbench(bench.drainer(getattr(dut, name), transfers), background=True)
    simulator.add_testbench(bench.feed)
    simulator.add_testbench(bench.take)
    simulator.run()
    assert len(trace.beats) == expected, f"{len(trace.beats)} beats came, expected {expected} (seed {seed})"
    return trace


def run_cycles(
    dut: wiring.Component,
    cycles: int,
    drive: Callable[[list[dict[str, Any]], Callable[[str], int]], Mapping[str, Any]],
    watched: Sequence[str],
) -> list[dict[str, Any]]:
    """Records the watched ports in each cycle, for parts that are no streams.

    `drive(rows, now)` returns a cycle's inputs by their dotted names; an input that it leaves out keeps its value. `rows` holds
    the watched ports of the cycles before; `now(name)` reads a port before the inputs change, which is a registered output's
    value of this cycle.
    """
    rows: list[dict[str, Any]] = []

    def port(name: str) -> Any:
        value: Any = dut
        for part in name.split("."):
            value = getattr(value, part)
        return value

    async def run(ctx: Any) -> None:
        edges = sampled(ctx, *map(port, watched))
        decoders = [(name, decoder(port(name).shape())) for name in watched]
        driven: dict[str, tuple[Callable[[Any], int], Value]] = {}
        bits: dict[str, int] = {}
        for _ in range(cycles):
            before = dict(bits)
            for name, value in drive(rows, lambda name: int(ctx.get(port(name)))).items():
                if name not in driven:
                    driven[name] = encoder(port(name)), Value.cast(port(name))
                bits[name] = driven[name][0](value)
            changed = [name for name in bits if bits[name] != before.get(name)]
            if changed:
                total = width = 0
                for name in changed:
                    total |= bits[name] << width
                    width += len(driven[name][1])
                ctx.set(Cat(*[driven[name][1] for name in changed]), total)
            _, _, *values = await anext(edges)
            rows.append({name: decode(value) for (name, decode), value in zip(decoders, values, strict=True)})

    simulator = simulator_of(dut)
    simulator.add_testbench(run)
    simulator.run()
    return rows


def beats_after_restart(dut: wiring.Component, beats: Sequence[Any], before: int, cycles: int) -> list[Any]:
    """The beats of stream `o` after a reset that follows the first `before` beats; then all beats enter back to back."""
    m, restart = Module(), Signal()
    m.domains.sync = ClockDomain()
    m.submodules.dut = ResetInserter(restart)(dut)
    seen: list[Any] = []

    async def take(ctx: Any) -> None:
        decode, edges = decoder(dut.o.payload.shape()), sampled(ctx, dut.o.valid, dut.o.payload)
        ctx.set(dut.o.ready, 1)
        for _ in range(cycles):
            _, _, valid, payload = await anext(edges)
            if valid:
                seen.append(decode(payload))

    async def feed(ctx: Any) -> None:
        for count in (before, len(beats)):
            ctx.set(restart, 1)
            await ctx.tick()
            ctx.set(restart, 0)
            seen.clear()
            for beat in beats[:count]:
                ctx.set(dut.i.payload, beat)
                ctx.set(dut.i.valid, 1)
                while True:
                    _, _, ready = await ctx.tick().sample(dut.i.ready)
                    if ready:
                        break
            ctx.set(dut.i.valid, 0)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(take)
    simulator.add_testbench(feed)
    simulator.run()
    return seen


class ThrottledComponent(wiring.Component):
    """A component of one input and one output stream under an enable that follows a stall pattern."""

    def __init__(self, component: wiring.Component, pattern: str = "random", seed: int = 1, period: int = 509) -> None:
        self._component = component
        stalls = stalls_in_cycle(pattern, seed)
        self._enables = sum((not stalls(cycle)) << cycle for cycle in range(period))
        self._period = period
        super().__init__(component.signature)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inner, enables = self._component, Signal(self._period, init=self._enables)
        m.submodules.inner = EnableInserter(enables[0])(inner)
        m.d.sync += enables.eq(enables.rotate_right(1))
        m.d.comb += [
            inner.i.valid.eq(self.i.valid),
            inner.i.payload.eq(self.i.payload),
            self.i.ready.eq(inner.i.ready & enables[0]),
            self.o.valid.eq(inner.o.valid & enables[0]),
            self.o.payload.eq(inner.o.payload),
        ]
        return m
