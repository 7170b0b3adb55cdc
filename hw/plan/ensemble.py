"""How many clock cycles the means of ensembles take."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2, signed_digits
from softstream.hw.numbers.ensemble import mean_division
from softstream.hw.plan.schedule import memory_cycles

__all__ = ["best_mean_latency", "mean_latency", "sums_latency"]


def sums_latency(config: Config) -> int:
    """From a beat of the last member to the sums over the members, behind a register."""
    return memory_cycles(config) + 2


def mean_latency(config: Config, inner: Config) -> int:
    """From a beat of guarded probabilities of the last member to that of their mean: a cycle for each level of the product."""
    division = mean_division(config.ensemble, inner.probability_width)
    return sums_latency(config) + ceil_log2(len(signed_digits(division.multiplier)))


def best_mean_latency(config: Config) -> int:
    """From the last beat to the winner of the mean: a cycle for each level of the tree over the lanes, and one for the loop."""
    return sums_latency(config) + ceil_log2(config.lanes) + 1
