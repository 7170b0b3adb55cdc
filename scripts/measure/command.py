"""What the commands that measure have in common: progress and errors on stderr, and the record that they write."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from softstream.hw.errors import SoftstreamError
from softstream.hw.output import written_file
from softstream.scripts.measure.recorded import record_path

__all__ = ["exit_code", "store", "tell"]


def tell(fraction: float, what: str) -> None:
    """Prints a step of the work, with the share that is done."""
    print(f"{100 * fraction:3.0f} % {what}", file=sys.stderr)


def exit_code(work: Callable[[], int]) -> int:
    """The exit code of a command: that of its work, or of the error that ended it, which is one line."""
    try:
        return work()
    except SoftstreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def store(name: str, content: Mapping[str, Any], *, indent: int = 1) -> None:
    """Writes a record of `boards/measured`, whole or not at all. Raises `UserError` where it cannot be written."""
    with written_file("--write", record_path(name)) as temporary:
        temporary.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")
