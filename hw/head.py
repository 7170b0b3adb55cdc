"""The head of a configuration: one component per mode, and one around it where stages stand before or behind."""

from softstream.hw.config.config import Config, check_config
from softstream.hw.modes import HEADS
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.composition import composition
from softstream.hw.options.composed import Composed
from softstream.hw.options.groups import Grouped
from softstream.hw.options.no_winner import NoWinner
from softstream.hw.options.null_beats import WithoutNullBeats

__all__ = ["Head"]


def Head(config: Config) -> HeadInterface:
    """The streaming head of a configuration, to instantiate in an Amaranth design.

    Ports: `i`, stream of {score, last}, and the mode's output streams, the first of them `o` (see `ports.outputs`).
    Latency and interval are those of `plan(config)`. Raises `UserError` for an argument that is no `Config`.
    """
    check_config(config)
    head = _head(config)
    return WithoutNullBeats(config, head) if config.reads_tkeep else head


def _head(config: Config) -> HeadInterface:
    """The head behind the stage `null_beats`, or without it."""
    if config.drops_winner:
        return NoWinner(config, _head(config.replace(winner=True)))
    if config.groups:
        return Grouped(config, _head(config.replace(groups=[])))
    parts = composition(config)
    if parts is not None:
        return Composed(config, parts, _head)
    return HEADS[config.mode](config)
