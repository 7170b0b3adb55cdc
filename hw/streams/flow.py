"""Flow control between stages: queues, credits, spacing, skid buffers, forks and stoppable pipes.

Every stream follows Amaranth's stream law: valid and payload hold until ready, and valid never waits for ready. Between
the elastic edges the pipe is rigid: a stage with `pulse` streams takes a payload in every cycle in which it is valid.
Credits assure room downstream before a payload enters such a pipe.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

from amaranth import C, Cat, Const, EnableInserter, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.formats import ceil_log2
from softstream.hw.streams.counters import following, following_of_all, shifted
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish, publish_enable
from softstream.hw.streams.registers import gates, store

__all__ = ["Buffered", "Credit", "Fork", "Hold", "Queue", "RigidPipe", "Skid", "Spacing", "vector_buffers"]


class Queue(wiring.Component):
    """First in, first out, behind a rigid pipe: `depth` entries, for which credits elsewhere assure the room.

    Ports: `i`, pulse, and `o`, stream of `shape`. Member: `room`, payloads that it holds at most, `depth` or more. Latency
    2 cycles, one payload per cycle. Cuts the ready path. With `by_gates` no register of the reading side has a clock enable,
    which an iCE40 distributes slowly.
    """

    def __init__(self, shape: ShapeLike, depth: int, *, by_gates: bool = False) -> None:
        self._shape, self.by_gates = shape, by_gates
        # The output register holds one entry, so the memory never holds `depth` of them.
        self._depth = 1 << max(1, ceil_log2(max(1, depth - 1)))
        # A memory that is never full has an entry to spare, which is written in every cycle until a payload is there to stay. So
        # no gate of the valid, which settles late, stands before the memory.
        self._spare = depth <= self._depth
        self.room = self._depth + (not self._spare)
        super().__init__({"i": In(pulse(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Behind each address stands the one before or after it.
        write_address, newest = Signal(range(self._depth)), Signal(range(self._depth), init=self._depth // 2)
        read_address, second = Signal(range(self._depth)), Signal(range(self._depth), init=1)
        writes = Const(1) if self._spare else self.i.valid
        read, writing = store(m, "store", Value.cast(self.i.payload), writes, write_address, self._depth)
        filled, advance, leaving = Signal(), Signal(), Signal()  # `filled`: the memory holds an entry
        m.d.comb += [
            *writing,
            advance.eq(self.o.ready | ~self.o.valid),
            leaving.eq(advance & filled),
            read.addr.eq(read_address),
            read.en.eq(advance),
            Value.cast(self.o.payload).eq(read.data),
        ]
        # The addresses are compared in the cycle before, so that no comparison stands behind the ready of the output. Two bits
        # tell how they moved: both or none, the read address alone, the write address alone in an empty memory, or in
        # another one.
        single = Signal()  # one entry, if the memory is filled
        held_one, held_two = Signal(reset_less=True), Signal(reset_less=True)
        grew, differs = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            held_one.eq(single),
            held_two.eq(second == newest),
            grew.eq(self.i.valid & ~leaving),
            differs.eq(Mux(self.i.valid, ~leaving & filled, leaving)),
        ]
        m.d.comb += single.eq(Mux(grew, ~differs, Mux(differs, held_two, held_one)))
        m.d.sync += filled.eq(self.i.valid | (filled & ~(advance & single)))
        with m.If(self.i.valid):
            m.d.sync += [write_address.eq(following_of_all(write_address)), newest.eq(write_address)]
        if self.by_gates:
            m.d.sync += [
                read_address.eq(gates(leaving, second, read_address)),
                second.eq(gates(leaving, following_of_all(second), second)),
                self.o.valid.eq(filled | (self.o.valid & ~self.o.ready)),
            ]
        else:
            with m.If(leaving):
                m.d.sync += [read_address.eq(second), second.eq(following_of_all(second))]
            with m.If(advance):
                m.d.sync += self.o.valid.eq(filled)
        publish(
            platform,
            self,
            write_address=write_address,
            newest=newest,
            read_address=read_address,
            second=second,
            filled=filled,
            single=single,
        )
        return m


class Credit(wiring.Component):
    """Room counter of a queue behind a rigid pipe: `limit` credits, one less per `take`, one more per `give`.

    Ports: `take`, `give`; `available`, the sign bit of a register: more than `margin` credits remain after the takes and
    gives up to two cycles ago. A margin of 1 is needed where a take may follow a take in the next cycle.
    """

    take: In(1)
    give: In(1)
    available: Out(1)

    def __init__(self, limit: int, margin: int = 0) -> None:
        if limit <= margin:
            raise ValueError(f"credit limit {limit} must exceed the margin {margin}")
        self.limit, self.margin = limit, margin
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Credits beyond margin + 1; negative where there are fewer.
        spare = Signal(range(-self.margin - 1, self.limit - self.margin), init=self.limit - self.margin - 1)
        # Takes and gives settle late in their cycle, so the counter sees them in the next.
        change, decrement = Signal(), Signal(reset_less=True)
        m.d.sync += [change.eq(self.take ^ self.give), decrement.eq(self.take)]
        with m.If(change):
            m.d.sync += spare.eq(spare + Mux(decrement, C(-1, 2), C(1, 2)))
        m.d.comb += self.available.eq(~spare[-1])
        publish(platform, self, spare=spare, change=change, decrement=decrement)
        return m


class Spacing(wiring.Component):
    """Keeps events apart: `free` unless `take` was set in one of the last `interval` − 1 cycles.

    Ports: `take`, an event; `allowed`, which must have been set in the cycle before for `free`; `free`, an event may come;
    `ready`, the value of `free` in the next cycle. The interval is at least 4; or it is 1, and `free` and `ready` follow
    `allowed` at once.
    """

    take: In(1)
    allowed: In(1, init=1)
    free: Out(1)
    ready: Out(1)

    def __init__(self, interval: int) -> None:
        if interval < 4 and interval != 1:
            raise ValueError(f"interval {interval} must be at least 4, or 1")
        self.interval = interval
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.interval == 1:
            m.d.comb += [self.free.eq(self.allowed), self.ready.eq(self.allowed)]
            publish(platform, self)
            return m
        # The counter loads a cycle late, off the path that decides `take`. It has no carry and no enable.
        steps = self.interval - 4
        count = Signal((steps + 1).bit_length(), init=1)
        busy, loading = Signal(), Signal()
        m.d.sync += [
            loading.eq(self.take),
            busy.eq(loading | (busy & (count != shifted(len(count), steps)))),
            count.eq(Mux(loading, 1, following(count))),
            self.free.eq(self.ready),
        ]
        m.d.comb += self.ready.eq(~self.take & ~loading & ~busy & self.allowed)
        publish(platform, self, loading=loading, busy=busy, count=count)
        return m


class Skid(wiring.Component):
    """A skid buffer: an output register, and a second one for a payload that arrives while it waits.

    Ports: `i`, `o`, streams of `shape`. Latency 1 cycle, one payload per cycle. Cuts the ready path: `i.ready` is a
    register.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Low at reset: some parts have no flip-flops that begin with 1, and `ready` must stay a flip-flop's bare output.
        ready = Signal()
        spare = Signal(len(Value.cast(self.i.payload)), reset_less=True)
        output = Signal.like(spare)
        m.d.comb += [self.i.ready.eq(ready), Value.cast(self.o.payload).eq(output)]
        m.d.sync += ready.eq(self.o.ready | ~self.o.valid | (ready & ~self.i.valid))
        with m.If(ready):
            m.d.sync += spare.eq(Value.cast(self.i.payload))
        m.d.sync += self.o.valid.eq((self.i.valid & ready) | (self.o.valid & ~(self.o.ready & ready)))
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += output.eq(Mux(ready, Value.cast(self.i.payload), spare))
        publish(platform, self, ready=ready, spare=spare, output=output)
        return m


