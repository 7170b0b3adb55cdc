"""Cells and clock of every preset: measures them, stores them in `boards/measured/resources.json`, and prints changes.

    python -m softstream.scripts.measure.resources            # compare the cells with the file; exit code 1 where they differ
    python -m softstream.scripts.measure.resources --write    # measure everything anew and write the file
    python -m softstream.scripts.measure.resources --write --links    # only what the link of a board adds to each preset

Cells are exact: the same Verilog, part and tool versions give the same numbers on every machine. Fmax is the median
of the seeds; it moves with every change of the netlist, and only a value below the recorded floor is a defect.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from softstream.boards.link.core import link_verilog
from softstream.boards.link.protocol import link_supports
from softstream.boards.tools.measure import Job, head_job, measure, tool_versions
from softstream.boards.tools.parts import PARTS, head_on
from softstream.hw.config.config import nearest
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.scripts.measure.command import exit_code, store, tell
from softstream.scripts.measure.recorded import record_path, recorded

__all__ = ["FLOOR", "SEEDS", "differences", "main", "measured"]

SEEDS = (1,)
FLOOR = 0.85
"""Floor of Fmax, as a fraction of the median. Seeds differ by about 10 %."""

Progress = Callable[[float, str], None]


def measured(
    presets: Sequence[str] = tuple(PRESETS),
    parts: Sequence[str] = tuple(PARTS),
    seeds: Sequence[int] = SEEDS,
    *,
    heads: bool = True,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The same content, measured now. Without seeds only cells, which is faster; without `heads` only the links."""
    jobs = []
    for name in presets:
        for row in parts:
            if heads:
                jobs.append(head_job(head_on(PRESETS[name], PARTS[row]), PARTS[row], seeds, name))
            if link_supports(PRESETS[name]):
                jobs.append(Job(link_verilog(PRESETS[name]), PARTS[row], (), f"the link of {name}"))
    results = iter(measure(jobs, workers=workers, progress=progress))
    content: dict[str, Any] = {
        "tools": tool_versions(PARTS[row] for row in parts),
        "seeds": list(seeds),
        "presets": {name: {} for name in presets},
    }
    for name in presets:
        for row in parts:
            entry: dict[str, Any] = {}
            if heads:
                result = next(results)
                entry |= {
                    "profile": head_on(PRESETS[name], PARTS[row]).profile,
                    "cells": dict(result.cells),
                    "available": dict(result.available),
                }
            if heads and seeds:
                mhz = result.fmax_mhz
                entry["fmax_mhz"] = mhz
                entry["fmax_mhz_by_seed"] = {str(placed.seed): placed.fmax_mhz for placed in result.placements}
                entry["floor_mhz"] = None if mhz is None else round(FLOOR * mhz, 1)
            if link_supports(PRESETS[name]):
                entry["link_cells"] = dict(next(results).cells)
            content["presets"][name][row] = entry
    return content


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Cells of `new` that differ from `old`, and clocks below their floor, one line each."""
    lines = []
    for name, parts in new["presets"].items():
        for row, entry in parts.items():
            before = old["presets"].get(name, {}).get(row)
            if before is None:
                lines.append(f"{name} on {row}: not in the file")
                continue
            for what, of in (("cells", name), ("link_cells", f"the link of {name}")):
                if what not in entry:
                    continue
                then, now = before.get(what, {}), entry[what]
                changed = [
                    f"{kind} {then.get(kind)} → {now.get(kind)}"
                    for kind in {**then, **now}
                    if then.get(kind) != now.get(kind)
                ]
                if changed:
                    lines.append(f"{of} on {row}: {', '.join(changed)}")
            mhz, floor = entry.get("fmax_mhz"), before["floor_mhz"]
            if floor is not None and mhz is not None and mhz < floor:
                lines.append(f"{name} on {row}: Fmax {mhz:.1f} MHz, below its floor of {floor:.1f} MHz")
    return lines


def _chosen(names: Sequence[str] | None, known: Mapping[str, object], what: str) -> tuple[str, ...]:
    for name in names or ():
        if name not in known:
            raise UserError(f"unknown {what} '{name}'{nearest(name, tuple(known))}; must be one of {', '.join(known)}")
    return tuple(names or known)


def _work(options: argparse.Namespace) -> int:
    presets = _chosen(options.presets, PRESETS, "preset")
    parts = _chosen(options.parts, PARTS, "part")
    if not options.write:
        changed = differences(recorded(), measured(presets, parts, (), progress=tell))
        print("\n".join(changed) or "the cells are as recorded")
        return int(bool(changed))
    path = record_path("resources.json")
    new = measured(presets, parts, heads=not options.links, progress=tell)
    if path.exists():
        print("\n".join(differences(recorded(), new)) or "the cells are as recorded before")
    if options.presets or options.parts or options.links:  # the others stay, if they were measured with the same tools
        old = recorded()
        if any(old["tools"].get(package, version) != version for package, version in new["tools"].items()):
            raise UserError(
                "--presets, --parts, --links: the file was made with other tool versions; measure everything anew"
            )
        for name, entries in new["presets"].items():
            for row, entry in entries.items():
                old["presets"].setdefault(name, {}).setdefault(row, {}).update(entry)
        new = {**old, "tools": {**old["tools"], **new["tools"]}}
    store("resources.json", new, indent=2)
    print(path)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command above; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m softstream.scripts.measure.resources", description="Cells and Fmax of presets."
    )
    parser.add_argument(
        "--write", action="store_true", help="measure with all seeds and write boards/measured/resources.json"
    )
    parser.add_argument("--links", action="store_true", help="with --write: only the links, heads stay as recorded")
    parser.add_argument("--presets", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--parts", nargs="+", metavar="NAME", help="only these")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _work(options))


if __name__ == "__main__":
    sys.exit(main())
