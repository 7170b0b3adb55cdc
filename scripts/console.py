"""The output of the verbs for people and for machines: tables, lines, one JSON document, a progress bar.

stdout carries results, stderr everything else. With --json stdout carries one JSON document and nothing else; with
--quiet nothing is printed but errors (and the document, if it was asked for). Colours follow NO_COLOR and the terminal.

A table fits the terminal: it folds the columns that may be folded, then drops columns and names them, and never cuts a
cell. Where stdout is no terminal it fits 80 columns; with --wide it has all columns. The variable COLUMNS sets another width.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from softstream.hw.errors import ToolFailure, UserError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from softstream.hw.config.config import Config
    from softstream.hw.plan.profiles import Room

__all__ = [
    "PIPED_COLUMNS",
    "PROGRESS_AFTER_SECONDS",
    "Console",
    "Progress",
    "configuration_text",
    "configuration_words",
    "discard_stdout",
    "duration_text",
    "settings_text",
]


class Progress(Protocol):
    """Takes the fraction of the work that is done, 0 to 1, and the step at hand."""

    def __call__(self, fraction: float, what: str = "", /) -> None: ...


PROGRESS_AFTER_SECONDS = 2.0
"""Work that takes less than this shows no progress bar."""

_STYLES = {"pass": "green", "FAIL": "bold red"}

PIPED_COLUMNS = 80
"""Columns of a table where stdout is no terminal; programs read --json."""
_GAP = "  "
_COMFORTABLE_FOLD, _LEAST_FOLD = 32, 16
"""Least characters of a folded column: while other columns can be dropped, and where none can."""
_WIDEST = 1 << 16
"""Columns of a line that is never folded."""
_COMMAND = "softstream "
"""Text of every command that a verb prints."""


def settings_text(values: Mapping[str, Any]) -> str:
    """Keys and values as `--set` takes them, separated by blanks."""
    return " ".join(f"{key}={_value_text(value)}" for key, value in values.items())


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "[" + ",".join(map(str, value)) + "]" if isinstance(value, list | tuple) else str(value)


def configuration_words(config: Config, preset: str, room: Room | None = None) -> str:
    """A configuration as a shell takes it behind a verb: a preset's name, and `--set` for each key that differs.

    `room`: what is known of the part or board of that verb, which decides a profile and a normaliser that nobody names.
    """
    from softstream.hw.config.presets import PRESETS
    from softstream.hw.plan.profiles import resolve

    base = PRESETS[preset].to_mapping()
    changes = {key: value for key, value in config.to_mapping().items() if value != base[key]}
    if room is not None:
        values = config.to_mapping()
        if "profile" not in changes:
            del values["profile"]
        picked, _ = resolve(values, room)
        if picked.profile != config.profile:
            changes["profile"] = config.profile
        if picked.normaliser != config.normaliser:
            changes["normaliser"] = config.division
    settings = [part for key, value in changes.items() for part in ("--set", f"{key}={_value_text(value)}")]
    return shlex.join([preset, *settings])


def configuration_text(config: Config, preset: str) -> str:
    """A preset's name and the settings in which a configuration differs from it: `softmax-int8 with max_length=100`."""
    from softstream.hw.config.presets import PRESETS

    base = PRESETS[preset].to_mapping()
    changes = {key: value for key, value in config.to_mapping().items() if value != base[key]}
    return f"{preset} with {settings_text(changes)}" if changes else preset


