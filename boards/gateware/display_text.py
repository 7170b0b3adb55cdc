"""What the LEDs and displays of a board show, as text: the same resources that `winner_display` drives.

lines = display_text(board("icebreaker"))
"""

from __future__ import annotations

from amaranth import Module

from softstream.boards.gateware.winner_display import DIGITS, FEWEST_BINARY, lamps_of, requested
from softstream.boards.registry import Board

__all__ = ["display_text", "resources_of"]

_LIT, _DARK = "●", "○"
EXAMPLES = (0, 3, 10)
"""Winners that the text draws."""


def resources_of(row: Board) -> tuple[bool, int]:
    """(whether a seven-segment display shows the winner, number of LEDs), beside the link."""
    platform = row.make_platform()
    platform.request("uart", 0, dir="-")
    return requested(platform, "display_7seg") is not None, len(lamps_of(Module(), platform))


def _seven_segments(number: int) -> list[str]:
    """A hexadecimal digit in three lines."""
    a, b, c, d, e, f, g = (DIGITS[number % 16] >> bit & 1 for bit in range(7))
    return [
        f" {'_' if a else ' '} ",
        f"{'|' if f else ' '}{'_' if g else ' '}{'|' if b else ' '}",
        f"{'|' if e else ' '}{'_' if d else ' '}{'|' if c else ' '}",
    ]


def display_text(row: Board) -> list[str]:
    """Lines: how the board shows a winner, and the pictures of `EXAMPLES`."""
    display, lamps = resources_of(row)
    lines = []
    if display:
        lines.append("The seven-segment display shows the lowest hexadecimal digit of the winner's index.")
        digits = [_seven_segments(number) for number in EXAMPLES]
        lines += ["    ".join(f"{number:>9}" for number in EXAMPLES)]
        lines += ["    ".join(f"{digit[line]:>9}" for digit in digits) for line in range(3)]
    if lamps >= FEWEST_BINARY:
        lines.append(
            f"{lamps} LEDs show the lowest bits of the winner's index, LED 0 the lowest; the highest stands left."
        )
        for number in EXAMPLES:
            bits = " ".join(_LIT if number >> bit & 1 else _DARK for bit in reversed(range(lamps)))
            lines.append(f"{number:>4}  {bits}")
    elif lamps:
        which = "The LED flashes" if lamps == 1 else f"{lamps} LEDs flash together"
        lines.append(f"{which}: once for index 0, twice for index 1, up to sixteen times, then a pause.")
        for number in EXAMPLES:
            lines.append(f"{number:>4}  {' '.join([f'{_LIT} {_DARK}'] * (number + 1))} {' '.join([_DARK] * 7)}")
    return lines or ["Nothing shows the winner: with the link the board has no LED left."]
