"""Payloads of the streams, queues, credits and delays: the plumbing between stages.

Every stream follows Amaranth's stream law: valid and payload hold until ready, valid never waits for ready. Between the
elastic edges the pipe is rigid: a stage whose streams are `pulse` streams takes a payload in every cycle in which it is
valid, and room downstream is assured by credits before a payload enters.
"""

from typing import Any

from amaranth import Module, ShapeLike, Signal, Value, signed, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .formats import ceil_log2

__all__ = [
    "Credit",
    "Hold",
    "Queue",
    "delay",
    "framed_layout",
    "probability_layout",
    "pulse",
    "score_layout",
    "winner_layout",
]


def score_layout(config: Config) -> data.StructLayout:
    """One input beat: a score code, and whether it is the vector's last."""
    shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
    return data.StructLayout({"score": shape, "last": 1})


def framed_layout(config: Config) -> data.StructLayout:
    """One beat after framing: position = code − smallest code, index in the vector, its edges, and its flag."""
    return data.StructLayout(
        {"position": config.score_width, "index": config.index_width, "first": 1, "last": 1, "overlong": 1}
    )


def winner_layout(config: Config) -> data.StructLayout:
    """One beat per vector: first index of the largest score, that score's code, and the vector's flag."""
    shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
    return data.StructLayout({"index": config.index_width, "score": shape, "overlong": 1})


def probability_layout(config: Config) -> data.StructLayout:
    """One output beat: a probability code, whether it is the vector's last, and the vector's flag."""
    return data.StructLayout({"probability": config.output_width, "last": 1, "overlong": 1})


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


class Queue(wiring.Component):
    """First in, first out, at least `depth` entries in a block RAM and an output register.

    Ports: `i`, `o`, streams of `shape`. Latency 2 cycles, one payload per cycle. Cuts the ready path.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._shape = shape
        # The output register holds one entry; a power of two for the rest keeps the address counters plain.
        self._depth = (1 << ceil_log2(max(2, depth - 1))) + 1 if depth <= 1 << 10 else depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload = Value.cast(self.i.payload)
        m.submodules.fifo = queue = fifo.SyncFIFOBuffered(width=len(payload), depth=self._depth)
        m.d.comb += [
            queue.w_data.eq(payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            Value.cast(self.o.payload).eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m


class Credit(wiring.Component):
    """Room counter of a queue behind a rigid pipe: `limit` credits, one less per `take`, one more per `give`.

    `available` comes from a register and tells, for this very cycle, whether more than `margin` credits are left after
    all takes and gives of earlier cycles. A take that is reported c cycles after it was decided needs margin = c.
    """

    take: In(1)
    give: In(1)
    available: Out(1, init=1)

    def __init__(self, limit: int, margin: int = 0) -> None:
        if limit <= margin:
            raise ValueError(f"credit limit {limit} must exceed the margin {margin}")
        self._limit, self._margin = limit, margin
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        free = Signal(range(self._limit + 1), init=self._limit)
        following = Signal.like(free)
        m.d.comb += following.eq(free - self.take + self.give)
        m.d.sync += [free.eq(following), self.available.eq(following > self._margin)]
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
