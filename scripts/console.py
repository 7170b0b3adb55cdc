"""What the verbs print: tables, plain lines, one JSON document, a progress bar; and when they print nothing.

stdout carries results, stderr everything else. With --json stdout carries one JSON document and nothing else; with
--quiet nothing is printed but errors (and the document, if it was asked for). Colours follow NO_COLOR and the terminal.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

__all__ = ["PROGRESS_AFTER_SECONDS", "Console", "Progress"]


class Progress(Protocol):
    """Takes the fraction that is done, 0 to 1, and what is being done."""

    def __call__(self, fraction: float, what: str = "", /) -> None: ...


PROGRESS_AFTER_SECONDS = 2.0
"""What takes less than this shows no progress bar."""

_STYLES = {"pass": "green", "FAIL": "bold red"}

_WIDTH_OF_A_FILE = 240
"""Columns where there is no terminal: wide enough that no table is folded."""


@dataclass(frozen=True)
class Console:
    """Where one verb prints. `as_json`: results as one document; `quiet`: no results in words."""

    as_json: bool = False
    quiet: bool = False

    @property
    def in_words(self) -> bool:
        """Whether results are printed for a person."""
        return not (self.as_json or self.quiet)

    def line(self, text: str = "") -> None:
        """One line on stdout, for a person."""
        if self.in_words:
            _rich(sys.stdout).print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """One line on stderr that is not an error: printed with --json too, not with --quiet."""
        if not self.quiet:
            _rich(sys.stderr).print(text, markup=False, highlight=False, soft_wrap=True)

    def table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
    ) -> None:
        """A table on stdout, for a person; the columns named in `right` are aligned to the right."""
        if not self.in_words:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        if title:
            self.line(title)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left")
        for row in rows:
            table.add_row(*(Text(str(cell), style=_STYLES.get(str(cell), "")) for cell in row))
        _rich(sys.stdout).print(table)

    def document(self, content: Mapping[str, Any]) -> None:
        """The JSON document on stdout, with --json only."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """A progress bar on stderr for what takes more than two seconds, on a terminal only.

        Gives the function to call with the fraction done; until its first call the bar only shows that work goes on.
        """
        if self.quiet or not sys.stderr.isatty():
            yield lambda fraction, what="": None
            return
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=_rich(sys.stderr),
            transient=True,
        )
        task = bar.add_task(label, total=None)
        timer = threading.Timer(PROGRESS_AFTER_SECONDS, bar.start)
        timer.daemon = True
        timer.start()

        def report(fraction: float, what: str = "", /) -> None:
            bar.update(
                task,
                total=1.0,
                completed=min(1.0, max(0.0, fraction)),
                description=f"{label}: {what}" if what else label,
            )

        try:
            yield report
        finally:
            timer.cancel()
            timer.join()  # or the bar could start after it was stopped
            bar.stop()


def _rich(stream: Any) -> RichConsole:
    from rich.console import Console as RichConsole

    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal without × shows ? and no traceback
    return RichConsole(file=stream, width=None if stream.isatty() else _WIDTH_OF_A_FILE)
