"""The generated tables of the README.

`python -m softstream.scripts.generated_tables` writes them anew, `--check` only compares.

Resources come from `boards/measured/resources.json`, the benchmark and its plot, `boards/measured/bench.svg`, from
`boards/measured/bench.json`, the accuracy of the network with softmax inside from the model, everything else from the
plan and from the configuration's own keys.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import KEYS
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.scripts.measure.peers import PEERS
from softstream.scripts.measure.resources import recorded
from softstream.scripts.reports.bench_report import throughput_plot
from softstream.scripts.verbs import bench, network

__all__ = ["PLOT", "SECTIONS", "main", "rewritten"]

_ROOT = Path(__file__).resolve().parents[1]
README = _ROOT / "README.md"
PLOT = _ROOT / "boards" / "measured" / "bench.svg"


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _cells(entry: dict[str, Any]) -> str:
    """`1603 LC, 12 RAM4K, 109 MHz`: the kinds that the part counts, without those that are not used."""
    counted = [f"{entry['cells'][kind]} {kind}" for kind in entry["available"] if entry["cells"][kind]]
    fmax = entry["fmax_mhz"]
    return ", ".join(counted) + ("; does not fit" if fmax is None else f"; {fmax:.0f} MHz")


def _presets() -> str:
    measured = recorded()["presets"]
    parts = [name for name in PARTS if all(name in entries for entries in measured.values())]
    rows = []
    for name, config in PRESETS.items():
        found = plan(config)
        error = "exact" if found.bound_ulp is None else f"{found.bound_ulp:.3f} ulp"
        if found.distance is not None:
            error = f"{found.distance:.2g} total variation"
        form = ", ".join(field.form or field.name for field in outputs(config)[0].fields)
        rows.append(
            (
                f"`{name}`",
                f"{'int' if config.score_signed else 'uint'}{config.score_width}, N ≤ {config.max_length}",
                form,
                error,
                found.latency_text,
                found.interval_formula,
                *(_cells(measured[name][part]) if name in measured else "–" for part in parts),
            )
        )
    header = ("preset", "scores", "output", "error bound", "first output", "next vector after", *parts)
    return _markdown(header, rows)


def _keys() -> str:
    return _markdown(
        ("key", "range", "unit", "default", "meaning"),
        [
            (
                f"`{key.name}`",
                key.range_text,
                key.unit,
                f"`{str(key.default).lower() if isinstance(key.default, bool) else key.default}`",
                key.help,
            )
            for key in KEYS
        ],
    )


def _tools() -> str:
    content = recorded()
    versions = ", ".join(f"{package} {version}" for package, version in content["tools"].items())
    parts = "; ".join(f"{name}: {PARTS[name].title}" for name in PARTS)
    return (
        f"Cells are exact, Fmax is the median of placement seeds {', '.join(map(str, content['seeds']))}, the whole top with "
        f"its AXI4-Stream edges, out of context. {parts}. Measured with {versions}."
    )


def _bench() -> str:
    content = bench.recorded()
    seeds = content["seeds"]
    found = (
        f"Fmax is minimum / median / maximum over placement seeds {', '.join(map(str, seeds))}"
        if len(seeds) > 1
        else f"Fmax is of placement seed {seeds[0]} alone"
    )
    lines = [_markdown(bench.COLUMNS, bench.rows(content)), "", f"{found}; the largest error is beside its bound."]
    if "speed" in content:
        lines[-1] += f" The tool itself: {bench.speed_sentence(content['speed'])}."
    return "\n".join(lines)


def _network() -> str:
    """The network of `softstream network`, with heads of several configurations."""
    base = PRESETS["digits-softmax"]
    changes: tuple[dict[str, Any], ...] = ({}, {"normaliser": "logarithm"}, {"probability_width": 4})
    outcomes = {}
    for change in changes:
        settings = ", ".join(f"`{key} = {value}`" for key, value in change.items())
        outcomes["hardware: `digits-softmax`" + (f", {settings}" if settings else "")] = network.evaluate(
            base.replace(**change)
        )
    return _markdown(network.COLUMNS, network.rows(outcomes))


def _peers() -> str:
    return " · ".join(f"[{peer.name}]({peer.source}), {peer.formats}".replace("<", "\\<") for peer in PEERS)


SECTIONS = {
    "presets": _presets,
    "keys": _keys,
    "tools": _tools,
    "network": _network,
    "bench": _bench,
    "peers": _peers,
}
"""Section of the README → what writes it."""


def rewritten(text: str) -> str:
    """The README's text with every generated section made anew."""
    for name, write in SECTIONS.items():
        begin, end = f"<!-- begin {name}: make tables -->", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"README.md: no section between '{begin}' and '{end}'")
        text = f"{before}{begin}\n{write()}\n{end}{after}"
    return text


def main() -> int:
    """Writes the README and its plot, or with --check tells whether they are current; returns the exit code."""
    new = {README: rewritten(README.read_text(encoding="utf-8")), PLOT: throughput_plot(bench.recorded())}
    stale = [path for path, text in new.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        print(
            "".join(f"{path.name} is out of date: make tables\n" for path in stale) or "everything is current\n", end=""
        )
        return int(bool(stale))
    for path in stale:
        path.write_text(new[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