def duration_text(seconds: float) -> str:
    """A duration: `4.1 s`, `75 s`, `12 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


@dataclass(frozen=True)
class Console:
    """The output of one verb. `as_json`: results as one document; `quiet`: no results in words; `wide`: whole tables.

    Raises `UserError` where stdout is closed and results are to be printed.
    """

    as_json: bool = False
    quiet: bool = False
    wide: bool = False
    started: float = field(default_factory=time.monotonic)
    """When the verb began, for its last line."""
    configuration: str = ""
    """The verb's configuration as a shell takes it behind a verb, for the command that its last line names."""

    def __post_init__(self) -> None:
        if sys.stdout is None and (self.as_json or not self.quiet):
            raise UserError("standard output is closed; open it, or give --quiet")

    @property
    def in_words(self) -> bool:
        """Whether results are printed for a person."""
        return not (self.as_json or self.quiet)

    def line(self, text: str = "") -> None:
        """A sentence on stdout, for a person, folded to the terminal."""
        if self.in_words:
            _print(sys.stdout, self._sentence(text, sys.stdout))

    def verbatim(self, text: str) -> None:
        """A line on stdout, for a person, never folded: of a drawing, or with a command."""
        if self.in_words:
            _print(sys.stdout, text)

    def note(self, text: str) -> None:
        """One line on stderr that is not an error: printed with --json too, not with --quiet."""
        if not self.quiet and sys.stderr is not None:
            _print(sys.stderr, self._sentence(text, sys.stderr))

    def _sentence(self, text: str, stream: Any) -> str:
        """The text in lines that fit the terminal. A command stays in one line, because people copy it."""
        width = None if self.wide or _COMMAND in text else _terminal_width(stream)
        if width is None:
            return text
        return "\n".join(part for line in text.split("\n") for part in _hanging(line, width))

    @property
    def origin(self) -> str:
        """The preset or the file that the verb's configuration begins with; empty for a verb without a configuration."""
        return next(iter(shlex.split(self.configuration)), "")

    def command(self, verb: str, *words: object) -> str:
        """A command line with the configuration of this verb: what `done` names as the next one."""
        return f"softstream {' '.join(filter(None, (verb, self.configuration, shlex.join(map(str, words)))))}"

    def done(self, verdict: str, following: str) -> None:
        """The last line of a verb: the verdict, the time since its beginning, and the command that usually follows.

        The command works as it stands. `following` is empty where nothing follows.
        """
        text = f"{verdict} in {duration_text(time.monotonic() - self.started)}"
        if following:
            self.verbatim(f"{text}; next: {following}")
        else:
            self.line(text)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        right: Sequence[str] = (),
        fold: Sequence[str] = (),
        drop: Sequence[str] = (),
    ) -> None:
        """A table on stdout, for a person.

        Columns named in `right` are aligned to the right, those in `fold` may run over several lines, those in `drop` are
        left out first, in this order, where the terminal is narrow; then the others from the last one on.
        """
        if not self.in_words:
            return
        if title:
            self.line(title)
        cells = [[str(cell) for cell in row] for row in rows]
        layout = _Layout.fitting(
            columns, cells, None if self.wide else _terminal_width(sys.stdout) or PIPED_COLUMNS, fold, drop
        )
        self.line()
        for line in layout.lines(columns, cells, right):
            _print(sys.stdout, line)
        if layout.hidden:
            self.line(f"not shown, use --wide: {', '.join(columns[place] for place in layout.hidden)}")
        self.line()

    def document(self, content: Mapping[str, Any]) -> None:
        """The JSON document on stdout, with --json only. Characters that stdout cannot show are escaped."""
        if self.as_json:
            text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
            try:
                text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
            except UnicodeEncodeError:
                text = json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False)
            with _reported():
                sys.stdout.write(text + "\n")
                sys.stdout.flush()

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """A progress bar on stderr for what takes more than two seconds, on a terminal only.

        Gives the function to call with the fraction done; until its first call the bar only shows that work goes on.
        """
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
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


