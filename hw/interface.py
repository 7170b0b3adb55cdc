"""The ports that every head has, whatever it computes."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .ports import outputs
from .streams import output_layout, score_layout

__all__ = ["HeadInterface"]


class HeadInterface(wiring.Component):
    """Ports: `i`, stream of {score, last}, and a stream for each of `ports.outputs(config)`.

    With several lanes there are also `score_1`, `keep_1`, `probability_1` and so on, see `streams`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        made = {output.port: Out(stream.Signature(output_layout(config, output))) for output in outputs(config)}
        super().__init__({"i": In(stream.Signature(score_layout(config))), **made})
