"""Arrays of numbers from files: .npy, one array of a .npz archive, and tables of text (.csv, .tsv, .txt).

All of them are mapped into memory where they are large, so that a caller that takes a block at a time, and gives its pages back
with `release`, costs no more than a block.
"""

import mmap
import re
import shutil
import tempfile
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from softstream.hw.config.keys import nearest
from softstream.hw.errors import UserError

__all__ = ["read_array", "release"]

_TEXT = {".csv", ".tsv", ".txt"}
_NAMED = re.compile(r"(.+\.npz):([^:/\\]+)", re.IGNORECASE)
_NOT_INTEGER = re.compile("[.a-zA-Z]")
_EXAMPLE = "for example numpy.save('scores.npy', array)"
_LONGEST_LINE = 1 << 24
"""Characters of a line of a table; the longest vector has 65536 fields."""
_MOST_IN_MEMORY = 1 << 26
"""Bytes of an array that is not mapped from its own file; a larger one goes through a temporary file."""
_SHOWN = 8
"""Names of an archive that a message lists."""


def read_array(option: str, text: str) -> np.ndarray:
    """The array in a file: `F.npy`; `F.npz` that holds one array; `F.npz:NAME`; or a table of text, one vector a line.

    A .npy file, and an array that an archive holds uncompressed, is mapped into memory and not read. A large compressed array
    or table is unpacked into a temporary file without a name, which is mapped.

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
                content = _member(content, path, named[2] if named else "", where)
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


def release(array: np.ndarray) -> None:
    """Gives the memory of a mapped file back to the system, which reads it anew when it is needed. Other arrays stay."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    if base is not None:
        base.madvise(mmap.MADV_DONTNEED)


def _mapped(file: IO[bytes]) -> np.ndarray:
    """The array of the .npy format that begins where a file stands, mapped. Raises as `numpy.load` does."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(file)
    if dtype.hasobject:
        raise ValueError("objects")
    return np.memmap(file, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def _large_member(path: Path, name: str) -> np.ndarray:
    """A large array of an archive: mapped where it is uncompressed, else from a temporary file."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
        if info.compress_type == zipfile.ZIP_STORED:
            with path.open("rb") as file:
                file.seek(info.header_offset + 26)
                file.seek(sum(np.frombuffer(file.read(4), "<u2").tolist()), 1)  # the name and the extra field
                return _mapped(file)
        with tempfile.TemporaryFile() as file, archive.open(info) as content:
            shutil.copyfileobj(content, file, 1 << 20)
            file.seek(0)
            return _mapped(file)


def _member(archive: Any, path: Path, name: str, where: str) -> np.ndarray:
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
    stored = f"{name or names[0]}.npy"
    if stored in archive.zip.namelist() and archive.zip.getinfo(stored).file_size > _MOST_IN_MEMORY:
        return _large_member(path, stored)
    member = archive[name or names[0]]
    if not isinstance(member, np.ndarray):
        raise UserError(f"{where}:{name or names[0]}: not an array of numbers; must be one array, {_EXAMPLE}")
    return member


class _Numbers:
    """Numbers of a table as they are read, 8 bytes each: integers until a field is none, or one does not fit into 64 bits.

    Many of them are in a temporary file.
    """

    def __init__(self) -> None:
        self._values: Any = array("q")
        self._spool: IO[bytes] | None = None
        """The earlier numbers, of the type of `_values`."""
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
                self._to_floats()
        if self._values.typecode == "d":
            self._values.extend(map(float, fields))
        self._whole = self._whole and whole
        if self._values.itemsize * len(self._values) > _MOST_IN_MEMORY:
            self._spool = self._spool or tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this call
            self._values.tofile(self._spool)
            self._values = array(self._values.typecode)

    def _to_floats(self) -> None:
        self._values = array("d", self._values)
        if self._spool is not None:
            integers, self._spool = self._spool, tempfile.TemporaryFile()  # noqa: SIM115
            integers.seek(0)
            while piece := integers.read(1 << 20):
                np.frombuffer(piece, np.int64).astype(np.float64).tofile(self._spool)
            integers.close()

    def table(self, columns: int, where: str) -> np.ndarray:
        """All of them, [lines, columns], without a copy."""
        if self._whole and not self._fits:
            raise UserError(f"{where}: integers beyond 64 bits; must be score codes; for example 0")
        dtype = np.int64 if self._whole else np.float64
        if self._spool is None:
            return np.frombuffer(self._values, dtype).reshape(-1, columns)
        with self._spool:
            self._values.tofile(self._spool)
            self._spool.flush()
            return np.memmap(self._spool, dtype, "r").reshape(-1, columns)


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
