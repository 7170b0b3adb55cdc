"""Replay of the raw scores: each element again, once its vector's sum is known."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .normaliser import factor_layout
from .numerics import Numerics
from .round import emission_layout
from .streams import Hold, Queue, delay, pulse

__all__ = ["Replay", "stored_layout"]


def stored_layout(widths: Numerics) -> data.StructLayout:
    """One stored element: the position (the raw score), and whether it is its vector's last."""
    return data.StructLayout({"position": widths.tables.score_width, "last": 1})


class Replay(wiring.Component):
    """Joins each stored element with its vector's n and factor, in order.

    Raw scores are stored, not exponentials: the narrowest thing that says everything. The memory of max_length + c
    elements, c the latency of the sum's path, is the least that keeps one element per cycle going in and out at once.

    Ports: `i_element`, elements as they come in, and `i_vector`, one n and factor per vector, both without back-pressure
    (credits elsewhere assure the room); `o`, elements with their vector's n and factor, no back-pressure; `room`, whether
    the output queue behind the emission pipe can take one more element; `element_done` and `vector_done`, credits
    returned. Elements leave at least `interval` cycles apart. Latency 4 cycles from `i_vector` to the first element, of
    which the queue is 2; one element per `interval` cycles.
    """

    def __init__(self, widths: Numerics, factor_width: int, *, elements: int, vectors: int, interval: int) -> None:
        self._widths, self._factor_width = widths, factor_width
        self._elements, self._vectors, self._interval = elements, vectors, interval
        emission = emission_layout(widths, factor_width)
        super().__init__(
            {
                "i_element": In(pulse(stored_layout(widths))),
                "i_vector": In(stream.Signature(factor_layout(widths, factor_width))),
                "o": Out(pulse(data.StructLayout({"position": widths.tables.score_width, "tag": emission}))),
                "room": In(1),
                "element_done": Out(1),
                "vector_done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.elements = elements = Queue(stored_layout(self._widths), self._elements)
        m.submodules.vectors = vectors = Queue(factor_layout(self._widths, self._factor_width), self._vectors)
        m.d.comb += [
            elements.i.valid.eq(self.i_element.valid),
            Value.cast(elements.i.payload).eq(Value.cast(self.i_element.payload)),
        ]
        wiring.connect(m, wiring.flipped(self.i_vector), vectors.i)
        # Both wait in a register: what a block RAM puts out comes too late in its cycle to decide anything in it.
        m.submodules.element = next_element = Hold(stored_layout(self._widths))
        m.submodules.vector = next_vector = Hold(factor_layout(self._widths, self._factor_width))
        wiring.connect(m, elements.o, next_element.i)
        wiring.connect(m, vectors.o, next_vector.i)
        element, vector = next_element.o.payload, next_vector.o.payload
        spaced: Value = Signal(init=1)
        if self._interval > 1:
            wait = Signal(range(self._interval))
            m.d.comb += spaced.eq(wait == 0)
        take = Signal()
        m.d.comb += [
            take.eq(next_element.o.valid & next_vector.o.valid & self.room & spaced),
            next_element.o.ready.eq(take),
            next_vector.o.ready.eq(take & element.last),
            self.element_done.eq(take),
            self.vector_done.eq(take & element.last),
        ]
        if self._interval > 1:
            with m.If(take):
                m.d.sync += wait.eq(self._interval - 1)
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
        m.d.comb += self.o.valid.eq(delay(m, take, 1, "taken", reset=True))
        m.d.sync += [
            self.o.payload.position.eq(element.position),
            self.o.payload.tag.exponent.eq(vector.exponent),
            self.o.payload.tag.factor.eq(vector.factor),
            self.o.payload.tag.last.eq(element.last),
            self.o.payload.tag.overlong.eq(vector.overlong),
        ]
        return m
