"""Tables as text and as HTML, for the `repr` and the `_repr_html_` of configurations, plans and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["array_rows", "html_table", "text_table"]

ROWS, COLUMNS = 10, 12
"""Results, and elements of each, that a table of arrays shows."""

_CELL = 'style="text-align: left; vertical-align: top"'


def html_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, trusted: Sequence[str] = ()
) -> str:
    """A table as HTML, with its title as the caption. Cells are escaped, but for the columns of `trusted`, which hold HTML."""
    head = "".join(f"<th {_CELL}>{escape(name)}</th>" for name in header)
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td {_CELL}>{cell if name in trusted else escape(str(cell))}</td>"
            for name, cell in zip(header, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    caption = f'<caption style="caption-side: top; text-align: left">{escape(title)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as lines of text, with columns as wide as their widest cell."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)


def array_rows(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(columns, rows) of the first results of arrays [V] or [V, N]: a row for each result; a last one counts all."""
    results = len(next(iter(arrays.values()), ()))
    rows = [
        (str(row), *(_values_text(values[row : row + 1]) for values in arrays.values()))
        for row in range(min(results, ROWS))
    ]
    if results > ROWS:
        rows.append((f"… of {results}", *("" for _ in arrays)))
    return ("", *arrays), rows


def _values_text(values: np.ndarray) -> str:
    """A value, or the first values of a row; real numbers with four significant digits."""
    digits = ".4g" if values.dtype.kind == "f" else ""
    texts = [format(value, digits) for value in values.reshape(-1)[:COLUMNS].tolist()]
    return " ".join([*texts, *(["…"] if values.size > COLUMNS else [])])
