"""Measured cells of a part, from `resources.json` (presets), `bench.json` (variants) and `pairs.json` (builds for boards).

occupancies(part("hx8k"), link=True)       # what each measured configuration takes, the link included
room_of_board(board("icestick"))           # the same in the form in which `profile = auto` is picked
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

from softstream.boards.registry import BOARDS, Board
from softstream.boards.tools.parts import PARTS, Part, part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.profiles import Measured, Room

__all__ = [
    "DOUBT",
    "Occupancy",
    "built_presets",
    "occupancies",
    "presets_without_place",
    "recorded",
    "recorded_room",
    "room_of_board",
    "room_of_part",
]

DOUBT = 2
"""Factor by which the cells of a part that is not measured may be overestimated; a test compares it with a build."""


def recorded() -> dict[str, Any]:
    """Measured cells of the presets: preset → part → entry; empty where they were never measured."""
    return _content("resources.json").get("presets", {})


def built_presets(row: Board) -> dict[str, str]:
    """Preset → the board whose recorded build shows that it fits: this one, or one that stands for it."""
    places: dict[str, str] = {}
    for other in (row, *(other for other in BOARDS.values() if other.stands_for(row))):
        for name, entry in _pairs(other).items():
            if "refused" not in entry:
                places.setdefault(name, other.name)
    return places


def presets_without_place(row: Board) -> list[str]:
    """Presets that were built for a board and found no place on its part, although their cells fit."""
    return [name for name, entry in _pairs(row).items() if "refused" in entry]


def _pairs(row: Board) -> dict[str, Any]:
    return _content("pairs.json").get("boards", {}).get(row.name, {})


@cache
def _content(name: str) -> dict[str, Any]:
    file = resources.files("softstream.boards.measured") / name
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


@dataclass(frozen=True)
class Occupancy:
    """What a measured configuration takes of a part."""

    config: Config
    cells: int
    """Logic cells: exact for a head; with the link of a variant that is no preset, the largest link of its mode."""
    memory: int
    """Bits of block RAM, in whole blocks."""
    mhz: float | None
    """Fmax, at most the limit of the part's clock; None where the head does not fit the measured part."""


@cache
def occupancies(row: Part, *, link: bool) -> tuple[Occupancy, ...]:
    """The configurations that were measured on a part, presets first; with `link` what a board's link takes is added."""
    logic, block = _cell(row, "logic"), _cell(row, "memory")
    rows: dict[Config, Occupancy] = {}
    links: dict[str, tuple[int, int]] = {}
    for name, entries in recorded().items():
        if name not in PRESETS or row.name not in entries:
            continue
        entry = entries[row.name]
        config = PRESETS[name].replace(profile=entry["profile"])
        own = entry.get("link_cells", {})
        link_cells, link_blocks = own.get(logic, 0), own.get(block, 0)
        most = links.get(config.mode, (0, 0))
        links[config.mode] = (max(most[0], link_cells), max(most[1], link_blocks))
        rows[config] = _occupancy(row, config, entry["cells"], entry.get("fmax_mhz"), (link_cells, link_blocks), link)
    for config, parts in _variants():
        entry = parts.get(row.name)
        if entry is not None and entry["fits"] and config not in rows:
            mhz = entry["fmax_mhz"]["median"]
            rows[config] = _occupancy(row, config, entry["cells"], mhz, links.get(config.mode, (0, 0)), link)
    return tuple(rows.values())


@cache
def _variants() -> tuple[tuple[Config, dict[str, Any]], ...]:
    """Configuration of each variant of the benchmark → its entries by part."""
    variants = _content("bench.json").get("variants", {}).values()
    return tuple((Config.from_mapping(variant["config"]), variant["parts"]) for variant in variants)


def _occupancy(
    row: Part, config: Config, cells: dict[str, int], mhz: float | None, own: tuple[int, int], link: bool
) -> Occupancy:
    link_cells, link_blocks = own if link else (0, 0)
    return Occupancy(
        config,
        cells[_cell(row, "logic")] + link_cells,
        (cells.get(_cell(row, "memory"), 0) + link_blocks) * row.block_bits,
        None if mhz is None else row.usable(mhz, cells),
    )


def room_of_part(name: str) -> Room:
    """The part alone: all its logic is the head's. Raises `UserError` for an unknown name."""
    row = part(name)
    logic = _cell(row, "logic")
    available = {entries[row.name]["available"][logic] for entries in recorded().values() if row.name in entries}
    return Room(row.name, max(available, default=0), _measured(row, link=False), row.cell("multipliers") is not None)


def recorded_room(row: Part) -> Room | None:
    """The room of a part, or None where no figures of presets on it are checked in."""
    return room_of_part(row.name) if row.name in PARTS else None


def room_of_board(row: Board, *, link: bool = True) -> Room:
    """The part of a board, with the link beside the head unless the board has none (`--demo`).

    A part that is not measured gets the cells of an ECP5 over `DOUBT`, so only a large excess counts as one.
    """
    measured, multipliers = _measured(part(row.part), link=link), part(row.part).cell("multipliers") is not None
    if not row.measured:
        measured = tuple(replace(entry, cells=entry.cells // DOUBT) for entry in measured)
    return Room(row.name, row.cells, measured, multipliers and row.measured)


def _cell(row: Part, group: Literal["logic", "memory"]) -> str:
    cell = row.cell(group)
    assert cell is not None  # every part has both
    return cell.name


def _measured(row: Part, *, link: bool) -> tuple[Measured, ...]:
    return tuple(
        Measured(entry.config, entry.cells, entry.mhz) for entry in occupancies(row, link=link) if entry.mhz is not None
    )
