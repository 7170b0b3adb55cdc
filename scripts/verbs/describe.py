"""`softstream describe`: the plan of a configuration, for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from softstream.boards.tools.measure import head_job, measure
from softstream.boards.tools.parts import part_of_any_kind
from softstream.hw.config.config import KEYS, Config
from softstream.hw.output import check_file, written_file
from softstream.hw.plan.derive import plan
from softstream.scripts.console import Console
from softstream.scripts.verbs.cost import cost_json, cost_text, scale_text
from softstream.scripts.verbs.data_path import data_path

__all__ = ["describe"]


def describe(
    config: Config,
    console: Console,
    *,
    every_key: bool = False,
    part_name: str | None = None,
    output: Path | None = None,
    render: Callable[[Config], str] | None = None,
) -> None:
    """Prints the plan: data path, stages, formats, latency and interval with their values, tables, error bound in ulp.

    With `every_key` it prints the configuration keys too. With a part it also prints the cells and the clock of this
    configuration there, or the command that measures them; for a part without checked-in figures, the cells
    that synthesis counts. `output`: a file for the page that `render` makes of the configuration.
    """
    if output is not None:
        check_file("-o", output)
    derived = plan(config)
    row = None if part_name is None else part_of_any_kind(part_name)
    cells: Mapping[str, int] = {}
    if row is not None and not row.packs:
        with console.progress("synthesising") as progress:
            [measured] = measure([head_job(config, row, ())], progress=progress)
        cells = measured.cells
    if output is not None and render is not None:
        page = render(config)
        with written_file("-o", output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    extra: dict[str, Any] = {}
    if row is not None and cells:
        extra = {"part": row.name, "cells": dict(cells), "no_clock": row.no_clock}
    if row is not None and not row.no_clock and console.as_json:
        extra["cost"] = cost_json(config, row.name)
    console.document({**derived.to_json(), **extra})
    _keys(config, console, every_key)
    if not every_key:
        console.line()
    console.line("data path, with the format behind each stage")
    console.line()
    for text in data_path(derived).lines():
        console.verbatim(text)
    console.line()
    console.table(
        "stages, in data-path order",
        *derived.stage_table(),
        right=("latency", "table bits", "error, ulp"),
        fold=("computes", "in"),
        drop=("table bits", "in", "out", "interval"),
    )
    header, rows = derived.cycle_table()
    console.table(derived.cycle_text, header, rows, right=header)
    if row is not None and cells:
        rows = [(cell.name, str(cells[cell.name]), cell.meaning) for cell in row.cells]
        console.table(f"cells on {row.title}, before packing", ("cell", "number", "meaning"), rows, right=("number",))
        if row.no_clock:
            console.line(f"no clock on {row.name}: {row.no_clock}")
    for line in derived.notes():
        console.line(line)
    if scale := scale_text(config):
        console.line(scale)
    if row is not None and not row.no_clock:
        console.line(cost_text(config, row.name))
    verdict = (
        f"{len(derived.stages)} stages described"
        if output is None
        else f"{output}: page of {len(derived.stages)} stages"
    )
    console.done(verdict, console.command("generate", "-o", "build/head"))


def _keys(config: Config, console: Console, every_key: bool) -> None:
    """The keys that were given and have no effect; with `every_key` a table of all keys instead."""
    known = {key.name: key for key in KEYS}
    if every_key:
        rows = []
        for name, value in config.to_mapping().items():
            key = known[name]
            default = "" if getattr(config, name) == key.default else key.default_text
            rows.append((name, key.value_text(value), default, key.section))
        console.table("every key", ("key", "value", "default", "section"), rows)
        return
    inert = ", ".join(f"{name} = {known[name].value_text(value)}" for name, value in config.without_effect().items())
    if inert:
        console.line(f"note: without effect in mode {config.mode} with these keys: {inert}")
