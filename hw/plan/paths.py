"""Combinational paths of a head: the ports that answer another port in the same cycle."""

from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.plan.modes import MODE_PLANS

__all__ = ["PortPath", "port_paths"]


@dataclass(frozen=True)
class PortPath:
    """An output that depends on an input in the same cycle."""

    source: str
    target: str


def port_paths(config: Config) -> tuple[PortPath, ...]:
    """All paths from an input of the top to an output without a register between them.

    Every other output is the output of a register or of a memory, or logic behind these alone.
    """
    if config.reads_tkeep:
        # The skid buffer behind the stage `null_beats`.
        return ()
    if config.drops_winner:
        bare = port_paths(config.replace(winner=True))
        return tuple(path for path in bare if not path.source.startswith("m_axis_best"))
    if config.groups:
        return port_paths(config.replace(groups=[]))
    parts = composition(config)
    if parts is None:
        return _ready_path(config, "m_axis")
    if parts.fronts:
        # A front stage cuts the path from the inner head; the argmax head beside the first one may have its own.
        winner = parts.fronts[0].argmax
        return () if winner is None else _ready_path(winner, "m_axis_best")
    return port_paths(parts.inner)


def _ready_path(config: Config, output: str) -> tuple[PortPath, ...]:
    """The path of a head without a skid buffer, whose registers stop with its output."""
    passes = MODE_PLANS[config.mode].passes_ready(config)
    return (PortPath(f"{output}_tready", "s_axis_tready"),) if passes else ()
