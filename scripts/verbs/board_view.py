"""The live view of `run-on-board`: progress, throughput and the last vectors, on a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from softstream.hw.config.config import Config
from softstream.scripts.console import Console

if TYPE_CHECKING:
    from softstream.boards.link.host import Answer, Link

__all__ = ["BoardView", "bar_text", "board_view", "vector_text"]

SECONDS = 0.2
"""Time between two pictures."""
VECTORS = 4
"""Vectors that the view shows."""
ELEMENTS = 3
"""Largest probabilities of a vector that the view shows."""
_BLOCKS = " ▏▎▍▌▋▊▉█"


def bar_text(fraction: float, width: int) -> str:
    """A bar of `width` characters, in steps of an eighth of a character."""
    eighths = round(min(1.0, max(0.0, fraction)) * 8 * width)
    whole, part = divmod(eighths, 8)
    return (_BLOCKS[8] * whole + (_BLOCKS[part] if part else "")).ljust(width)


def vector_text(config: Config, answer: Answer, width: int = 6) -> str:
    """The result of one vector in a line: its largest probabilities as bars, or its values."""
    if not config.traits.probabilities or "probabilities" not in answer.arrays:
        parts = [f"{name} {values.ravel()[0]}" for name, values in answer.arrays.items() if values.dtype != bool]
        return ", ".join(parts)
    codes = answer["probabilities"][0]
    shares = (codes - config.output_zero_point) / config.levels
    order = sorted(range(len(shares)), key=lambda place: -shares[place])[:ELEMENTS]
    return "  ".join(f"{place:>3} {bar_text(shares[place], width)} {100 * shares[place]:5.1f} %" for place in order)


class BoardView:
    """The picture: it follows a link while a self-test runs."""

    def __init__(self, config: Config, link: Link, width: int) -> None:
        self._config, self._link, self._width = config, link, width
        self._start, self._drawn = time.monotonic(), 0.0
        self._fraction, self._what = 0.0, ""
        self._vectors: deque[tuple[int, str]] = deque(maxlen=VECTORS)

    def lines(self) -> list[str]:
        """The lines of the picture."""
        link, seconds = self._link, max(time.monotonic() - self._start, 1e-9)
        moved = link.bytes_sent + link.bytes_received
        bar = bar_text(self._fraction, 24)
        rows = [
            f"{bar} {100 * self._fraction:3.0f} %  {self._what}",
            f"{link.vectors} vectors, {link.vectors / seconds:.0f}/s; {moved / seconds:.0f} bytes/s; {seconds:.0f} s",
        ]
        rows += [f"{number:>7}  {text}" for number, text in self._vectors]
        return [row[: self._width] for row in rows]

    def update(self, fraction: float, what: str = "", /) -> bool:
        """Takes the state of the work; returns whether a picture is due."""
        self._fraction, self._what = fraction, what
        now = time.monotonic()
        if now - self._drawn < SECONDS:
            return False
        self._drawn = now
        answer = self._link.latest()
        if answer is not None:
            self._vectors.append((self._link.vectors, vector_text(self._config, answer)))
        return True


@contextmanager
def board_view(config: Config, link: Link, console: Console) -> Iterator[Any]:
    """Gives the function that takes fraction and step of a self-test. Without a terminal at stderr it shows nothing."""
    if console.quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda fraction, what="": None
        return
    from rich.console import Console as RichConsole
    from rich.live import Live
    from rich.text import Text

    screen = RichConsole(file=sys.stderr)
    view = BoardView(config, link, screen.width)
    with Live(Text(""), console=screen, auto_refresh=False, transient=True) as live:

        def report(fraction: float, what: str = "", /) -> None:
            if view.update(fraction, what):
                live.update(Text("\n".join(view.lines()), no_wrap=True), refresh=True)

        yield report
