"""Text of C: templates, names with the head's prefix, and tables."""

from collections.abc import Iterable
from string import Template

__all__ = ["filled", "table"]

_COLUMNS = 118
"""Columns of a line of a table."""


def filled(text: str, **values: object) -> str:
    """A template with `$name` replaced by the value; every name must have one. `@` stays for the prefix of the head."""
    return Template(text.strip("\n") + "\n").substitute({name: str(value) for name, value in values.items()})


def table(name: str, values: Iterable[int]) -> str:
    """A constant array of the narrowest unsigned type, for the body of a function."""
    entries = [int(value) for value in values]
    assert min(entries) >= 0
    width = next(width for width in (8, 16, 32, 64) if max(entries) < 1 << width)
    suffix = {32: "u", 64: "ull"}.get(width, "")
    lines, line = [], "       "
    for entry in entries:
        word = f" {entry}{suffix},"
        if len(line) + len(word) > _COLUMNS:
            lines.append(line)
            line = "       "
        line += word
    body = "\n".join([*lines, line.rstrip(",")])
    return f"    static const uint{width}_t {name}[{len(entries)}] = {{\n{body}\n    }};\n"
