"""Payloads of the streams, queues, credits and delays: the plumbing between stages.

Every stream follows Amaranth's stream law: valid and payload hold until ready, valid never waits for ready. Between the
elastic edges the pipe is rigid: a stage whose streams are `pulse` streams takes a payload in every cycle in which it is
valid, and room downstream is assured by credits before a payload enters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import and_
from typing import Any

from amaranth import C, Cat, EnableInserter, Module, Mux, ShapeLike, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.ports import Output, outputs, sidebands, winner_output
from softstream.hw.streams.counters import following, following_of_all, shifted

__all__ = [
    "UNCHECKED",
    "Credit",
    "Fork",
    "Hold",
    "Queue",
    "Skid",
    "Spacing",
    "Stopped",
    "delay",
    "each_lane",
    "framed_layout",
    "guarded_layout",
    "held",
    "keep_names",
    "output_layout",
    "probability_layout",
    "pulse",
    "score_layout",
    "store",
    "table",
    "waiting",
    "winner_layout",
]


UNCHECKED = {"no_rw_check": 1}
"""Attribute of a memory of which no entry is ever used that is read in the cycle in which it is written.

It keeps Yosys from building logic around the block RAM that would tell what is read then.
"""


def each_lane(name: str, lanes: int) -> list[str]:
    """Names of a field that a beat has once per lane: `score`, `score_1`, `score_2`, …"""
    return [name, *(f"{name}_{lane}" for lane in range(1, lanes))]


def keep_names(lanes: int) -> list[str]:
    """Names of the bits that tell which lanes hold an element: `keep_1`, `keep_2`, …; lane 0 always does."""
    return each_lane("keep", lanes)[1:]


def _beat(name: str, shape: ShapeLike, lanes: int) -> dict[str, ShapeLike]:
    return {**dict.fromkeys(each_lane(name, lanes), shape), **dict.fromkeys(keep_names(lanes), 1)}


def score_layout(config: Config) -> data.StructLayout:
    """One input beat: a score code per lane, and whether the beat is the vector's last.

    A vector's last beat holds scores in the lanes up to the first whose `keep` is 0; its other beats hold one in every
    lane, whatever `keep` says.
    """
    shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
    return data.StructLayout({**_beat("score", shape, config.lanes), "last": 1, **_beside(config)})


def framed_layout(config: Config) -> data.StructLayout:
    """One beat after framing: position = code − smallest code per lane, the beat's index in the vector, its edges, its flag.

    Where a lane's `keep` is 0, its position is 0, its `mask` is 1, if there are masks, and no lane above has `keep` 1.
    """
    return data.StructLayout(
        {
            **_beat("position", config.score_width, config.lanes),
            "index": config.beat_width,
            "first": 1,
            "last": 1,
            "overlong": 1,
            **_beside(config),
        }
    )


def _beside(config: Config) -> dict[str, ShapeLike]:
    return {
        name: unsigned(field.width)
        for field in sidebands(config)
        for name in each_lane(field.name, field.copies(config))
    }


def output_layout(config: Config, output: Output) -> data.StructLayout:
    """One output beat: its fields, those of an element once per lane, `last` where a vector has several beats, its flags.

    `keep` is that of the beat of scores; a lane without an element carries anything.
    """
    lanes = output.lanes(config)
    shapes = {field.name: signed(field.width) if field.signed else unsigned(field.width) for field in output.fields}
    fields = {name: shape for field, shape in shapes.items() for name in each_lane(field, lanes)}
    keeps = dict.fromkeys(keep_names(lanes), 1)
    last = {} if output.per == "vector" else {"last": 1}
    return data.StructLayout({**fields, **keeps, **last, **dict.fromkeys(output.user, 1)})


def winner_layout(config: Config) -> data.StructLayout:
    """One beat per vector: first index of the largest score, that score's code, and the vector's flag."""
    return output_layout(config, winner_output(config, "m_axis", "o"))


def probability_layout(config: Config) -> data.StructLayout:
    """One beat of softmax or sigmoid mode: a probability code per lane, whether it is the vector's last, and the flag."""
    return output_layout(config, outputs(config)[0])


