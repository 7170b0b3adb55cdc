"""What belongs to a vector and does not go through the head: it waits beside it until the vector comes out."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.plan.ports import Output
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.layouts import pulse

__all__ = ["VECTORS", "Beside"]

VECTORS = 64
"""Vectors that may be on their way through a head: more than there are where one of a single beat comes every other cycle."""


class Beside(wiring.Component):
    """Gives what comes out of one output of a head the flags of its vector, which waited in a queue of `VECTORS` entries.

    Ports: `tag`, the flags of a vector that goes into the head, pulse; `room`, whether one more may come, even in the cycle
    after another; `i`, beats of the output; `o`, the same with those flags in each beat, or in the last one, as `output`
    has them. No latency; a beat waits for its flags. Passes the ready path.
    """

    def __init__(
        self, output: Output, tag: data.StructLayout, given: data.StructLayout, made: data.StructLayout
    ) -> None:
        self._output = output
        super().__init__(
            {
                "tag": In(pulse(tag)),
                "room": Out(1),
                "i": In(stream.Signature(given)),
                "o": Out(stream.Signature(made)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tag, given, made = self.tag.payload, self.i.payload, self.o.payload
        m.submodules.queue = queue = Queue(tag.shape(), VECTORS)
        m.submodules.credit = credit = Credit(VECTORS, 1)
        last = Value.cast(1 if self._output.per == "vector" else given.last)
        flagged = last if self._output.flags_at_last else Value.cast(1)
        there = queue.o.valid | ~flagged
        m.d.comb += [
            queue.i.valid.eq(self.tag.valid),
            Value.cast(queue.i.payload).eq(Value.cast(tag)),
            credit.take.eq(self.tag.valid),
            credit.give.eq(queue.o.valid & queue.o.ready),
            self.room.eq(credit.available),
            self.o.valid.eq(self.i.valid & there),
            self.i.ready.eq(self.o.ready & there),
            queue.o.ready.eq(self.i.valid & self.o.ready & last),
        ]
        tags = tag.shape().members
        m.d.comb += [
            made[name].eq(queue.o.payload[name] & flagged if name in tags else given[name])
            for name in made.shape().members
        ]
        return m
