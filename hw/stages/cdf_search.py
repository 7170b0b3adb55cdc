"""The second pass of a draw: a search for the first element whose running sum exceeds the vector's threshold."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.numbers.inverse_cdf import CdfLaw, exact_sum
from softstream.hw.plan.modes.inverse_cdf import CdfSchedule
from softstream.hw.plan.ports import outputs
from softstream.hw.stages.accumulate import Accumulate
from softstream.hw.stages.exponential_sum import lane_terms
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay

__all__ = ["CdfSearch", "flags_layout", "draw_layout", "replayed_layout"]


def flags_layout(config: Config) -> data.StructLayout:
    """The flags of a vector."""
    return data.StructLayout({flag.name: 1 for flag in outputs(config)[0].flags})


def draw_layout(config: Config) -> data.StructLayout:
    """The drawn element, and its vector's flags."""
    fields = {"index": config.index_width, "position": config.score_width}
    return data.StructLayout({**fields, **flags_layout(config).members})


def replayed_layout(config: Config) -> data.StructLayout:
    """One stored element: its position, whether it is its vector's first or last, and any mask."""
    masks = {"mask": 1} if config.mask else {}
    return data.StructLayout({"position": config.score_width, "first": 1, "last": 1, **masks})


class CdfSearch(wiring.Component):
    """index = min{i : t_1 + … + t_i > threshold}, t the terms of the first pass; 0 for a fully masked vector.

    Ports: `i`, stored elements; `next`, a request for the vector's `threshold` and `flags`, which must arrive `memory` cycles
    later and stay until those of the next vector; `o`, the drawn element, one per vector; no back-pressure. Latency
    `CdfSchedule.search` cycles, one element per cycle.
    """

    def __init__(self, config: Config, law: CdfLaw, cycles: CdfSchedule) -> None:
        self._config, self._law, self._cycles = config, law, cycles
        super().__init__(
            {
                "i": In(pulse(replayed_layout(config))),
                "next": Out(1),
                "threshold": In(law.widths.accumulator_width),
                "flags": In(flags_layout(config)),
                "o": Out(pulse(draw_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sums, element, latency = self._cycles.sums, self.i.payload, self._cycles.search
        terms = lane_terms(m, exact_sum(self._config), 0, element, self.i.valid)
        m.submodules.accumulate = accumulate = Accumulate(self._law.widths, sums.segments, limited=True)
        wiring.connect(m, terms, accumulate.i)
        lead = sums.lookup + sums.align - sums.memory
        m.d.comb += [
            self.next.eq(delay(m, self.i.valid & element.first, lead, "first", reset=True)),
            accumulate.limit.eq(self.threshold),
        ]

        present = delay(m, self.i.valid, latency, "present", reset=True)
        first = delay(m, element.first, latency, "first_later")
        index = Signal(self._config.index_width, reset_less=True)  # of the next element
        with m.If(present):
            m.d.sync += index.eq(Mux(first, 1, index + 1))
        flags = data.View(self.flags.shape(), delay(m, Value.cast(self.flags), len(sums.segments), "flags"))
        m.d.comb += [
            self.o.valid.eq(accumulate.over),
            # In a fully masked vector the last element makes the sum, but the draw is the first element.
            self.o.payload.index.eq(Mux(first | flags.all_masked if self._config.mask else first, 0, index)),
            self.o.payload.position.eq(delay(m, element.position, latency, "position")),
            *(self.o.payload[name].eq(flags[name]) for name in flags.shape().members),
        ]
        return m
