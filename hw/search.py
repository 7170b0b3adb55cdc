"""The second pass of a draw: the first stored element with which the running sum exceeds the vector's threshold."""

from typing import Any

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .accumulate import Accumulate
from .cdf_law import CdfLaw, exact_sum
from .config import Config
from .first_pass import terms_of
from .inverse_cdf_schedule import CdfSchedule
from .streams import delay, pulse

__all__ = ["Search", "found_layout"]


def found_layout(config: Config) -> data.StructLayout:
    """The element that is drawn, and its vector's flag."""
    return data.StructLayout({"index": config.index_width, "position": config.score_width, "overlong": 1})


class Search(wiring.Component):
    """index = min{i : t_1 + … + t_i > threshold}, t the terms of the first pass.

    Ports: `i`, position of a stored element and whether it is its vector's first; `next` asks for the vector's `threshold` and
    `overlong`, which have to be there `memory` cycles later and stay until those of the next; `o`, the element drawn, one per
    vector; no back-pressure. Latency `CdfSchedule.search` cycles, one element per cycle.
    """

    def __init__(self, config: Config, law: CdfLaw, cycles: CdfSchedule) -> None:
        self._config, self._law, self._cycles = config, law, cycles
        super().__init__(
            {
                "i": In(pulse(data.StructLayout({"position": config.score_width, "first": 1}))),
                "next": Out(1),
                "threshold": In(law.widths.accumulator_width),
                "overlong": In(1),
                "o": Out(pulse(found_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sums, element, latency = self._cycles.sums, self.i.payload, self._cycles.search
        terms = terms_of(
            m, exact_sum(self._config), "", self.i.valid, element.position, element.first, Const(0), gated=False
        )
        m.submodules.accumulate = accumulate = Accumulate(self._law.widths, sums.segments, limited=True)
        wiring.connect(m, terms, accumulate.i)
        ahead = sums.lookup + sums.align - sums.memory
        m.d.comb += [
            self.next.eq(delay(m, self.i.valid & element.first, ahead, "first", reset=True)),
            accumulate.limit.eq(self.threshold),
        ]

        present = delay(m, self.i.valid, latency, "present", reset=True)
        first = delay(m, element.first, latency, "first_later")
        index = Signal(self._config.index_width, reset_less=True)  # of the next element
        with m.If(present):
            m.d.sync += index.eq(Mux(first, 1, index + 1))
        m.d.comb += [
            self.o.valid.eq(accumulate.over),
            self.o.payload.index.eq(Mux(first, 0, index)),
            self.o.payload.position.eq(delay(m, element.position, latency, "position")),
            self.o.payload.overlong.eq(delay(m, self.overlong, len(sums.segments), "overlong")),
        ]
        return m
