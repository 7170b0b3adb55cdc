"""`softstream keys`: the configuration keys, or one of them."""

from __future__ import annotations

import shlex

from softstream.hw.config.config import KEYS, Key
from softstream.hw.config.keys import nearest_key
from softstream.hw.errors import UserError
from softstream.scripts.console import Console

__all__ = ["keys"]


def keys(name: str | None, console: Console) -> None:
    """Prints all keys as a table, or one with every line of its own. Raises `UserError` naming the nearest key."""
    chosen = [key for key in KEYS if name in (None, key.name)]
    if not chosen:
        names = ", ".join(key.name for key in KEYS)
        raise UserError(f"unknown configuration key '{name}'{nearest_key(str(name), KEYS)}; the keys are {names}")
    console.document(
        {
            key.name: {
                "type": key.type_text,
                "range": key.range_text,
                "unit": None if key.unit == "–" else key.unit,
                "default": list(key.default) if isinstance(key.default, tuple) else key.default,
                "meaning": key.help,
            }
            for key in chosen
        }
    )
    if name is not None:
        [key] = chosen
        console.line(f"{key.name}: {key.help}")
        console.line(f"{key.type_text}; {_range(key)}; default {_default(key)}")
        setting = f"--set {shlex.quote(f'{key.name}={key.default_text}')}"
        console.line(f"for example: {setting}")
        console.done(f"{key.name} shown", f"softstream describe {setting}")
        return
    console.table(
        "",
        ("key", "default", "range", "meaning"),
        [(key.name, _default(key), _range(key), key.help) for key in KEYS],
        fold=("range", "meaning"),
        drop=("range", "default"),
    )
    console.done(f"{len(KEYS)} keys listed", f"softstream keys {KEYS[0].name}")


def _default(key: Key) -> str:
    return str(key.default).lower() if isinstance(key.default, bool) else str(key.default)


def _range(key: Key) -> str:
    return key.range_text + ("" if key.unit == "–" else f" {key.unit}")
