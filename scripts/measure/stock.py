"""The clock of generated Verilog in a stock flow, beside that of the flow here.

    python -m softstream.scripts.measure.stock                       # measure PRESETS_HERE, print the table
    python -m softstream.scripts.measure.stock --write               # and store it in boards/measured/stock.json
    python -m softstream.scripts.measure.stock --presets argmax-int8 # other presets, printed only

Three measurements of each preset on an ECP5, with a register behind each port. The first two have the same five placement seeds:

* `own`: the flow of the measurements here, `synth_ecp5 -nowidelut`, which moves registers into block RAMs and multipliers after
  synthesis.
* `part`: the text of `generate --part ecp5-25k` in the stock flow, `synth_ecp5` and place and route with nothing between.
* `portable`: the text of `generate` without `--part` in the stock flow.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from softstream.boards.tools.measure import Job, Progress, head_job, measure, tool_versions
from softstream.boards.tools.parts import PARTS, head_on
from softstream.hw.config.config import Config, nearest
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.verilog import CORE, TOP, port_registers, verilog
from softstream.scripts.measure.command import exit_code, store, tell
from softstream.scripts.measure.heads import clock_range, range_text
from softstream.scripts.measure.recorded import record_path

__all__ = ["COLUMNS", "MARGIN", "PART", "main", "measured", "rows", "shortfalls"]

PART = PARTS["ecp5-25k"]
STOCK = replace(PART, synthesis="synth_ecp5", moves_registers=False)
FIVE, THREE = (1, 2, 3, 4, 5), (1, 2, 3)
SEEDS = {"own": FIVE, "part": FIVE, "portable": THREE}
"""Measurement → placement seeds. The medians of three seeds vary by more than `MARGIN`, and by less than what the portable text
lacks."""
MARGIN = 0.05
"""Share of the own flow's clock that the text with `--part` may lack in the stock flow."""

PRESETS_HERE = ("softmax-int8", "sample-int8", "ensemble-probabilities-int8", "softmax-int8-temperature")
"""Heads whose clock block RAMs decide, a multiplier behind a register, a queue of an ensemble, and three multipliers."""

COLUMNS = (
    "preset",
    "own flow, MHz",
    "`--part` in the stock flow, MHz",
    "of the own flow",
    "without `--part`, MHz",
)


def _jobs(name: str, config: Config) -> dict[str, Job]:
    """Measurement → job."""
    jobs = {"own": head_job(config, PART, SEEDS["own"], f"{name}, own flow")}
    for text, technology in (("part", PART.family), ("portable", None)):
        placed = port_registers(config) + verilog(config, f"{TOP}_{CORE}", technology=technology)
        title = f"{name}, {text} text in the stock flow"
        jobs[text] = Job(verilog(config, TOP, technology=technology), STOCK, SEEDS[text], title, placed)
    return jobs


def measured(presets: Sequence[str], *, workers: int = 1, progress: Progress | None = None) -> dict[str, Any]:
    """The content of `boards/measured/stock.json`, measured now.

    Raises `UserError` for an unknown preset, `MissingTool` and `ToolFailure` as `boards.tools.measure.measure` does.
    """
    for name in presets:
        if name not in PRESETS:
            raise UserError(
                f"--presets {name}: no such preset{nearest(name, tuple(PRESETS))}; must be one of {', '.join(PRESETS)}"
            )
    jobs = {name: _jobs(name, head_on(PRESETS[name], PART)) for name in presets}
    results = iter(measure([job for row in jobs.values() for job in row.values()], workers=workers, progress=progress))
    seeds = {flow: list(numbers) for flow, numbers in SEEDS.items()}
    content: dict[str, Any] = {"tools": tool_versions([PART]), "part": PART.name, "seeds": seeds, "presets": {}}
    for name, row in jobs.items():
        entries = content["presets"][name] = {}
        for flow in row:
            result = next(results)
            entries[flow] = {
                "cells": {kind: result.cells[kind] for kind in result.available},
                "fmax_mhz": clock_range(result),
            }
    return content


def _ratio(entries: Mapping[str, Any]) -> float | None:
    """Median clock of the text with `--part` in the stock flow, as a share of the own flow's; None where one does not fit."""
    clocks = [entries[flow]["fmax_mhz"] for flow in ("part", "own")]
    if None in clocks:
        return None
    part, own = clocks
    return part["median"] / own["median"]


def shortfalls(content: Mapping[str, Any]) -> list[str]:
    """The presets whose text with `--part` lacks more than `MARGIN` of the own flow's clock."""
    ratios = {name: _ratio(entries) for name, entries in content["presets"].items()}
    return [name for name, ratio in ratios.items() if ratio is not None and ratio < 1 - MARGIN]


def rows(content: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows under `COLUMNS`; clocks are minimum / median / maximum over the seeds."""

    def clock(entry: Mapping[str, Any]) -> str:
        fmax = entry["fmax_mhz"]
        return "does not fit" if fmax is None else range_text(fmax)

    table: list[tuple[str, ...]] = []
    for name, entries in content["presets"].items():
        ratio = _ratio(entries)
        share = "–" if ratio is None else f"{100 * ratio:.0f} %"
        table.append((name, clock(entries["own"]), clock(entries["part"]), share, clock(entries["portable"])))
    return table


def _work(options: argparse.Namespace) -> int:
    if options.write and options.presets:
        raise UserError(
            f"--write --presets: the record has the presets {', '.join(PRESETS_HERE)}; omit one of the two options"
        )
    content = measured(options.presets or PRESETS_HERE, progress=tell)
    for line in (COLUMNS, *rows(content)):
        print(" | ".join(line))
    for name in shortfalls(content):
        print(f"{name}: more than {100 * MARGIN:.0f} % below the own flow")
    if options.write:
        store("stock.json", content)
        print(record_path("stock.json"))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command above; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m softstream.scripts.measure.stock", description="Clocks of generated Verilog in a stock flow."
    )
    parser.add_argument("--write", action="store_true", help="write boards/measured/stock.json")
    parser.add_argument("--presets", nargs="+", metavar="NAME", help="these instead, printed only")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _work(options))


if __name__ == "__main__":
    sys.exit(main())
