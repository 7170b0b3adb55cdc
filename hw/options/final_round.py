"""The end of a composed head: the one rounding of guarded probabilities to codes, in steps of 2^−P or 1/L."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import signed_digits
from softstream.hw.plan.options.final_round import final_round_latency, rounding_cycles
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.adders import sum_tree
from softstream.hw.streams.layouts import each_lane, guarded_layout, keep_names, probability_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["FinalRound"]


class FinalRound(wiring.Component):
    """p = min(floor((code + 2^(G−1))·2^−G), code of 1.0) + zero point, G = P' − P.

    In steps of 1/L it is min(floor((L·code + 2^(P'−1))·2^−P'), L) + zero point. The product is a tree of adders over the signed
    digits of L, two for 255 and 127.

    Ports: `i`, guarded probabilities of the inner configuration; `o`, probabilities; no back-pressure. Latency
    `latency` = `final_round_latency(config)` cycles, one beat per cycle. The other fields of a beat pass unchanged.
    """

    def __init__(self, config: Config, inner: Config) -> None:
        self._config, self._inner, self.latency = config, inner, final_round_latency(config)
        super().__init__({"i": In(pulse(guarded_layout(config, inner))), "o": Out(pulse(probability_layout(config)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        guarded, beat = self.i.payload, self.o.payload
        lanes, latency = outputs(config)[0].lanes(config), self.latency
        codes, keeps = each_lane("probability", lanes), keep_names(lanes)
        edges = {name: delay(m, guarded[name], latency - 1, name) for name in beat.shape().members if name not in codes}
        for lane, code in enumerate(codes):
            product, fraction = self._product(m, guarded[code], lane)
            rounded = Signal(
                len(product) - fraction + 1, name=f"rounded_{lane}", reset_less=rounding_cycles(config) > 1
            )
            domain = m.d.sync if rounding_cycles(config) > 1 else m.d.comb
            domain += rounded.eq((product + (1 << (fraction - 1))) >> fraction)
            maximum, zero = config.probability_maximum, config.output_zero_point
            saturated = Mux(rounded > maximum, maximum, rounded)
            result: Value = saturated + zero if zero else saturated
            # Lanes without an element hold 0, as they do without post stages.
            m.d.sync += beat[code].eq(result if lane == 0 else Mux(edges[keeps[lane - 1]], result, 0))
        m.d.sync += [beat[name].eq(edge) for name, edge in edges.items()]
        m.d.comb += self.o.valid.eq(delay(m, self.i.valid, latency, "valid", reset=True))
        publish(platform, self)
        return m

    def _product(self, m: Module, code: Value, lane: int) -> tuple[Value, int]:
        """(L times a guarded code, its fraction bits); in steps of 2^−P the code itself, with the bits below P."""
        config, inner = self._config, self._inner
        if not config.rescales:
            return code, inner.probability_width - config.probability_width
        terms = [(code << exponent, negative) for exponent, negative in signed_digits(config.levels)]
        total, _ = sum_tree(m, f"levels_{lane}", terms)
        # The tree's sum has room for a sign, and more bits than the product.
        return total[: (config.levels << inner.output_width).bit_length()], inner.probability_width
