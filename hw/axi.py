"""The top of the generated Verilog: AXI4-Stream edges around the head."""

from itertools import pairwise
from typing import Any

from amaranth import Cat, ClockDomain, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.plan.ports import Field, Output, byte_bits, outputs, sidebands, top_ports
from softstream.hw.streams.layouts import each_lane, keep_names

__all__ = ["AxiTop", "extended"]


class AxiTop(wiring.Component):
    """Plain wires with the names that AXI4-Stream tools infer; `ports.top_ports` lists and explains them.

    tdata fields are byte-aligned: codes are zero-extended, scores sign-extended where they are signed; the upper bits of
    s_axis_tdata are ignored. tkeep tells which lanes hold something, as `streams.score_layout` says.
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
        score_bits = byte_bits(score_width)
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
        if self._config.reads_tkeep:
            self._select_lanes(m, head.i.payload, score_bits // 8)
        low = 0
        for field in sidebands(self._config):
            for name in each_lane(field.name, field.copies(self._config)):
                m.d.comb += head.i.payload[name].eq(self.s_axis_tuser[low:][: field.width])
                low += field.width
        for output in outputs(self._config):
            self._outgoing(m, output, getattr(head, output.port))
        return m

    def _select_lanes(self, m: Module, beat: Any, lane_bytes: int) -> None:
        """The lanes that s_axis_tkeep selects. A lane with any byte holds an element; every other pattern leaves a gap."""
        lanes = self._config.lanes
        lane_keeps = [self.s_axis_tkeep.word_select(lane, lane_bytes) for lane in range(lanes)]
        held = [lane.any() for lane in lane_keeps]
        torn = [lane.any() & ~lane.all() for lane in lane_keeps] if lane_bytes > 1 else []
        above_gap = [~below & above for below, above in pairwise(held)]
        m.d.comb += [
            beat.null.eq(~self.s_axis_tkeep.any()),
            beat.gap.eq(Cat(*torn, *above_gap).any()),
            *(beat[name].eq(lane) for name, lane in zip(keep_names(lanes), held[1:], strict=True)),
        ]

    def _outgoing(self, m: Module, output: Output, source: Any) -> None:
        payload, lanes = source.payload, output.lanes(self._config)
        names = {field.name: each_lane(field.name, lanes) for field in output.fields}
        data = Cat(
            extended(field, payload[names[field.name][lane]]) for lane in range(lanes) for field in output.fields
        )
        if lanes > 1:
            keeps = [Const(1), *(payload[name] for name in keep_names(lanes))]
            lane_bytes = len(data) // lanes // 8
            m.d.comb += self._port(output, "tkeep").eq(Cat(keep.replicate(lane_bytes) for keep in keeps))
        m.d.comb += [
            self._port(output, "tdata").eq(data),
            self._port(output, "tvalid").eq(source.valid),
            self._port(output, "tlast").eq(1 if output.per == "vector" else payload.last),
            self._port(output, "tuser").eq(Cat(payload[name] for name in output.user)),
            source.ready.eq(self._port(output, "tready")),
        ]

    def _port(self, output: Output, signal: str) -> Any:
        return getattr(self, f"{output.prefix}_{signal}")


def extended(field: Field, value: Value) -> Value:
    """A field in all its bits of tdata: its sign above a signed one, zeros above any other."""
    missing = field.bits - field.width
    return Cat(value, *([value[-1]] * missing if field.signed else [Const(0, missing)]))
