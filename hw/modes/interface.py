"""The ports that every head has, whatever it computes."""

from typing import Any

from amaranth import EnableInserter, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import Skid
from softstream.hw.streams.layouts import output_layout, score_layout

__all__ = ["HeadInterface"]


class HeadInterface(wiring.Component):
    """Ports: `i`, stream of {score, last}, and a stream for each of `ports.outputs(config)`.

    With several lanes there are also `score_1`, `keep_1`, `probability_1` and so on, see `streams`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        made = {output.port: Out(stream.Signature(output_layout(config, output))) for output in outputs(config)}
        super().__init__({"i": In(stream.Signature(score_layout(config))), **made})

    def _stopped(self, m: Module, advance: Value, frame: Any, name: str, stage: Any, made: Any) -> None:
        """Frame and a stage behind it under one clock enable: `advance` lets both go on, and `made` takes what comes out.

        So no ready path runs through the stages, which are rigid but for the enable.
        """
        m.submodules.frame = EnableInserter(advance)(frame)
        m.submodules[name] = EnableInserter(advance)(stage)
        m.d.comb += [
            self.i.ready.eq(advance),
            frame.i.valid.eq(self.i.valid),
            Value.cast(frame.i.payload).eq(Value.cast(self.i.payload)),
            frame.o.ready.eq(1),
            stage.i.valid.eq(frame.o.valid),
            Value.cast(stage.i.payload).eq(Value.cast(frame.o.payload)),
            made.valid.eq(stage.o.valid),
            Value.cast(made.payload).eq(Value.cast(stage.o.payload)),
        ]

    def _streamed(self, m: Module, frame: Any, name: str, stage: Any) -> None:
        """The same to the output `o`, through a register that cuts the ready path but in profile small."""
        small = self._config.profile == "small"
        made: Any = self.o
        if not small:
            m.submodules.skid = skid = Skid(self.o.payload.shape())
            made = skid.i
            wiring.connect(m, skid.o, wiring.flipped(self.o))
        advance = Signal()
        m.d.comb += advance.eq(made.ready | ~stage.o.valid if small else made.ready)
        self._stopped(m, advance, frame, name, stage, made)
