"""Arrays of numbers from files: .npy, one array of a .npz archive, and tables of text (.csv, .tsv, .txt)."""

import re
from array import array
from collections.abc import Iterator, Sequence
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
_LONGEST_LINE = 1 << 24
"""Characters of a line of a table; the longest vector has 65536 fields."""
_SHOWN = 8
"""Names of an archive that a message lists."""


def read_array(option: str, text: str) -> np.ndarray:
    """The array in a file: `F.npy`; `F.npz` that holds one array; `F.npz:NAME`; or a table of text, one vector a line.

    A .npy file is mapped into memory and not read, so a caller that takes a block at a time costs no more than a block.

    A table has commas, semicolons, tabs or blanks between its fields, and may begin with a line of headings. Its numbers are
    integers where none of them has a point, an exponent or letters.

    Raises `UserError`, which begins with the option, where the file cannot be read or holds something else.
    """
    named = None if Path(text).exists() else _NAMED.fullmatch(text)
    path = Path(named[1] if named else text)
    where = f"{option} {path}"
    try:
        if path.suffix.lower() in _TEXT:
            return _table(path, where)
        content: Any = np.load(path, mmap_mode="r", allow_pickle=False)
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
    member = archive[name or names[0]]
    if not isinstance(member, np.ndarray):
        raise UserError(f"{where}:{name or names[0]}: not an array of numbers; must be one array, {_EXAMPLE}")
    return member


class _Numbers:
    """Numbers of a table as they are read, 8 bytes each: integers until a field is none, or one does not fit into 64 bits."""

    def __init__(self) -> None:
        self._values: Any = array("q")
        self._whole = True
        self._fits = True

    def append(self, fields: Sequence[str]) -> None:
        """Adds the fields of a line, each of which `float` takes."""
        whole = not any(map(_NOT_INTEGER.search, fields))
        if self._values.typecode == "q":
            try:
                # As an array first: a line whose last field does not fit leaves nothing behind.
                self._values.extend(array("q", map(int, fields)) if whole else ())
            except (OverflowError, ValueError):  # int refuses thousands of digits
                self._fits = False
            if not (whole and self._fits):
                self._values = array("d", self._values)
        if self._values.typecode == "d":
            self._values.extend(map(float, fields))
        self._whole = self._whole and whole

    def table(self, columns: int, where: str) -> np.ndarray:
        """All of them, [lines, columns], without a copy."""
        if self._whole and not self._fits:
            raise UserError(f"{where}: integers beyond 64 bits; must be score codes; for example 0")
        return np.frombuffer(self._values, np.int64 if self._whole else np.float64).reshape(-1, columns)


def _lines(path: Path, where: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            while piece := file.readline(_LONGEST_LINE):
                if len(piece) == _LONGEST_LINE and not piece.endswith("\n"):
                    raise UserError(
                        f"{where}, line {number + 1}: more than {_LONGEST_LINE} characters; must be one vector; for example "
                        "0.5,-1.25,3"
                    )
                for line in piece.splitlines():
                    number += 1
                    if line.strip():
                        yield number, line
    except UnicodeDecodeError:
        raise UserError(f"{where}: not UTF-8 text; must be a table of numbers; for example 0.5,-1.25,3") from None


def _table(path: Path, where: str) -> np.ndarray:
    """The numbers of a table, [lines, fields], int64 or float64. It is read line by line, so it costs what the array takes."""
    numbers = _Numbers()
    delimiter: str | None = None
    first = columns = 0
    for position, (number, line) in enumerate(_lines(path, where)):
        if position == 0:
            delimiter = next((sign for sign in ";\t," if sign in line), None)
        fields = [field.strip(' "') for field in line.split(delimiter)]
        if position == 0 and not any(map(_is_number, fields)):
            continue  # the headings
        if not columns:
            first, columns = number, len(fields)
        if len(fields) != columns:
            raise UserError(
                f"{where}, line {number}: {len(fields)} fields, and line {first} has {columns}; must be as many in every "
                "line; fill it up, for example with 0, and give --lengths"
            )
        for field in fields:
            if not _is_number(field):
                raise UserError(f"{where}, line {number}: {field[:40]!r} is no number; for example 0")
        numbers.append(fields)
    if not columns:
        raise UserError(f"{where}: no numbers; must be a table with a vector in each line; for example 0.5,-1.25,3")
    return numbers.table(columns, where)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
