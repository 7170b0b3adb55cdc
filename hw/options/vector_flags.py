"""The flag FIFO: flags of a vector wait while the vector goes through the head."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.plan.ports import Output
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish

__all__ = ["VECTORS", "VectorFlags"]

VECTORS = 64
"""Vectors that may be in flight: more than any head holds where a vector of a single beat comes every other cycle."""


class VectorFlags(wiring.Component):
    """Adds the flags of a vector, from a queue of `VECTORS` entries, to the beats of one output of a head.

    Ports: `tag`, the flags of a vector that enters the head, pulse; `room`, whether one more vector may enter, even in the
    cycle after another; `i`, beats of the output; `o`, the same with those flags in each beat, or in the last one, as `output`
    has them. Latency 0, one beat per cycle; a beat waits for its flags. Passes the ready path.

    Members: `output`; `queue`, that of the flags.
    """

    def __init__(
        self, output: Output, tag: data.StructLayout, unflagged: data.StructLayout, flagged: data.StructLayout
    ) -> None:
        self.output, self.queue = output, Queue(tag, VECTORS)
        super().__init__(
            {
                "tag": In(pulse(tag)),
                "room": Out(1),
                "i": In(stream.Signature(unflagged)),
                "o": Out(stream.Signature(flagged)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tag, beat, result = self.tag.payload, self.i.payload, self.o.payload
        m.submodules.queue = queue = self.queue
        m.submodules.credit = credit = Credit(VECTORS, 1)
        last = Value.cast(1 if self.output.per == "vector" else beat.last)
        flagged = last if self.output.flags_at_last else Value.cast(1)
        ready = queue.o.valid | ~flagged
        m.d.comb += [
            queue.i.valid.eq(self.tag.valid),
            Value.cast(queue.i.payload).eq(Value.cast(tag)),
            credit.take.eq(self.tag.valid),
            credit.give.eq(queue.o.valid & queue.o.ready),
            self.room.eq(credit.available),
            self.o.valid.eq(self.i.valid & ready),
            self.i.ready.eq(self.o.ready & ready),
            queue.o.ready.eq(self.i.valid & self.o.ready & last),
        ]
        tags = tag.shape().members
        m.d.comb += [
            result[name].eq(queue.o.payload[name] & flagged if name in tags else beat[name])
            for name in result.shape().members
        ]
        publish(platform, self)
        return m