def guarded_layout(config: Config, inner: Config) -> data.StructLayout:
    """One beat between the post stages of `config`: probability codes of its `inner` configuration, flags of its own."""
    (codes, *_), (made, *_) = outputs(inner), outputs(config)
    return output_layout(config, replace(made, fields=codes.fields))


def pulse(shape: ShapeLike) -> stream.Signature:
    """A stream without back-pressure: a payload is taken whenever it is valid."""
    return stream.Signature(shape, always_ready=True)


def delay(m: Module, value: Value, cycles: int, name: str, *, reset: bool = False) -> Value:
    """`value` some cycles later, through that many registers; `reset` for control, none for data."""
    for step in range(cycles):
        register = Signal.like(value, name=f"{name}_{step + 1}", reset_less=not reset)
        m.d.sync += register.eq(value)
        value = register
    return value


def table(
    m: Module, name: str, width: int, entries: Sequence[int], address: Value, cycles: int, *, block: bool = False
) -> Value:
    """A table in memory: the entry `cycles` cycles after its address.

    The first of the registers behind the memory is the memory's own on fabrics that have one. With `block` the table goes
    to a block RAM even if synthesis would make it of logic for its few entries.
    """
    attributes = {"rom_style": "block"} if block else {}
    store = memory.Memory(shape=unsigned(width), depth=len(entries), init=list(entries), attrs=attributes)
    m.submodules[name] = store
    port = store.read_port()
    m.d.comb += port.addr.eq(address)
    return delay(m, port.data, cycles - 1, f"{name}_entry")


def store(m: Module, name: str, payload: Value, valid: Value, written: Value, depth: int) -> tuple[Any, list[Any]]:
    """(read port, statements) of a memory of `depth` entries; the statements write the payload to `written` where it is valid.

    No entry that is read in the cycle in which it is written may be used.
    """
    m.submodules[name] = made = memory.Memory(shape=unsigned(len(payload)), depth=depth, init=[], attrs=UNCHECKED)
    write, read = made.write_port(), made.read_port()
    return read, [write.addr.eq(written), write.data.eq(payload), write.en.eq(valid)]


