"""Verilog expressions whose width is explicit, so that no tool extends or cuts one silently."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Expression", "choice", "concatenated", "constant", "extended", "infix", "prefix", "span"]


_DOMINANT = {("&", "1'b0"), ("|", "1'b1")}
_NEUTRAL = {("&", "1'b1"), ("|", "1'b0"), ("^", "1'b0")}
"""Operator and operand, of one bit, that alone decide the result, or that leave the other operand as it is."""


class Expression(NamedTuple):
    """A text and its width; `operator` is the outermost one, or empty where the text needs no parentheses."""

    text: str
    width: int
    operator: str = ""

    @property
    def operand(self) -> str:
        """The text as part of another expression."""
        return f"({self.text})" if self.operator else self.text


def span(width: int) -> str:
    """The range of a declaration: `[7:0] `, or nothing for one bit."""
    return f"[{width - 1}:0] " if width > 1 else ""


def constant(width: int, value: int) -> Expression:
    """A sized constant: binary up to 4 bits, else hexadecimal."""
    if width <= 4:
        return Expression(f"{width}'b{value:0{width}b}", width)
    return Expression(f"{width}'h{value:0{-(-width // 4)}x}", width)


def concatenated(parts: Sequence[Expression]) -> Expression:
    """Parts side by side, highest first; a bit that repeats is written once."""
    if len(parts) == 1:
        return parts[0]
    texts: list[str] = []
    index = 0
    while index < len(parts):
        count = 1
        while index + count < len(parts) and parts[index + count] == parts[index]:
            count += 1
        text = parts[index].text
        texts.append(f"{{{count}{{{text}}}}}" if count > 1 else text)
        index += count
    width = sum(part.width for part in parts)
    return Expression(texts[0] if len(texts) == 1 else f"{{{', '.join(texts)}}}", width)


def extended(value: Expression, width: int) -> Expression:
    """A value with zeros above it."""
    if value.width == width:
        return value
    return concatenated([constant(width - value.width, 0), *([value] if value.width else [])])


def infix(operator: str, left: Expression, right: Expression, width: int) -> Expression:
    """An operator between two operands; a chain of one associative operator needs no parentheses.

    A constant bit is folded: Amaranth writes one where a stream is always ready or valid.
    """
    for value, other in ((left, right), (right, left)):
        if width == 1 and (operator, value.text) in _DOMINANT:
            return value
        if width == 1 and (operator, value.text) in _NEUTRAL:
            return other
        if width == 1 and (operator, value.text) == ("^", "1'b1"):
            return prefix("~", other, 1)
    texts = [
        value.text if value.operator == operator and operator in "&|^" else value.operand for value in (left, right)
    ]
    return Expression(f" {operator} ".join(texts), width, operator)


def prefix(operator: str, value: Expression, width: int) -> Expression:
    """An operator before its operand."""
    if operator == "~" and value.text in ("1'b0", "1'b1"):
        return constant(1, value.text == "1'b0")
    if operator == "~" and re.fullmatch(r"~\w+", value.text):
        return Expression(value.text[1:], width)
    if value.text[0] in "~&|^-":  # the grammar has one such operator before an operand
        value = value._replace(operator=value.operator or value.text[0])
    return Expression(f"{operator}{value.operand}", width, "" if operator == "~" else operator)


def choice(condition: Expression, then: Expression, otherwise: Expression) -> Expression:
    """One of two values of the same width."""
    rest = otherwise.text if otherwise.operator == "?" else otherwise.operand
    return Expression(f"{condition.operand} ? {then.operand} : {rest}", then.width, "?")