class Hold(wiring.Component):
    """One register that holds a payload until its sink takes it, so that the source need not wait.

    Ports: `i`, `o`, streams of `shape`. Latency 1 cycle, one payload per cycle. Passes the ready path.

    With `assured`, room is there whenever `i` is valid, so no ready stands before a clock enable. With `by_gates` the valid has
    no clock enable, which an iCE40 distributes slowly.
    """

    def __init__(self, shape: ShapeLike, *, assured: bool = False, by_gates: bool = False) -> None:
        self.assured, self.by_gates = assured, by_gates or assured
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload = Signal(len(Value.cast(self.i.payload)), reset_less=True)
        m.d.comb += [self.i.ready.eq(self.o.ready | ~self.o.valid), Value.cast(self.o.payload).eq(payload)]
        if self.by_gates:
            m.d.sync += self.o.valid.eq(self.i.valid | (self.o.valid & ~self.o.ready))
            with m.If(self.i.valid if self.assured else self.i.ready):
                m.d.sync += payload.eq(Value.cast(self.i.payload))
        else:
            with m.If(self.i.ready):
                m.d.sync += [self.o.valid.eq(self.i.valid), payload.eq(Value.cast(self.i.payload))]
        publish(platform, self)
        return m


class Fork(wiring.Component):
    """One stream to several: every sink takes each payload once, at its own time, before the next payload comes.

    With `ordered`, no sink takes a payload before the sink of `o_0` does, whose ready must come from a register.

    Ports: `i`, `o_0`, `o_1` and so on, streams of `shape`. Latency 0 cycles, one payload per cycle. Passes the ready
    paths.
    """

    def __init__(self, shape: ShapeLike, count: int, *, ordered: bool = False) -> None:
        self.count, self.ordered = count, ordered
        copies = {f"o_{number}": Out(stream.Signature(shape)) for number in range(count)}
        super().__init__({"i": In(stream.Signature(shape)), **copies})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        copies = [getattr(self, f"o_{number}") for number in range(self.count)]
        # Which sinks took the current payload in an earlier cycle.
        served = [Signal(name=f"served_{number}") for number in range(self.count)]
        sinks = [before | copy.ready for before, copy in zip(served, copies, strict=True)]
        offers = [self.i.valid & ~before for before in served]
        if self.ordered:
            offers[1:] = [offer & sinks[0] for offer in offers[1:]]
            sinks[1:] = [sink & sinks[0] for sink in sinks[1:]]
        finished = Cat(sinks)
        m.d.comb += self.i.ready.eq(finished.all())
        for number, (before, copy) in enumerate(zip(served, copies, strict=True)):
            m.d.comb += [
                copy.valid.eq(offers[number]),
                Value.cast(copy.payload).eq(Value.cast(self.i.payload)),
            ]
            m.d.sync += before.eq(self.i.valid & finished[number] & ~self.i.ready)
        publish(platform, self, **{f"served_{number}": before for number, before in enumerate(served)})
        return m


