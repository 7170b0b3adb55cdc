"""Texts that rows and formulas of several stages use."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import Numerics

__all__ = ["beats_text", "clip_text", "decimals", "each_cycle", "exponential_format", "method_text", "once"]


def beats_text(config: Config) -> str:
    """The number of beats of a vector of N elements, in formulas."""
    return "N" if config.lanes == 1 else f"⌈N/{config.lanes}⌉"


def decimals(value: float, places: int) -> str:
    """A measured value from 0 on with `places` decimals; with two digits that count where all would be 0: 3e-05, not 0.0000.

    Below 1e-9 the digits are those of float64's own rounding, so they are not told.
    """
    text = f"{value:.{places}f}"
    if not value or float(text):
        return text
    return f"{value:.2g}" if value >= 1e-9 else "<1e-9"


def each_cycle(config: Config) -> str:
    return "1 element/cycle" if config.lanes == 1 else f"{config.lanes} elements/cycle"


def once(interval: int) -> str:
    return "1 vector/cycle" if interval == 1 else f"{interval} cycles/vector"


def clip_text(config: Config) -> str:
    return f", x clipped to {config.clip_minimum}…{config.clip_maximum}" if config.clips else ""


def method_text(widths: Numerics) -> str:
    tables = widths.tables
    if not tables.low:
        return f"one table of {len(tables.high)} entries"
    return f"tables of {len(tables.high)} and {len(tables.low)} entries, interpolating product"


def exponential_format(widths: Numerics) -> str:
    return f"2^E·M, E {widths.exponent_width} bits, M {widths.significand_format}"
