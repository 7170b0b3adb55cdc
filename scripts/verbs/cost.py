"""Cells and clock of one configuration on a part, as they were measured, and what its scale does to the sum.

cost_text(config, "ecp5-25k")    # 'ecp5-25k: … COMB, … FF, …; … MHz, … to … (checked in, median and range of … seeds)'
misfit_text(config, "hx8k")      # 'hx8k: … LC, …; does not fit: takes … of … RAM4K (checked in); recorded to fit: …'
scale_text(config)               # 'score_scale = 0.0625: scores span 24 octaves, so the sum is exact, in 47 bits'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from softstream.boards.flow.capacity import recorded_room
from softstream.boards.tools.measure import shortages
from softstream.boards.tools.parts import BENCH_PARTS, Part
from softstream.boards.tools.parts import part_of_any_kind as find_part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.softmax import ACCUMULATOR_LIMIT, exact_scale, numerics
from softstream.scripts.console import configuration_words
from softstream.scripts.measure.heads import range_of_seeds
from softstream.scripts.measure.recorded import recorded, recorded_bench
from softstream.scripts.measure.variants import CURVES

__all__ = ["Cost", "cost", "cost_json", "cost_text", "misfit_text", "recorded_preset_cost", "scale_text"]

_BASE = "softmax-int8"
"""The preset of a command line that names none."""


@dataclass(frozen=True)
class Cost:
    """Cells and clock of a configuration on a part, as they were measured."""

    cells: Mapping[str, int]
    over: tuple[str, ...]
    """Of what the part has too few, such as `38 of 32 RAM4K`; empty where the head fits."""
    fmax_mhz: Mapping[str, float] | None
    """`minimum`, `median` and `maximum` over the seeds; None where it was not placed or does not fit."""
    seeds: int
    source: str


def cost(config: Config, part: Part) -> Cost | None:
    """What is known of exactly this configuration: a row of a file that is checked in, else what `softstream explore` measured.

    None where neither has it.
    """
    from softstream.scripts.verbs.explore import stored_outcome  # here, because its imports take as long as a plan

    if (checked_in := _recorded_cost(config, part.name)) is not None:
        return checked_in
    automatic = config.replace(normaliser="auto", guard_bits=0) if config.traits.normalised else config
    same = _same(config)
    best = stored_outcome({config, same, *([automatic] if _same(automatic) == same else [])}, part)
    if best is None:
        return None
    fmax = range_of_seeds(best["fmax_mhz_by_seed"].values())
    return Cost(best["cells"], tuple(best["over"]), fmax, len(best["seeds"]), "measured here")


def cost_text(config: Config, part_name: str) -> str:
    """Cells and clock of exactly this configuration, with their source; else the command that measures them.

    Of a head that does not fit it names the parts that one is recorded to fit. Raises `UserError` for an unknown part.
    """
    part = find_part(part_name)
    return _text(config, part, cost(config, part))


def _text(config: Config, part: Part, known: Cost | None) -> str:
    command = f"softstream explore {configuration_words(config, _BASE, recorded_room(part))} --part {part.name}"
    if known is None:
        return f"{part.name}: not measured with these keys; {command} measures them"
    cells = ", ".join(f"{number} {name}" for name, number in known.cells.items() if number and name in part.counted)
    if known.over:
        others = " or ".join(_where_it_fits(config, part).values())
        return (
            f"{part.name}: {cells}; does not fit: takes {', '.join(known.over)} ({known.source})"
            f"{f'; recorded to fit: {others}' if others else ''}"
        )
    if known.fmax_mhz is None:
        return f"{part.name}: {cells} ({known.source}); the clock is not measured; {command} measures it"
    fmax = known.fmax_mhz
    clock, seeds = f"{fmax['median']:.0f} MHz", "median of 1 seed"
    if known.seeds > 1:
        clock += f", {fmax['minimum']:.0f} to {fmax['maximum']:.0f}"
        seeds = f"median and range of {known.seeds} seeds"
    return f"{part.name}: {cells}; {clock} ({known.source}, {seeds})"


def misfit_text(config: Config, part_name: str) -> str:
    """The same text where a measurement says that the head does not fit the part; empty otherwise."""
    part = find_part(part_name)
    known = cost(config, part)
    return _text(config, part, known) if known is not None and known.over else ""


def cost_json(config: Config, part_name: str) -> dict[str, Any]:
    """What is known of the configuration on the part, as plain values; `measured` is None where nothing is."""
    part = find_part(part_name)
    known = cost(config, part)
    if known is None:
        return {"part": part.name, "measured": None, "fits": None, "recorded_to_fit": []}
    measured = {
        "cells": dict(known.cells),
        "over": list(known.over),
        "fmax_mhz_range": None if known.fmax_mhz is None else dict(known.fmax_mhz),
        "seeds": known.seeds,
        "source": known.source,
    }
    others = list(_where_it_fits(config, part)) if known.over else []
    return {"part": part.name, "measured": measured, "fits": not known.over, "recorded_to_fit": others}


def _where_it_fits(config: Config, part: Part) -> dict[str, str]:
    """The other parts that a record shows the head to fit, with the profile of the part if need be → the text of each."""
    texts: dict[str, str] = {}
    for name, other in BENCH_PARTS.items():
        for profile in (config.profile, other.profile):
            known = None if name == part.name else _recorded_cost(config.replace(profile=profile), name)
            if known is not None and not known.over:
                texts.setdefault(name, name if profile == config.profile else f"{name} with profile = {profile}")
    return texts


def _same(config: Config) -> Config:
    """The configuration with the choices of `auto` named, so that configurations of the same hardware are equal."""
    if not config.traits.normalised:
        return config
    return config.replace(normaliser=config.division, guard_bits=config.guard_width)


def _recorded_cost(config: Config, part_name: str) -> Cost | None:
    """Cells and clock from the benchmark, which has more seeds, or from the table of the presets; None where neither has them."""
    content = recorded_bench()
    same = _same(config)
    for variant in content["variants"].values():
        entry = variant["parts"].get(part_name)
        if entry is not None and _same(Config.from_mapping(variant["config"])) == same:
            clocks = entry.get("fmax_mhz_by_seed", {})
            return _entry_cost(entry["cells"], entry["available"], range_of_seeds(clocks.values()), len(clocks))
    for row, curve in zip(CURVES, content["curves"], strict=True):
        for alike, cells, fmax in zip(row.configs(), curve["cells"], curve["fmax_mhz"], strict=True):
            if row.part == part_name and _same(alike) == same:
                return _entry_cost(cells, _available(part_name), fmax, len(curve["seeds"]))
    for name, entries in recorded()["presets"].items():
        if part_name not in entries or name not in PRESETS:
            continue
        entry = entries[part_name]
        if _same(PRESETS[name].replace(profile=entry["profile"])) == same:
            clocks = entry.get("fmax_mhz_by_seed", {})
            return _entry_cost(entry["cells"], entry["available"], range_of_seeds(clocks.values()), len(clocks))
    return None


def recorded_preset_cost(name: str, part_name: str) -> Cost:
    """The same of a preset with the profile that its table has for the part. Raises `KeyError` for a part without a row."""
    known = _recorded_cost(PRESETS[name].replace(profile=recorded()["presets"][name][part_name]["profile"]), part_name)
    assert known is not None  # the table itself has it
    return known


def _available(part_name: str) -> dict[str, int]:
    """What a part has, by kind of cell."""
    entries = [*recorded()["presets"].values(), *(row["parts"] for row in recorded_bench()["variants"].values())]
    return next((parts[part_name]["available"] for parts in entries if part_name in parts), {})


def _entry_cost(
    cells: Mapping[str, int], available: Mapping[str, int], fmax: Mapping[str, float] | None, seeds: int
) -> Cost:
    return Cost(cells, shortages(cells, available), fmax, seeds, "checked in")


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
