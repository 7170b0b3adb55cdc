"""What is checked in about the presets: cells and clocks as they were measured, and facts that take time to derive."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = [
    "record_path",
    "recorded",
    "recorded_bench",
    "recorded_components",
    "recorded_facts",
    "recorded_gallery",
    "recorded_pairs",
    "recorded_stock",
]


def recorded() -> dict[str, Any]:
    """The content of `boards/measured/resources.json`:

    `tools` (package → version), `seeds`, and `presets`: preset → part → `profile` (that of the part where the preset has the
    default), `cells` (by kind), `available` (what the part has),
    `fmax_mhz` (median), `fmax_mhz_by_seed`, `floor_mhz`, and `link_cells`, of the link that a board has beside the head, where it
    has one lane.
    """
    return _content("resources.json")


def recorded_bench() -> dict[str, Any]:
    """The content of `boards/measured/bench.json`, as `softstream bench` gave it."""
    return _content("bench.json")


def recorded_facts() -> dict[str, Any]:
    """The content of `boards/measured/presets.json`: preset → digest, first output, interval and bound in ulp."""
    return _content("presets.json")


def recorded_gallery() -> dict[str, Any]:
    """The content of `boards/measured/gallery.json`, which `softstream gallery --place --json` printed: `tools`, and `members`,
    each with its keys that are no defaults, and its cells and Fmax by part."""
    return _content("gallery.json")


def recorded_pairs() -> dict[str, Any]:
    """The content of `boards/measured/pairs.json`: `boards`, board → preset → `mhz` reached, `asked_mhz`, and `used`: resource →
    (used, available) of the build, and `seed` where nextpnr's own found no place; or `refused`, why place and route found no
    place."""
    return _content("pairs.json")


def recorded_components() -> dict[str, Any]:
    """The content of `boards/measured/components.json`: `tools`, `seeds`, and `components`: component → part → `cells` and
    `fmax_mhz`."""
    return _content("components.json")


def recorded_stock() -> dict[str, Any]:
    """The content of `boards/measured/stock.json`: `tools`, `seeds`, `part`, and `presets`: preset → text and flow of
    `scripts.measure.stock` → `cells` and `fmax_mhz`."""
    return _content("stock.json")


def record_path(name: str) -> Path:
    """The file of a record."""
    return Path(str(resources.files("softstream.boards.measured") / name))


def _content(name: str) -> dict[str, Any]:
    return json.loads(record_path(name).read_text(encoding="utf-8"))
