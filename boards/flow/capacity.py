"""What was measured on a part, in the form in which `profile = auto` is picked: from `resources.json` and `bench.json`."""

import json
from dataclasses import replace
from importlib import resources
from typing import Any

from softstream.boards.registry import Board
from softstream.boards.tools.parts import Part, part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.ports import OUTPUTS
from softstream.hw.plan.profiles import Measured, Room

__all__ = ["DOUBT", "recorded", "room_of_board", "room_of_part"]

DOUBT = 2
"""How many times over the cells of a part that is not measured may be estimated; a test holds it against a build."""


def recorded() -> dict[str, Any]:
    """Measured cells of the presets: preset → part → entry; empty where they were never measured."""
    return _content("resources.json").get("presets", {})


def _content(name: str) -> dict[str, Any]:
    file = resources.files("softstream.boards.measured") / name
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def room_of_part(name: str) -> Room:
    """The part alone: all its logic is the head's. Raises `UserError` for an unknown name."""
    row = part(name)
    logic = _logic(row)
    available = {entries[name]["available"][logic] for entries in recorded().values() if name in entries}
    return Room(name, max(available, default=0), _measured(row, link=False))


def room_of_board(row: Board, *, link: bool = True) -> Room:
    """The part of a board, with the link beside the head unless the board has none (`--demo`).

    Of a part that is not measured an ECP5's cells are taken, `DOUBT` times too many perhaps: only what is over by far is.
    """
    measured = _measured(part(row.part), link=link)
    if not row.measured:
        measured = tuple(replace(entry, cells=entry.cells // DOUBT) for entry in measured)
    return Room(row.name, row.cells, measured)


def _logic(row: Part) -> str:
    cell = row.cell("logic")
    assert cell is not None  # every part has logic
    return cell.name


def _measured(row: Part, *, link: bool) -> tuple[Measured, ...]:
    logic = _logic(row)
    found: dict[Config, tuple[int, float]] = {}

    def take(config: Config, cells: dict[str, int], mhz: float | None) -> None:
        if mhz is not None:
            found.setdefault(config, (cells[logic], min(mhz, row.limit(cells).mhz)))

    beside = dict.fromkeys(OUTPUTS, 0)
    for name, entries in recorded().items():
        if name in PRESETS and row.name in entries:
            config, entry = PRESETS[name], entries[row.name]
            take(config, entry["cells"], entry["fmax_mhz"])
            beside[config.mode] = max(beside[config.mode], entry.get("link_cells", {}).get(logic, 0))
    for variant in _content("bench.json").get("variants", {}).values():
        entry = variant["parts"].get(row.name)
        if entry is not None and entry["fits"]:
            take(Config.from_mapping(variant["config"]), entry["cells"], entry["fmax_mhz"]["median"])
    return tuple(
        Measured(config, cells + (beside[config.mode] if link else 0), mhz) for config, (cells, mhz) in found.items()
    )
