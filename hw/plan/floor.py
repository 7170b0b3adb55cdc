"""How many clock cycles the probability floor takes, and how many vectors are on their way to it."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.smoothing import smoothing_latency

__all__ = ["floor_latency", "floor_vectors"]


def floor_latency(config: Config, inner: Config) -> int:
    """From a probability to that above the floor: by a multiplier where the normaliser has one, else by adders alone."""
    return 3 if config.normaliser == "reciprocal" else 1 + ceil_log2(inner.output_width + 1)


def floor_vectors(config: Config, inner: Config) -> int:
    """Vectors whose share may wait for their probabilities: as many of one element as come in while one is on its way."""
    if config.accumulator == "two_pass":
        return 4  # one after the other
    cycles = schedule(inner)
    before = smoothing_latency(config, inner) if len(config.smoothing) > 1 else 0
    # Credits are counted two cycles late.
    way = cycles.vector_latency + cycles.emission_latency + before + 4
    return way // max(cycles.vector_interval, cycles.quotient_interval) + 4
