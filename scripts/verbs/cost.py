"""Cells and clock of one configuration on a part, as they were measured, and what its scale does to the sum.

cost_text(config, "ecp5-25k")   # 'ecp5-25k: 432 COMB, 730 FF, …; 248 MHz (checked in, median of 10 seeds)'
scale_text(config)              # 'score_scale = 0.0625: scores span 24 octaves, so the sum is exact, in 47 bits'
"""

import json
from importlib import resources
from typing import Any

from softstream.boards.tools.parts import part_of_any_kind as find_part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.softmax import ACCUMULATOR_LIMIT, exact_scale, numerics
from softstream.scripts.console import settings_text
from softstream.scripts.measure.recorded import recorded

__all__ = ["cost_text", "scale_text"]

_SEEDS = (1,)
"""Seeds of `softstream explore` where nobody gives a number."""
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
        entry, source = stored_outcome(config, part, _SEEDS), "measured here"
    if entry is None:
        command = f"softstream explore {_arguments(config)} --part {part.name}"
        return f"{part.name}: not measured with these keys; {command} measures them"
    cells = ", ".join(f"{number} {name}" for name, number in entry["cells"].items() if number and name in part.counted)
    if entry["fmax_mhz"] is None:
        return f"{part.name}: {cells}; does not fit ({source})"
    count = entry.get("seeds", len(_SEEDS))
    seeds = f"median of {count} seed{'s' if count > 1 else ''}"
    return f"{part.name}: {cells}; {entry['fmax_mhz']:.0f} MHz ({source}, {seeds})"


def _arguments(config: Config) -> str:
    """The configuration as arguments: the default preset, and an option for each key that differs from it."""
    base = PRESETS[_BASE].to_mapping()
    changes = {key: value for key, value in config.to_mapping().items() if value != base[key]}
    return " ".join([_BASE, *(f"--set {settings_text({key: value})}" for key, value in changes.items())])


def _same(config: Config) -> Config:
    """The configuration with the choices of `auto` named, so that configurations of the same hardware are equal."""
    if not config.traits.normalised:
        return config
    return config.replace(normaliser=config.division, guard_bits=config.guard_width)


def _checked_in(config: Config, part_name: str) -> dict[str, Any] | None:
    """Cells and clock from the benchmark, which has more seeds, or from the table of the presets; None where neither has them."""
    text = (resources.files("softstream.boards.measured") / "bench.json").read_text(encoding="utf-8")
    content = json.loads(text)
    for variant in content["variants"].values():
        entry = variant["parts"].get(part_name)
        if entry is not None and _same(Config.from_mapping(variant["config"])) == _same(config):
            mhz = entry["fmax_mhz"]["median"] if entry["fits"] else None
            return {"cells": entry["cells"], "fmax_mhz": mhz, "seeds": len(entry.get("fmax_mhz_by_seed", ()))}
    table = recorded()
    for name, entries in table["presets"].items():
        if part_name not in entries or name not in PRESETS:
            continue
        entry = entries[part_name]
        if _same(PRESETS[name].replace(profile=entry["profile"])) == _same(config):
            return {"cells": entry["cells"], "fmax_mhz": entry["fmax_mhz"], "seeds": len(table["seeds"])}
    return None


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
        return f"{wide} has two windows of octaves, with more flip-flops and the same clock{remedy}"
    return f"{wide} has a running reference, with a longer critical path and a lower clock{remedy}"
