"""The end of a composed head: the one rounding of guarded probabilities to P bits, with saturation."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.streams.layouts import each_lane, guarded_layout, keep_names, probability_layout, pulse
from softstream.hw.streams.registers import delay

__all__ = ["FinalRound"]


class FinalRound(wiring.Component):
    """p = min(floor((code + 2^(G−1))·2^−G), code of 1.0), G = P' − P.

    Ports: `i`, guarded probabilities of the inner configuration; `o`, probabilities; no back-pressure. Latency 1 cycle, one
    beat per cycle. The other fields of a beat pass unchanged.
    """

    def __init__(self, config: Config, inner: Config) -> None:
        self._config, self._inner = config, inner
        super().__init__({"i": In(pulse(guarded_layout(config, inner))), "o": Out(pulse(probability_layout(config)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        extra = self._inner.probability_width - config.probability_width
        guarded, beat = self.i.payload, self.o.payload
        codes = each_lane("probability", config.lanes)
        keeps = keep_names(config.lanes)
        for lane, code in enumerate(codes):
            rounded = Signal(self._inner.output_width - extra + 1, name=f"rounded_{lane}")
            m.d.comb += rounded.eq((guarded[code] + (1 << (extra - 1))) >> extra)
            maximum = config.probability_maximum
            saturated = Mux(rounded > maximum, maximum, rounded)
            # Lanes without an element hold 0, as they do without post stages.
            m.d.sync += beat[code].eq(saturated if lane == 0 else Mux(guarded[keeps[lane - 1]], saturated, 0))
        m.d.sync += [beat[name].eq(guarded[name]) for name in beat.shape().members if name not in codes]
        m.d.comb += self.o.valid.eq(delay(m, self.i.valid, 1, "valid", reset=True))
        return m
