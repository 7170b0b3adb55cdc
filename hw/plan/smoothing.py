"""How many clock cycles smoothing takes."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2, signed_digits
from softstream.hw.numbers.smoothing import smoothing_tables
from softstream.hw.plan.schedule import memory_cycles

__all__ = ["smoothing_ahead", "smoothing_latency"]


def smoothing_ahead(config: Config) -> int:
    """How many elements behind a vector's first have to come before that leaves, where there are as many."""
    windows = 1 + (config.smoothing_edges == "scatter")
    return windows * config.smoothing_passes * (len(config.smoothing) // 2)


def smoothing_latency(config: Config, inner: Config) -> int:
    """From a guarded probability to the smoothed one, through all passes, where elements come in every cycle.

    In each the window, the weighted sum, and the tables of the constants; in scatter the tables come first, behind a window
    of their own, with a cycle that chooses the constant, and a cycle at the end rounds.
    """
    tables = smoothing_tables(config, inner)
    weighted = 1 + ceil_log2(sum(len(signed_digits(weight)) for weight in tables.weights))
    divided = memory_cycles(config) + ceil_log2(len(tables.digits))
    windows = (1 + tables.radius) * (1 + tables.scatter)
    return tables.passes * (windows + weighted + divided + 2 * tables.scatter)
