"""Cells and clock of one configuration on a part, as they were measured, and what its scale does to the sum.

cost_text(config, "ecp5-25k")   # 'ecp5-25k: 432 COMB, 730 FF, …; 248 MHz (checked in, median of 10 seeds)'
scale_text(config)              # 'score_scale = 0.0625: scores span 24 octaves, so the sum is exact, in 47 bits'
"""

from typing import Any

from softstream.boards.flow.capacity import recorded_room
from softstream.boards.tools.parts import part_of_any_kind as find_part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.softmax import ACCUMULATOR_LIMIT, exact_scale, numerics
from softstream.scripts.console import configuration_words
from softstream.scripts.measure.recorded import recorded, recorded_bench
from softstream.scripts.measure.variants import CURVES

__all__ = ["cost_text", "scale_text"]

_BASE = "softmax-int8"
"""The preset of a command line that names none."""


def cost_text(config: Config, part_name: str) -> str:
    """Cells and clock of exactly this configuration, with their source; else the command that measures them.

    The source is a file that is checked in, or a point of `softstream explore` in the user's cache. Raises `UserError` for an
    unknown part.
    """
    from softstream.scripts.verbs.explore import stored_outcome  # here, because its imports take as long as a plan

    part = find_part(part_name)
    entry, source = _checked_in(config, part.name), "checked in"
    if entry is None:
        automatic = config.replace(normaliser="auto", guard_bits=0) if config.traits.normalised else config
        alike = {config, _same(config), *([automatic] if _same(automatic) == _same(config) else [])}
        stored = [outcome for one in alike if (outcome := stored_outcome(one, part))]
        entry, source = max(stored, key=lambda outcome: len(outcome["seeds"]), default=None), "measured here"
    command = f"softstream explore {configuration_words(config, _BASE, recorded_room(part))} --part {part.name}"
    if entry is None:
        return f"{part.name}: not measured with these keys; {command} measures them"
    cells = ", ".join(f"{number} {name}" for name, number in entry["cells"].items() if number and name in part.counted)
    if not entry["fits"]:
        return f"{part.name}: {cells}; does not fit ({source})"
    if entry["fmax_mhz"] is None:
        return f"{part.name}: {cells} ({source}); the clock is not measured; {command} measures it"
    count = len(entry["seeds"])
    seeds = f"median of {count} seed{'s' if count > 1 else ''}"
    return f"{part.name}: {cells}; {entry['fmax_mhz']:.0f} MHz ({source}, {seeds})"


def _same(config: Config) -> Config:
    """The configuration with the choices of `auto` named, so that configurations of the same hardware are equal."""
    if not config.traits.normalised:
        return config
    return config.replace(normaliser=config.division, guard_bits=config.guard_width)


def _checked_in(config: Config, part_name: str) -> dict[str, Any] | None:
    """Cells and clock from the benchmark, which has more seeds, or from the table of the presets; None where neither has them."""
    content = recorded_bench()
    for variant in content["variants"].values():
        entry = variant["parts"].get(part_name)
        if entry is not None and _same(Config.from_mapping(variant["config"])) == _same(config):
            seeds = [*entry.get("fmax_mhz_by_seed", ())]
            return _entry(entry["cells"], entry["fmax_mhz"]["median"] if entry["fits"] else None, seeds)
    for row, curve in zip(CURVES, content["curves"], strict=True):
        for alike, cells, fmax in zip(row.configs(), curve["cells"], curve["fmax_mhz"], strict=True):
            if row.part == part_name and _same(alike) == _same(config):
                return _entry(cells, fmax["median"] if fmax else None, curve["seeds"])
    table = recorded()
    for name, entries in table["presets"].items():
        if part_name not in entries or name not in PRESETS:
            continue
        entry = entries[part_name]
        if _same(PRESETS[name].replace(profile=entry["profile"])) == _same(config):
            return _entry(entry["cells"], entry["fmax_mhz"], table["seeds"])
    return None


def _entry(cells: dict[str, int], mhz: float | None, seeds: list[Any]) -> dict[str, Any]:
    """Checked-in figures in the form of an outcome of `explore`; they lack a clock only where the head does not fit."""
    return {"cells": cells, "fits": mhz is not None, "fmax_mhz": mhz, "seeds": seeds}


def scale_text(config: Config) -> str:
    """What the scale does to the accumulator and the clock of `accumulator = auto`; empty where it decides nothing."""
    if not config.traits.normalised or config.accumulator != "auto" or config.exact_sum:
        return ""
    parts = composition(config)
    inner = config if parts is None else parts.inner
    widths = numerics(inner)
    span = f"{config.scale_text}: scores span {widths.tables.exponent_maximum + 1} octaves"
    if widths.absolute:
        return f"{span}, so the sum is exact, in {widths.accumulator_width} bits"
    remedy = f"; up to score_scale = {exact_scale(config):.2g} it is exact" if parts is None else ""
    wide = f"{span}, more than an exact sum of {ACCUMULATOR_LIMIT} bits holds, so the sum"
    if widths.windows:
        return f"{wide} has two windows of octaves, with more cells and a lower clock{remedy}"
    return f"{wide} has a running reference, with a longer critical path and a lower clock{remedy}"