class Queue(wiring.Component):
    """First in, first out, behind a rigid pipe: `depth` entries, room assured by credits elsewhere.

    Ports: `i`, pulse, and `o`, stream of `shape`. Latency 2 cycles, one payload per cycle. Cuts the ready path.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._shape = shape
        # One entry is at the output, so the memory never holds `depth` of them.
        self._depth = 1 << max(1, ceil_log2(max(1, depth - 1)))
        super().__init__({"i": In(pulse(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        written, taken = Signal(range(self._depth)), Signal(range(self._depth))
        read, writing = store(m, "store", Value.cast(self.i.payload), self.i.valid, written, self._depth)
        # Whether the memory holds anything.
        some, advance, leaving = Signal(), Signal(), Signal()
        m.d.comb += [
            *writing,
            advance.eq(self.o.ready | ~self.o.valid),
            leaving.eq(advance & some),
            read.addr.eq(taken),
            read.en.eq(advance),
            Value.cast(self.o.payload).eq(read.data),
        ]
        m.d.sync += some.eq(self.i.valid | (some & ~(leaving & (following_of_all(taken) == written))))
        with m.If(self.i.valid):
            m.d.sync += written.eq(following_of_all(written))
        with m.If(leaving):
            m.d.sync += taken.eq(following_of_all(taken))
        with m.If(advance):
            m.d.sync += self.o.valid.eq(some)
        return m


class Credit(wiring.Component):
    """Room counter of a queue behind a rigid pipe: `limit` credits, one less per `take`, one more per `give`.

    `available` is a register's sign bit: more than `margin` credits are left after the takes and gives of two cycles ago
    and before. So where a take may follow a take in the next cycle, margin has to be 1.
    """

    take: In(1)
    give: In(1)
    available: Out(1)

    def __init__(self, limit: int, margin: int = 0) -> None:
        if limit <= margin:
            raise ValueError(f"credit limit {limit} must exceed the margin {margin}")
        self._limit, self._margin = limit, margin
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Credits beyond margin + 1; negative where there are fewer.
        spare = Signal(range(-self._margin - 1, self._limit - self._margin), init=self._limit - self._margin - 1)
        # Takes and gives are decided late in their cycle: they are counted in the next.
        change, less = Signal(), Signal(reset_less=True)
        m.d.sync += [change.eq(self.take ^ self.give), less.eq(self.take)]
        with m.If(change):
            m.d.sync += spare.eq(spare + Mux(less, C(-1, 2), C(1, 2)))
        m.d.comb += self.available.eq(~spare[-1])
        return m


class Spacing(wiring.Component):
    """Tells when something may come again: `free` unless `taken` was set in one of the last `interval` − 1 cycles.

    Nor where `allowed` was 0 in the cycle before. `ready` tells a cycle ahead whether it will be. The interval is 4 at least; or
    1, and what is allowed may come at once.
    """

    taken: In(1)
    allowed: In(1, init=1)
    free: Out(1)
    ready: Out(1)

    def __init__(self, interval: int) -> None:
        if interval < 4 and interval != 1:
            raise ValueError(f"interval {interval} must be at least 4, or 1")
        self._interval = interval
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._interval == 1:
            m.d.comb += [self.free.eq(self.allowed), self.ready.eq(self.allowed)]
            return m
        # The load comes a cycle late, off the path that decides `taken`. What counts has no carry, and nothing stops it.
        steps = self._interval - 4
        count = Signal((steps + 1).bit_length(), init=1)
        busy, loading = Signal(), Signal()
        m.d.sync += [
            loading.eq(self.taken),
            busy.eq(loading | (busy & (count != shifted(len(count), steps)))),
            count.eq(Mux(loading, 1, following(count))),
            self.free.eq(self.ready),
        ]
        m.d.comb += self.ready.eq(~self.taken & ~loading & ~busy & self.allowed)
        return m


class Skid(wiring.Component):
    """A register, and a second one for what is under way when the first is not taken.

    Ports: `i`, `o`, streams of `shape`. Latency 1 cycle, one payload per cycle. Cuts the ready path: `i.ready` comes from a
    register and from nothing else.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Low at reset, and so is nothing but a flip-flop on parts whose flip-flops begin with 0.
        ready = Signal()
        kept = Signal(len(Value.cast(self.i.payload)), reset_less=True)
        offered = Signal.like(kept)
        m.d.comb += [self.i.ready.eq(ready), Value.cast(self.o.payload).eq(offered)]
        m.d.sync += ready.eq(self.o.ready | ~self.o.valid | (ready & ~self.i.valid))
        with m.If(ready):
            m.d.sync += kept.eq(Value.cast(self.i.payload))
        m.d.sync += self.o.valid.eq((self.i.valid & ready) | (self.o.valid & ~(self.o.ready & ready)))
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += offered.eq(Mux(ready, Value.cast(self.i.payload), kept))
        return m


