"""Arrays of numbers from files: .npy, one array of a .npz archive, and tables of text (.csv, .tsv, .txt)."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from softstream.hw.config.keys import nearest
from softstream.hw.errors import UserError

__all__ = ["read_array"]

_TEXT = {".csv", ".tsv", ".txt"}
_NAMED = re.compile(r"(.+\.npz):([^:/\\]+)", re.IGNORECASE)
_NOT_INTEGER = re.compile("[.a-zA-Z]")
_EXAMPLE = "for example numpy.save('scores.npy', array)"
_SHOWN = 8
"""Names of an archive that a message lists."""


def read_array(option: str, text: str) -> np.ndarray:
    """The array in a file: `F.npy`; `F.npz` that holds one array; `F.npz:NAME`; or a table of text, one vector a line.

    A table has commas, semicolons, tabs or blanks between its fields, and may begin with a line of headings. Its numbers are
    integers where none of them has a point, an exponent or letters.

    Raises `UserError`, which begins with the option, where the file cannot be read or holds something else.
    """
    named = None if Path(text).exists() else _NAMED.fullmatch(text)
    path = Path(named[1] if named else text)
    where = f"{option} {path}"
    try:
        if path.suffix.lower() in _TEXT:
            return _table(path.read_bytes(), where)
        content: Any = np.load(path, allow_pickle=False)
        if not isinstance(content, np.ndarray):
            with content:
                content = _member(content, named[2] if named else "", where)
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"{where}: cannot be read ({error.strerror or error}); must be a .npy, .npz or .csv file, {_EXAMPLE}"
        ) from None
    except Exception:  # a broken header or archive surfaces as whatever error its parser ran into
        raise UserError(f"{where}: not a file of numbers; must be one array without objects, {_EXAMPLE}") from None
    if named and path.suffix.lower() != ".npz":
        raise UserError(f"{where}: one array without a name; for example {option} {path}")
    return np.asarray(content)


def _member(archive: Any, name: str, where: str) -> np.ndarray:
    """The array of that name in an archive, or its only one."""
    names = archive.files
    listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    if not names:
        raise UserError(f"{where}: an archive without arrays; must be one array, {_EXAMPLE}")
    if not name and len(names) > 1:
        raise UserError(
            f"{where}: an archive of {len(names)} arrays, {listed}; name one; for example {where}:{names[0]}"
        )
    if name and name not in names:
        raise UserError(
            f"{where}:{name}: no array of this name{nearest(name, names)}; must be one of {listed}; "
            f"for example {where}:{names[0]}"
        )
    array = archive[name or names[0]]
    if not isinstance(array, np.ndarray):
        raise UserError(f"{where}:{name or names[0]}: not an array of numbers; must be one array, {_EXAMPLE}")
    return array


def _table(content: bytes, where: str) -> np.ndarray:
    """The numbers of a table, [lines, fields], int64 or float64."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{where}: not UTF-8 text; must be a table of numbers; for example 0.5,-1.25,3") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    delimiter = next((sign for sign in ";\t," if lines and sign in lines[0][1]), None)
    rows = [(number, [field.strip(' "') for field in line.split(delimiter)]) for number, line in lines]
    if rows and not any(map(_is_number, rows[0][1])):
        rows = rows[1:]  # the headings
    if not rows:
        raise UserError(f"{where}: no numbers; must be a table with a vector in each line; for example 0.5,-1.25,3")
    columns = len(rows[0][1])
    for number, fields in rows:
        if len(fields) != columns:
            raise UserError(
                f"{where}, line {number}: {len(fields)} fields, and line {rows[0][0]} has {columns}; must be as many in every "
                "line; fill it up, for example with 0, and give --lengths"
            )
        for field in fields:
            if not _is_number(field):
                raise UserError(f"{where}, line {number}: {field[:40]!r} is no number; for example 0")
    whole = not any(_NOT_INTEGER.search(field) for _, fields in rows for field in fields)
    try:
        numbers = [[(int if whole else float)(field) for field in fields] for _, fields in rows]
        return np.array(numbers, dtype=np.int64 if whole else np.float64)
    except OverflowError:
        raise UserError(f"{where}: integers beyond 64 bits; must be score codes; for example 0") from None


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
