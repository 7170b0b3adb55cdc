"""What contracts compare with, by the definition of a configuration, and without the hardware's own functions for it.

A contract that used those would prove only that the hardware agrees with itself.
"""

from typing import Any

from amaranth import Value

from softstream.hw.config.config import Config

__all__ = ["code_at", "index_bits", "order_of"]


def _bounds(config: Config) -> tuple[int, int]:
    """The smallest and the largest score code."""
    smallest = -(1 << (config.score_width - 1)) if config.score_signed else 0
    return smallest, smallest + (1 << config.score_width) - 1


def order_of(config: Config, code: Value) -> Value:
    """How far a score is above the smallest one, or with `select = smallest` below the largest one: the best score has most."""
    smallest, largest = _bounds(config)
    score = code.as_signed() if config.score_signed else code.as_unsigned()
    distance: Any = largest - score if config.select == "smallest" else score - smallest
    return distance[: config.score_width]


def code_at(config: Config, order: Value) -> Value:
    """The score code with that `order_of`, as a number with the sign of the scores."""
    smallest, largest = _bounds(config)
    score: Any = largest - order if config.select == "smallest" else order + smallest
    code = score[: config.score_width]
    return code.as_signed() if config.score_signed else code.as_unsigned()


def index_bits(config: Config) -> int:
    """Bits of the index of a vector's last element, at least one."""
    return max(1, (config.max_length - 1).bit_length())
