"""The interface of a normaliser: the streams that it joins.

A normaliser is a module with three members. `factor_width(widths)` is the number of bits that a vector hands to each of its
elements. `Factor` is the component that computes them from the divisor, once per vector. `Emission` is the component that
turns stored elements into probabilities. The golden model has a module of the same stem for each normaliser.
"""

from typing import Any

from amaranth import Module, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.normalisers.division import quotient_layout
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.stages.leading_one import divisor_layout
from softstream.hw.stages.replay import stored_layout
from softstream.hw.streams.layouts import probability_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import PairedTables, delay, table

__all__ = [
    "EmissionInterface",
    "FactorInterface",
    "PassFactor",
    "QuotientInterface",
    "element_layout",
    "factor_layout",
]


def factor_layout(widths: Numerics, factor_width: int, tag: ShapeLike) -> data.StructLayout:
    """A vector's payload for its elements: n, the normaliser's factor, and the vector's tag."""
    return data.StructLayout({"exponent": widths.sum_exponent_width, "factor": factor_width, "tag": tag})


def element_layout(widths: Numerics, factor_width: int, tag: ShapeLike) -> data.StructLayout:
    """One element before the quotient: M in UQ1.B, its vector's factor, and a tag."""
    return data.StructLayout({"significand": widths.significand_width, "factor": factor_width, "tag": tag})


class FactorInterface(wiring.Component):
    """Once per vector: `i`, n, m and a tag; `o`, n, the factor and the tag; no back-pressure.

    A `pipelined` factor takes a vector in every cycle. Any other needs the schedule's `vector_interval` between vectors, and
    the payload of `i` must stay that long; the user observes both.
    """

    def __init__(
        self, widths: Numerics, factor_width: int, tag: ShapeLike, memory: int, *, pipelined: bool = False
    ) -> None:
        self._widths = widths
        self._tag = tag
        self._memory = memory
        self._pipelined = pipelined
        super().__init__(
            {
                "i": In(pulse(divisor_layout(widths, tag))),
                "o": Out(pulse(factor_layout(widths, factor_width, tag))),
            }
        )

    def _later(self, m: Module, value: Value, cycles: int, name: str) -> Value:
        """A part of the input for use some cycles later: in registers, or as it is where the input stays."""
        return delay(m, value, cycles, name) if self._pipelined else value


class PassFactor(FactorInterface):
    """factor = m, or no bits where the factor has none. Latency 0, one vector per cycle."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.payload.exponent.eq(self.i.payload.exponent),
            self.o.payload.factor.eq(self.i.payload.divisor),
            Value.cast(self.o.payload.tag).eq(Value.cast(self.i.payload.tag)),
        ]
        return m


class EmissionInterface(wiring.Component):
    """Once per element: `i`, position and last of a stored element; `o`, its probability; no back-pressure.

    `next` requests the vector's factor, which is on `factor` from the schedule's `memory` cycles later on, with the vector's
    flag as tag. Elements need the schedule's `quotient_interval` between them, which the user observes. `tables`: those that
    two lanes may share; a normaliser whose tables take both ports of a block RAM makes its own.
    """

    def __init__(self, config: Config, widths: Numerics, factor_width: int, tables: PairedTables | None = None) -> None:
        self._config, self._widths = config, widths
        self._table = tables.table if tables else table
        super().__init__(
            {
                "i": In(pulse(stored_layout(widths))),
                "next": Out(1),
                "factor": In(factor_layout(widths, factor_width, 1)),
                "o": Out(pulse(probability_layout(config))),
            }
        )

    def _first(self, m: Module, platform: Any) -> Value:
        """Whether the element at `i` is its vector's first."""
        starts = Signal(init=1)
        with m.If(self.i.valid):
            m.d.sync += starts.eq(self.i.payload.last)
        publish(platform, self, starts=starts)
        return self.i.valid & starts


class QuotientInterface(wiring.Component):
    """Once per element: `i`, M, the factor and a tag; `o`, a quotient in UQ1.(P+1) and the tag; no back-pressure.

    A serial quotient needs the schedule's `quotient_interval` between elements, which the user observes.
    """

    def __init__(self, widths: Numerics, factor_width: int, tag: ShapeLike, *, serial: bool) -> None:
        self._widths = widths
        self._tag = tag
        self._serial = serial
        super().__init__(
            {
                "i": In(pulse(element_layout(widths, factor_width, tag))),
                "o": Out(pulse(quotient_layout(widths.quotient_width, tag))),
            }
        )