class Stopped(wiring.Component):
    """Rigid stages, one behind the other, that stop all at once: their enable is the ready of a skid behind the last.

    A stage whose `i` has a ready stops those before it as well; it comes from a register. One may have another output,
    `o_best`, which then has a skid of its own, and both have to be ready.

    Ports: `i`, `o`, streams of what the first stage takes and the last one makes, and `o_best` where there is one; `moves`, set
    where the stages behind the last one with a ready do not stop. Latency that of all stages and 1 cycle, one payload per
    cycle. Cuts the ready path.
    """

    def __init__(self, stages: Mapping[str, Any]) -> None:
        self._stages = stages
        first, *_ = found = list(stages.values())
        self._made = {"o": found[-1].o}
        for stage in found:
            if "o_best" in stage.signature.members:
                self._made["o_best"] = stage.o_best
        outs = {port: Out(stream.Signature(made.payload.shape())) for port, made in self._made.items()}
        super().__init__({"i": In(stream.Signature(first.i.payload.shape())), "moves": Out(1), **outs})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        skids = {port: Skid(made.payload.shape()) for port, made in self._made.items()}
        for port, skid in skids.items():
            m.submodules["skid" if port == "o" else f"skid_{port}"] = skid
            made, others = self._made[port], [other.i.ready for name, other in skids.items() if name != port]
            m.d.comb += [
                skid.i.valid.eq(reduce(and_, others, made.valid)),
                Value.cast(skid.i.payload).eq(Value.cast(made.payload)),
            ]
            wiring.connect(m, skid.o, wiring.flipped(getattr(self, port)))
        enable: Value = reduce(and_, (skid.i.ready for skid in skids.values()))
        m.d.comb += self.moves.eq(enable)
        sources = [self.i, *(stage.o for stage in [*self._stages.values()][:-1])]
        for (name, stage), made in reversed([*zip(self._stages.items(), sources, strict=True)]):
            m.submodules[name] = EnableInserter(enable)(stage)
            m.d.comb += [stage.i.valid.eq(made.valid), Value.cast(stage.i.payload).eq(Value.cast(made.payload))]
            if not stage.i.signature.always_ready:
                enable &= stage.i.ready
        m.d.comb += self.i.ready.eq(enable)
        return m


class Fork(wiring.Component):
    """One stream to several: each takes every payload once, when it likes, and the next one comes when all have.

    Ports: `i`, `o_0`, `o_1` and so on, streams of `shape`. Latency 0 cycles, one payload per cycle. Passes the ready paths.
    """

    def __init__(self, shape: ShapeLike, count: int) -> None:
        self._count = count
        copies = {f"o_{number}": Out(stream.Signature(shape)) for number in range(count)}
        super().__init__({"i": In(stream.Signature(shape)), **copies})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        copies = [getattr(self, f"o_{number}") for number in range(self._count)]
        have = [Signal(name=f"has_{number}") for number in range(self._count)]
        taken = Cat(has | copy.ready for has, copy in zip(have, copies, strict=True))
        m.d.comb += self.i.ready.eq(taken.all())
        for number, (has, copy) in enumerate(zip(have, copies, strict=True)):
            m.d.comb += [
                copy.valid.eq(self.i.valid & ~has),
                Value.cast(copy.payload).eq(Value.cast(self.i.payload)),
            ]
            m.d.sync += has.eq(self.i.valid & taken[number] & ~self.i.ready)
        return m


class Hold(wiring.Component):
    """One register that holds a payload until it is taken, so that what comes before need not wait.

    Ports: `i`, `o`, streams of `shape`. Latency 1 cycle, one payload per cycle. Passes the ready path.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), Value.cast(self.o.payload).eq(Value.cast(self.i.payload))]
        return m


def held(m: Module, name: str, source: Any, shape: ShapeLike, rigid: bool) -> Any:
    """The stream `source` behind a `Hold` of that name; where the source is `rigid`, credits assure that it need not wait."""
    m.submodules[name] = hold = Hold(shape)
    m.d.comb += [hold.i.valid.eq(source.valid), Value.cast(hold.i.payload).eq(Value.cast(source.payload))]
    if not rigid:
        m.d.comb += source.ready.eq(hold.i.ready)
    return hold.o


def waiting(m: Module, sources: Sequence[tuple[str, Any, ShapeLike, bool]], registers: int, room: int) -> list[Any]:
    """Streams, given as (name, stream, payload, whether it is rigid), behind that many registers each, or a queue where there has
    to be room for more. Credits assure that none need wait.
    """
    found = [source for _, source, _, _ in sources]
    if room == registers:
        for place in range(registers):
            for k, (name, _, shape, rigid) in enumerate(sources):
                found[k] = held(m, f"{name}_{place}", found[k], shape, rigid and place == 0)
        return found
    for k, (name, source, shape, rigid) in enumerate(sources):
        m.submodules[name] = queue = Queue(shape, room)
        m.d.comb += [queue.i.valid.eq(source.valid), Value.cast(queue.i.payload).eq(Value.cast(source.payload))]
        if not rigid:
            m.d.comb += source.ready.eq(1)
        found[k] = queue.o
    return found
