"""The ports that every head has, whatever it computes."""

from typing import Any

from amaranth import EnableInserter, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import Skid
from softstream.hw.streams.layouts import output_layout, score_layout
from softstream.hw.streams.probes import publish_enable

__all__ = ["HeadInterface"]


class HeadInterface(wiring.Component):
    """Ports: `i`, stream of {score, last}, and a stream for each of `ports.outputs(config)`.

    With several lanes there are also `score_1`, `keep_1`, `probability_1` and so on, see `streams/layouts.py`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        output_ports = {output.port: Out(stream.Signature(output_layout(config, output))) for output in outputs(config)}
        super().__init__({"i": In(stream.Signature(score_layout(config))), **output_ports})

    def _under_enable(
        self, m: Module, platform: Any, advance: Value, frame: Any, name: str, stage: Any, sink: Any
    ) -> None:
        """Frame and a stage behind it under one clock enable `advance`, connected from `i` to the stream `sink`.

        Frame and stage are rigid but for the enable, so no ready path runs through them.
        """
        m.submodules.frame = EnableInserter(advance)(frame)
        m.submodules[name] = EnableInserter(advance)(stage)
        for part in (frame, stage):
            publish_enable(platform, part, advance)
        m.d.comb += [
            self.i.ready.eq(advance),
            frame.i.valid.eq(self.i.valid),
            Value.cast(frame.i.payload).eq(Value.cast(self.i.payload)),
            frame.o.ready.eq(1),
            stage.i.valid.eq(frame.o.valid),
            Value.cast(stage.i.payload).eq(Value.cast(frame.o.payload)),
            sink.valid.eq(stage.o.valid),
            Value.cast(sink.payload).eq(Value.cast(stage.o.payload)),
        ]

    def _streamed(self, m: Module, platform: Any, frame: Any, name: str, stage: Any) -> None:
        """Frame and stage under one clock enable, up to the output `o`.

        A skid buffer cuts the ready path; profile small has none and passes the ready path.
        """
        small = self._config.profile == "small"
        sink: Any = self.o
        if not small:
            m.submodules.skid = skid = Skid(self.o.payload.shape())
            sink = skid.i
            wiring.connect(m, skid.o, wiring.flipped(self.o))
        advance = Signal()
        m.d.comb += advance.eq(sink.ready | ~stage.o.valid if small else sink.ready)
        self._under_enable(m, platform, advance, frame, name, stage, sink)