class RigidPipe(wiring.Component):
    """Rigid stages in a row under one clock enable, which is the ready of a skid buffer behind the last stage.

    A stage whose `i` has a ready, which must come from a register, stops the stages before it as well. One stage may have a
    second output, `o_best`. That output gets a skid buffer of its own, and both buffers must be ready.

    Ports: `i`, `o`, streams of the first stage's input and the last stage's output, and `o_best` where a stage has it;
    `moves`, set where the stages behind the last one with a ready advance. Latency that of all stages and 1 cycle, one
    payload per cycle. Cuts the ready path.
    """

    def __init__(self, stages: Mapping[str, Any]) -> None:
        self._stages = stages
        first, *_ = components = list(stages.values())
        self._results = {"o": components[-1].o}
        for stage in components:
            if "o_best" in stage.signature.members:
                self._results["o_best"] = stage.o_best
        outputs = {port: Out(stream.Signature(result.payload.shape())) for port, result in self._results.items()}
        super().__init__({"i": In(stream.Signature(first.i.payload.shape())), "moves": Out(1), **outputs})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        skids = {port: Skid(result.payload.shape()) for port, result in self._results.items()}
        for port, skid in skids.items():
            m.submodules["skid" if port == "o" else f"skid_{port}"] = skid
            result, others = self._results[port], [other.i.ready for name, other in skids.items() if name != port]
            m.d.comb += [
                skid.i.valid.eq(reduce(and_, others, result.valid)),
                Value.cast(skid.i.payload).eq(Value.cast(result.payload)),
            ]
            wiring.connect(m, skid.o, wiring.flipped(getattr(self, port)))
        enable: Value = reduce(and_, (skid.i.ready for skid in skids.values()))
        m.d.comb += self.moves.eq(enable)
        sources = [self.i, *(stage.o for stage in [*self._stages.values()][:-1])]
        for (name, stage), source in reversed([*zip(self._stages.items(), sources, strict=True)]):
            m.submodules[name] = EnableInserter(enable)(stage)
            publish_enable(platform, stage, enable)
            m.d.comb += [stage.i.valid.eq(source.valid), Value.cast(stage.i.payload).eq(Value.cast(source.payload))]
            if not stage.i.signature.always_ready:
                enable &= stage.i.ready
        m.d.comb += self.i.ready.eq(enable)
        return m


class Buffered(NamedTuple):
    """A stream with one payload per vector that waits in a buffer of its own; see `vector_buffers`."""

    name: str
    """Name of the buffer's submodule."""
    source: Any
    """The stream."""
    shape: ShapeLike
    """Shape of its payload."""
    rigid: bool
    """Whether the stream has no ready."""


def _hold(m: Module, name: str, source: Any, shape: ShapeLike, rigid: bool, quick: bool) -> Any:
    """The stream `source` behind a `Hold`."""
    m.submodules[name] = hold = Hold(shape, assured=rigid and quick, by_gates=quick)
    m.d.comb += [hold.i.valid.eq(source.valid), Value.cast(hold.i.payload).eq(Value.cast(source.payload))]
    if not rigid:
        m.d.comb += source.ready.eq(hold.i.ready)
    return hold.o


def vector_buffers(
    m: Module, streams: Sequence[Buffered], registers: int, room: int, *, quick: bool = False
) -> list[Any]:
    """The streams behind `registers` registers each, or behind a queue each where `room` exceeds the registers.

    Credits elsewhere must assure the room, so that no stream needs to wait. With `quick` the first register of a rigid stream
    relies on that, and no valid has a clock enable.
    """
    outputs = [entry.source for entry in streams]
    if room == registers:
        for place in range(registers):
            for k, entry in enumerate(streams):
                rigid = entry.rigid and place == 0
                outputs[k] = _hold(m, f"{entry.name}_{place}", outputs[k], entry.shape, rigid, quick)
        return outputs
    for k, entry in enumerate(streams):
        m.submodules[entry.name] = queue = Queue(entry.shape, room)
        m.d.comb += [
            queue.i.valid.eq(entry.source.valid),
            Value.cast(queue.i.payload).eq(Value.cast(entry.source.payload)),
        ]
        if not entry.rigid:
            m.d.comb += entry.source.ready.eq(1)
        outputs[k] = queue.o
    return outputs
