"""The top of the generated Verilog: AXI4-Stream edges around the head."""

from typing import Any

from amaranth import Cat, ClockDomain, Const, Module, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .head import Head
from .ports import byte_bits, top_ports
from .streams import each_lane, keep_names

__all__ = ["AxiTop"]


class AxiTop(wiring.Component):
    """Plain wires with the names that AXI4-Stream tools infer; `ports.top_ports` lists and explains them.

    tdata fields are byte-aligned: codes are zero-extended, scores sign-extended where they are signed; the upper bits of
    s_axis_tdata are ignored. With several lanes tkeep tells which of them hold something, as `streams.score_layout` says.
    aresetn is synchronous and active low. The wrapper adds no latency.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {port.name: (In if port.direction == "input" else Out)(port.width) for port in top_ports(config)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, score_width = self._config.lanes, self._config.score_width
        score_bits, code_bits = byte_bits(score_width), byte_bits(self._config.output_width)
        names = each_lane("score", lanes)
        m.domains.sync = domain = ClockDomain(local=True)
        m.submodules.head = head = Head(self._config)
        m.d.comb += [
            domain.clk.eq(self.aclk),
            domain.rst.eq(~self.aresetn),
            *(
                Value.cast(head.i.payload[name]).eq(self.s_axis_tdata[lane * score_bits :][:score_width])
                for lane, name in enumerate(names)
            ),
            head.i.payload.last.eq(self.s_axis_tlast),
            head.i.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(head.i.ready),
        ]
        for lane, name in enumerate(keep_names(lanes), 1):
            # The lowest byte of a lane speaks for the lane.
            m.d.comb += head.i.payload[name].eq(self.s_axis_tkeep[lane * score_bits // 8])
        if self._config.mode == "argmax":
            self._outgoing(m, "m_axis", head.o, self._winner(head.o.payload), 1)
        else:
            padding = Const(0, unsigned(code_bits - self._config.output_width))
            codes = [Cat(head.o.payload[name], padding) for name in each_lane("probability", lanes)]
            self._outgoing(m, "m_axis", head.o, Cat(codes), head.o.payload.last)
            if lanes > 1:
                keeps = [Const(1), *(head.o.payload[name] for name in keep_names(lanes))]
                m.d.comb += self.m_axis_tkeep.eq(Cat(keep.replicate(code_bits // 8) for keep in keeps))
            self._outgoing(m, "m_axis_best", head.o_best, self._winner(head.o_best.payload), 1)
        return m

    def _winner(self, winner: Any) -> Value:
        padding = Const(0, unsigned(byte_bits(self._config.index_width) - self._config.index_width))
        return Cat(winner.index, padding, winner.score, *self._extension(winner.score))

    def _extension(self, score: Value) -> list[Value]:
        missing = byte_bits(self._config.score_width) - self._config.score_width
        return [score[-1] if self._config.score_signed else Const(0, 1)] * missing

    def _outgoing(self, m: Module, prefix: str, source: Any, tdata: Value, tlast: Value | int) -> None:
        m.d.comb += [
            getattr(self, f"{prefix}_tdata").eq(tdata),
            getattr(self, f"{prefix}_tvalid").eq(source.valid),
            getattr(self, f"{prefix}_tlast").eq(tlast),
            getattr(self, f"{prefix}_tuser").eq(source.payload.overlong),
            source.ready.eq(getattr(self, f"{prefix}_tready")),
        ]
