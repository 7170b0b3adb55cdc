"""The emission of the normalisers that divide: exponential, distance to the sum, quotient, rounding."""

from collections.abc import Callable
from typing import Any

from amaranth import Module
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.normalisers.interface import EmissionInterface
from softstream.hw.normalisers.round import Distance, Round, shift_layout
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.exponential import Exponential
from softstream.hw.streams.registers import PairedTables, delay

__all__ = ["emission"]


def emission(
    quotient: Callable[..., wiring.Component], factor_width: Callable[[Numerics], int]
) -> type[EmissionInterface]:
    """The emission class of a normaliser whose `quotient` component divides each significand."""

    class Emission(EmissionInterface):
        """p = round(quotient(M, factor)·2^-d), d = n − E. No back-pressure.

        Latency that of exponential, distance, quotient and round together; interval that of the quotient.
        """

        def __init__(self, config: Config, widths: Numerics, tables: PairedTables | None = None) -> None:
            self._factor_width = factor_width(widths)
            super().__init__(config, widths, self._factor_width, tables)

        def elaborate(self, platform: Any) -> Module:
            m = Module()
            widths, cycles = self._widths, schedule(self._config)
            m.submodules.exponential = exponential = Exponential(
                widths, 1, cycles.memory, cycles.lookup, widths.element_tables
            )
            m.submodules.distance = distance = Distance(widths, self._factor_width)
            m.submodules.quotient = divider = quotient(
                widths, self._factor_width, shift_layout(widths), serial=cycles.quotient_interval > 1
            )
            m.submodules.round = rounding = Round(self._config, widths)
            first = self._first(m, platform)
            element, tag = exponential.o.payload, distance.i.payload.tag
            m.d.comb += [
                exponential.i.valid.eq(self.i.valid),
                exponential.i.payload.position.eq(self.i.payload.position),
                exponential.i.payload.tag.eq(self.i.payload.last),
                self.next.eq(delay(m, first, cycles.lookup - cycles.memory, "first", reset=True)),
                distance.i.valid.eq(exponential.o.valid),
                distance.i.payload.exponent.eq(element.exponent),
                distance.i.payload.significand.eq(element.significand),
                tag.exponent.eq(self.factor.exponent),
                tag.factor.eq(self.factor.factor),
                tag.overlong.eq(self.factor.tag),
                tag.last.eq(element.tag),
            ]
            wiring.connect(m, distance.o, divider.i)
            wiring.connect(m, divider.o, rounding.i)
            wiring.connect(m, rounding.o, wiring.flipped(self.o))
            return m

    return Emission
