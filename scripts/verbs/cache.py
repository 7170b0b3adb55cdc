"""`softstream cache`: place and size of the cache, its limit, and what removes entries."""

from __future__ import annotations

import re
from collections.abc import Sequence

from softstream.hw import cache
from softstream.hw.errors import UserError
from softstream.scripts.console import Console

__all__ = ["PURPOSES", "parse_size", "report"]

PURPOSES = {
    "boards": "bitstreams",
    "explore": "points of sweeps",
    "logs": "logs of tools that failed",
    "place": "cells and clocks",
    "verilator": "built simulations and their run-time library",
}
"""Kind of an entry → what it holds."""

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes of a size such as `500MB`. Raises `UserError`."""
    parts = _SIZE.fullmatch(text.strip())
    if parts is None or parts[2].upper() not in _UNITS:
        raise UserError(
            f"--limit {text[:100]}: must be a number of bytes, with or without a unit; for example --limit 2GB"
        )
    return int(float(parts[1]) * _UNITS[parts[2].upper()])


def report(console: Console, *, clear: bool, limit: str | None) -> None:
    """Clears the cache or sets its limit, where that is asked for, and prints place, limit and entries by kind.

    Raises `UserError` for a limit that is none.
    """
    size = None if limit is None else parse_size(limit)
    removed = 0
    if size is not None:
        cache.set_limit(size)
        removed += cache.trim()
    if clear:
        removed += cache.clear()
    entries = list(cache.entries())
    kinds = sorted({entry.path.parent.name for entry in entries})
    sizes = {kind: [entry.size for entry in entries if entry.path.parent.name == kind] for kind in kinds}
    total = sum(entry.size for entry in entries)
    console.document(
        {
            "place": str(cache.root()),
            "limit": cache.limit(),
            "size": total,
            "removed": removed,
            "kinds": {kind: {"entries": len(values), "size": sum(values)} for kind, values in sizes.items()},
        }
    )
    console.line(f"{cache.root()}, {_text(total)} of at most {_text(cache.limit())}")
    if removed:
        console.line(f"{_text(removed)} removed")
    if entries:
        _table(console, sizes)
    console.done(f"{len(entries)} entries", "softstream cache --clear" if entries else "softstream presets")


def _table(console: Console, sizes: dict[str, list[int]]) -> None:
    rows: Sequence[tuple[str, str, str, str]] = [
        (kind, PURPOSES.get(kind, ""), str(len(values)), _text(sum(values))) for kind, values in sizes.items()
    ]
    console.table("", ("kind", "holds", "entries", "size"), rows, right=("entries", "size"), fold=("holds",))


def _text(size: int) -> str:
    """A size with its unit."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
