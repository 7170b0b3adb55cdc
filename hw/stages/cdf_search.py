"""The second pass of a draw: a search for the first element whose running sum exceeds the vector's threshold."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.numbers.inverse_cdf import CdfLaw, exact_sum
from softstream.hw.plan.modes.inverse_cdf import CdfSchedule
from softstream.hw.plan.ports import outputs
from softstream.hw.stages.accumulate import Accumulate
from softstream.hw.stages.exponential_sum import lane_terms
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["CdfSearch", "flags_layout", "draw_layout", "replayed_layout"]


def flags_layout(config: Config) -> data.StructLayout:
    """The flags of a vector."""
    return data.StructLayout({flag.name: 1 for flag in outputs(config)[0].flags})


def draw_layout(config: Config) -> data.StructLayout:
    """The drawn element, and its vector's flags."""
    fields = {"index": config.index_width, "position": config.score_width}
    return data.StructLayout({**fields, **flags_layout(config).members})


def replayed_layout(config: Config, among: Config) -> data.StructLayout:
    """One stored element: its position, whether it is its vector's first or last, and any mask; of a list also its index."""
    masks = {"mask": 1} if among.mask else {}
    indices = {"index": config.index_width} if config.ranked_draw else {}
    return data.StructLayout({"position": config.score_width, "first": 1, "last": 1, **masks, **indices})


class CdfSearch(wiring.Component):
    """index = min{i : t_1 + … + t_i > threshold}, t the terms of the first pass; 0 for a fully masked vector.

    Where the elements are those of an ordered list (`Config.ranked_draw`), each comes with its index, the least rank takes the
    place of i, and the draw leaves with the last element of the list, so that its cycle does not depend on the draw. `among` is
    the configuration of the terms.

    Ports: `i`, stored elements; `next`, a request for the vector's `threshold` and `flags`, which must arrive `memory` cycles
    later and stay until those of the next vector; `o`, the drawn element, one per vector; no back-pressure. Latency
    `CdfSchedule.search` cycles, one element per cycle.
    """

    def __init__(self, config: Config, among: Config, law: CdfLaw, cycles: CdfSchedule) -> None:
        self.config, self._among, self._law, self.cycles = config, among, law, cycles
        super().__init__(
            {
                "i": In(pulse(replayed_layout(config, among))),
                "next": Out(1),
                "threshold": In(law.widths.accumulator_width),
                "flags": In(flags_layout(config)),
                "o": Out(pulse(draw_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sums, element = self.cycles.sums, self.i.payload
        terms = lane_terms(m, exact_sum(self._among), 0, element, self.i.valid)
        m.submodules.accumulate = accumulate = Accumulate(self._law.widths, sums.segments, limited=True)
        wiring.connect(m, terms, accumulate.i)
        lead = sums.lookup + sums.align - sums.memory
        m.d.comb += [
            self.next.eq(delay(m, self.i.valid & element.first, lead, "first", reset=True)),
            accumulate.limit.eq(self.threshold),
        ]

        over, of_list = accumulate.over, self.config.ranked_draw
        draw = self._of_list(m, over) if of_list else self._of_vector(m, platform, over)
        m.d.comb += [self.o.payload[name].eq(value) for name, value in draw.items()]
        return m

    def _flags(self, m: Module) -> dict[str, Value]:
        """The flags of the vector, along with the elements whose sum is complete."""
        delayed = delay(m, Value.cast(self.flags), len(self.cycles.sums.segments), "flags")
        flags = data.View(self.flags.shape(), delayed)
        return {name: flags[name] for name in flags.shape().members}

    def _of_vector(self, m: Module, platform: Any, over: Value) -> dict[str, Value]:
        """The draw from all elements of a vector, as soon as its element is known."""
        element, latency = self.i.payload, self.cycles.search
        present = delay(m, self.i.valid, latency, "present", reset=True)
        first = delay(m, element.first, latency, "first_later")
        index = Signal(self.config.index_width, reset_less=True)  # of the next element
        with m.If(present):
            m.d.sync += index.eq(Mux(first, 1, index + 1))
        publish(platform, self, index=index)
        flags = self._flags(m)
        m.d.comb += self.o.valid.eq(over)
        # In a fully masked vector the last element makes the sum, but the draw is the first element.
        leads = first | flags["all_masked"] if self.config.mask else first
        return {"index": Mux(leads, 0, index), "position": delay(m, element.position, latency, "position"), **flags}

    def _of_list(self, m: Module, over: Value) -> dict[str, Value]:
        """The draw from the elements of an ordered list, with the last of them."""
        element, latency = self.i.payload, self.cycles.search
        present = delay(m, self.i.valid, latency, "present", reset=True)
        current = delay(m, Cat(element.index, element.position), latency, "current")
        drawn = Signal.like(current, reset_less=True)
        with m.If(over):
            m.d.sync += drawn.eq(current)
        m.d.comb += self.o.valid.eq(present & delay(m, element.last, latency, "last_later"))
        chosen = Mux(over, current, drawn)
        width = self.config.index_width
        return {"index": chosen[:width], "position": chosen[width:], **self._flags(m)}
