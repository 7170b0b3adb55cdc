"""Pairs of a board and a preset that were built: `boards/measured/pairs.json` has clock and cells. `softstream boards` lists no
others.

    python -m softstream.scripts.measure.pairs                        # what should fit, and lacks a build
    python -m softstream.scripts.measure.pairs --write icestick fomu  # builds what these boards lack, and records it

A build stands for every board with the same die, no slower a speed grade and no higher a clock (`Board.stands_for`), so a pair
that another board's build shows to fit is not missing. A pair for which place and route finds no place is recorded with what it
takes; to build it again, remove its entry. Another failure is printed and not recorded. Builds are cached, so a run that was
interrupted goes on where it was.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from softstream.boards.flow.build import build
from softstream.boards.flow.fit import expected_presets, fitting_presets
from softstream.boards.registry import BOARDS, Board, board
from softstream.boards.tools.parts import head_on, part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import SoftstreamError, UserError
from softstream.scripts.measure.command import exit_code, store
from softstream.scripts.measure.recorded import recorded_pairs

__all__ = ["main", "missing", "on_board", "pairs"]


def on_board(name: str, row: Board) -> Config:
    """A preset as `build` takes it for a board: with the profile of its part where it names none."""
    return head_on(PRESETS[name], part(row.part))


def pairs(row: Board) -> list[str]:
    """The presets that are listed for a board; none where a vendor's tools make the bitstream."""
    return [] if row.vendor else fitting_presets(row)


def missing(names: Sequence[str] = tuple(BOARDS)) -> Iterator[tuple[str, str]]:
    """(board, preset) of the pairs that should fit and that no build shows to fit, where the package index has the tools.

    Of boards that stand for each other the first is named, and one that stands for others comes before them.
    """
    chosen = [board(name) for name in names if not board(name).vendor]
    rows = sorted(chosen, key=lambda row: -sum(row.stands_for(other) for other in chosen))
    named: list[tuple[Board, str]] = []
    for row in rows:
        for preset_name in expected_presets(row):
            if not any(other.stands_for(row) and preset_name == shown for other, shown in named):
                named.append((row, preset_name))
                yield row.name, preset_name


def _built(name: str, preset_name: str) -> dict[str, Any]:
    row = board(name)
    with tempfile.TemporaryDirectory() as folder:
        report = build(on_board(preset_name, row), row, Path(folder) / "out").report
    assert report is not None  # the row has tools
    seed = {} if report.seed is None else {"seed": report.seed}
    return {"mhz": report.reached_mhz, "asked_mhz": report.asked_mhz, "used": report.used, **seed}


def _add(name: str, preset_name: str, entry: dict[str, Any]) -> None:
    """Adds a pair to the record, in the order of the boards."""
    record = recorded_pairs()["boards"]
    record.setdefault(name, {})[preset_name] = entry
    store("pairs.json", {"boards": {known: record[known] for known in BOARDS if known in record}})


def _work(options: argparse.Namespace) -> int:
    failures = 0
    for name, preset_name in list(missing(options.boards or tuple(BOARDS))):
        if not options.write:
            print(f"{name} {preset_name}: not built")
            continue
        try:
            entry = _built(name, preset_name)
        except UserError as error:
            entry = {"refused": str(error).partition(": ")[2].partition("; ")[0]}
        except SoftstreamError as error:
            failures += 1
            print(f"{name} {preset_name}: {error}", flush=True)
            continue
        _add(name, preset_name, entry)
        print(f"{name} {preset_name}: {entry.get('refused') or str(entry['mhz']) + ' MHz'}", flush=True)
    return int(failures > 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command above; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m softstream.scripts.measure.pairs",
        description="Builds of the pairs of board and preset that should fit.",
    )
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="only these")
    parser.add_argument("--write", action="store_true", help="build what the record lacks, and add it")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _work(options))


if __name__ == "__main__":
    sys.exit(main())