@dataclass(frozen=True)
class _Layout:
    """The columns of a table that are shown, each with its width."""

    widths: Mapping[int, int]
    hidden: tuple[int, ...]

    @classmethod
    def fitting(
        cls,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        limit: int | None,
        fold: Sequence[str],
        drop: Sequence[str],
    ) -> _Layout:
        """All columns, or as many as fit `limit`, the first one always."""
        natural = {place: max(map(_width, [name, *(row[place] for row in rows)])) for place, name in enumerate(columns)}
        folding = [place for place, name in enumerate(columns) if name in fold]
        named = [place for name in drop for place in range(1, len(columns)) if columns[place] == name]
        others = [place for place in range(len(columns) - 1, 0, -1) if place not in named]
        shown, hidden = list(natural), []

        def total(widths: Mapping[int, int]) -> int:
            return 1 + sum(widths[place] for place in shown) + len(_GAP) * (len(shown) - 1)

        def folded(width: int) -> dict[int, int]:
            """Widths with the columns folded to `width` where no word is longer, because words are never cut."""
            texts = {place: [columns[place], *(row[place] for row in rows)] for place in folding}
            words = {
                place: max([width, *(_width(word) for text in texts[place] for word in text.split())])
                for place in texts
            }
            return natural | {place: min(natural[place], words[place]) for place in folding}

        # The named columns give way before a folded one becomes narrow, the others only if that is not enough.
        for width, places in ((_COMFORTABLE_FOLD, named), (_LEAST_FOLD, others)):
            least = folded(width)
            for place in places:
                if limit is not None and place in shown and total(least) > limit:
                    shown.remove(place)
                    hidden.append(place)
        widths = {place: natural[place] for place in shown}
        while limit is not None and total(widths) > limit:
            widest = max(shown, key=lambda place: widths[place] - least[place])
            if widths[widest] == least[widest]:
                break
            widths[widest] -= 1
        return cls(widths, tuple(sorted(hidden)))

    def lines(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> Iterator[Any]:
        """The heading, a rule and the rows, as text with its styles."""
        from rich.text import Text

        def padded(place: int, text: str) -> str:
            blanks = " " * (self.widths[place] - _width(text))
            return blanks + text if columns[place] in right else text + blanks

        rule = ["─" * width for width in self.widths.values()]
        yield f" {_GAP.join(padded(place, columns[place]) for place in self.widths)}".rstrip()
        yield f" {'──'.join(rule)}"
        for row in rows:
            folded = {place: _folded(row[place], width) for place, width in self.widths.items()}
            for number in range(max(map(len, folded.values()))):
                line = Text(" ")
                for place in self.widths:
                    text = folded[place][number] if number < len(folded[place]) else ""
                    line.append(padded(place, text), style=_STYLES.get(text))
                    line.append(_GAP)
                line.rstrip()
                yield line


def _folded(text: str, width: int) -> list[str]:
    """The lines of a cell, broken at blanks only."""
    if _width(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _hanging(line: str, width: int) -> list[str]:
    """The lines of a sentence, broken at blanks only; those behind the first are indented by two more blanks."""
    if _width(line) <= width:
        return [line]
    margin = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line,
        max(width, len(margin) + _LEAST_FOLD),
        subsequent_indent=margin + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def _terminal_width(stream: Any) -> int | None:
    """Columns of the terminal; None where the stream is none, unless the variable COLUMNS is set."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    return _rich(stream).width if stream.isatty() else None


@contextmanager
def _reported() -> Iterator[None]:
    """Raises `ToolFailure` where stdout or stderr takes no more; a reader that is gone is not reported."""
    try:
        yield
    except BrokenPipeError:
        discard_stdout()
        raise SystemExit(1) from None
    except OSError as error:
        discard_stdout()
        raise ToolFailure(f"standard output: cannot be written ({error.strerror or error})") from None


def discard_stdout() -> None:
    """Sends the rest of stdout to the null device, so that the interpreter does not fail at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(stream: Any, text: Any) -> None:
    with _reported():
        _rich(stream).print(text, markup=False, highlight=False, soft_wrap=True)


def _rich(stream: Any) -> RichConsole:
    from rich.console import Console as RichConsole

    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal without × shows ? and no traceback
    plain: dict[str, Any] = {"color_system": None} if os.environ.get("NO_COLOR") else {}
    return RichConsole(file=stream, width=None if stream.isatty() else _WIDEST, **plain)
