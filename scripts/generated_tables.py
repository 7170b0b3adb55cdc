"""The generated tables, figures and pictures of the pages.

`python -m softstream.scripts.generated_tables` writes them anew, `--check` only compares.

Resources come from `boards/measured/resources.json`, the benchmark and its plot from `boards/measured/bench.json`, the
accuracy of the network with softmax inside from the model, everything else from the plan and from the keys themselves.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import KEYS
from softstream.hw.config.config import SECTIONS as SECTIONS_OF_KEYS
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.scripts.measure import proofs, stock
from softstream.scripts.measure.heads import range_text
from softstream.scripts.measure.peers import PEER_COLUMNS, PEERS, peer_rows
from softstream.scripts.measure.recorded import recorded, recorded_components, recorded_stock
from softstream.scripts.reports.bench_report import throughput_plot
from softstream.scripts.reports.datapath import datapath
from softstream.scripts.sentences import SENTENCES
from softstream.scripts.verbs import bench, network
from softstream.scripts.verbs.cost import recorded_preset_cost
from softstream.scripts.verbs.presets import PURPOSES, Facts
from softstream.sim.proofs.whole import shrunk

__all__ = ["FILES", "ROOT", "SECTIONS", "Section", "main", "pages", "rewritten"]

ROOT = Path(__file__).resolve().parents[1]


def _markdown(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _cells(entry: dict[str, Any]) -> str:
    """`1603 LC, 12 RAM4K, 109 MHz`: the kinds that the part counts, without those that are not used."""
    counted = [f"{entry['cells'][kind]} {kind}" for kind in entry["available"] if entry["cells"][kind]]
    fmax = entry["fmax_mhz"]
    return ", ".join(counted) + ("; does not fit" if fmax is None else f"; {fmax:.0f} MHz")


def _clocked_cells(name: str, part: str) -> str:
    """The same with the median of the clock that `describe --part` prints, which has more seeds where the benchmark has them."""
    known = recorded_preset_cost(name, part)
    clock = None if known.over or known.fmax_mhz is None else known.fmax_mhz["median"]
    return _cells({"cells": known.cells, "available": PARTS[part].counted, "fmax_mhz": clock})


_CHOICES = {
    "only the class": "argmax-int8",
    "probabilities (the default)": "softmax-int8",
    "probabilities with few block RAMs, without a multiplier": "softmax-int8-divider",
    "probabilities on the smallest part": "softmax-int8-small",
    "16-bit scores and probabilities": "softmax-int16",
}
"""What a reader needs → the preset that suits."""


def _choice() -> str:
    """The short table of presets: what suits whom, on the two parts that most readers know."""
    rows = []
    for need, name in _CHOICES.items():
        derived = plan(PRESETS[name])
        bound = "exact" if derived.bound_ulp is None else f"{derived.bound_ulp:.2f} ulp"
        cells = (_clocked_cells(name, part) for part in ("hx8k", "ecp5-25k"))
        rows.append((need, f"`{name}`", bound, derived.latency_text, derived.interval_formula, *cells))
    return _markdown(
        ("you need", "preset", "error at most", "latency", "interval", "iCE40 HX8K", "ECP5 25F"),
        rows,
    )


def _presets() -> str:
    rows = []
    for name, config in PRESETS.items():
        derived = plan(config)
        error = "exact" if derived.bound_ulp is None else f"{derived.bound_ulp:.3f} ulp"
        if derived.distance is not None:
            error = f"{derived.distance:.2g} total variation"
        form = ", ".join(field.form or field.name for field in outputs(config)[0].fields)
        scores = f"{'int' if config.score_signed else 'uint'}{config.score_width}, N ≤ {config.max_length}"
        rows.append((f"`{name}`", PURPOSES[name], scores, form, error, derived.latency_text, derived.interval_formula))
    header = ("preset", "purpose", "scores", "output", "error bound", "first output", "next vector after")
    return _markdown(header, rows)


def _cells_of_presets() -> str:
    measured = recorded()["presets"]
    parts = [name for name in PARTS if all(name in entries for entries in measured.values())]
    rows = [(f"`{name}`", *(_cells(measured[name][part]) for part in parts)) for name in PRESETS if name in measured]
    return _markdown(("preset", *parts), rows)


def _keys() -> str:
    """A table for each section of a TOML file."""
    parts = []
    for section, purpose in SECTIONS_OF_KEYS.items():
        rows = [
            (f"`{key.name}`", key.range_text, key.unit, f"`{key.default_text}`", key.help)
            for key in KEYS
            if key.section == section
        ]
        parts.append(f"### [{section}]\n\n{purpose[0].upper()}{purpose[1:]}.\n")
        parts.append(_markdown(("key", "range", "unit", "default", "meaning"), rows) + "\n")
    return "\n".join(parts).rstrip()


def _tools() -> str:
    content = recorded()
    versions = ", ".join(f"{package} {version}" for package, version in content["tools"].items())
    parts = "; ".join(f"{name}: {PARTS[name].title}" for name in PARTS)
    return (
        f"Cells are exact, Fmax is the median of placement seeds {', '.join(map(str, content['seeds']))}, the whole top with "
        f"its AXI4-Stream edges, out of context, with a register behind each port. A preset that names no profile is measured "
        f"with the one that `--part` picks: `fast` on an iCE40, `fastest` on an ECP5. {parts}. Measured with {versions}."
    )


def _bench() -> str:
    content = bench.recorded()
    text = f"{bench.FMAX_SENTENCE}; the largest error is beside its bound."
    lines = [_markdown(bench.COLUMNS, bench.rows(content)), "", text]
    if "speed" in content:
        lines[-1] += f" The tool itself: {bench.speed_sentence(content['speed'])}."
    return "\n".join(lines)


def _axes() -> str:
    """Clock and cells of the default over the values of one key at a time."""
    rows = []
    for curve in bench.recorded()["curves"]:
        for value, cells, fmax, bound in zip(
            curve["values"], curve["cells"], curve["fmax_mhz"], curve["bound_ulp"], strict=True
        ):
            counted = [
                f"{cells[cell.name]} {cell.name}"
                for cell in PARTS[curve["part"]].cells
                if cell.group and cells[cell.name]
            ]
            clock = "does not fit" if fmax is None else range_text(fmax)
            rows.append((f"`{curve['key']} = {value}`", clock, ", ".join(counted), f"{bound:.3f}"))
    return _markdown(("softmax-int8 with", "Fmax, MHz", "cells on ecp5-25k", "error bound, ulp"), rows)


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
    sources = {peer.name: peer.source for peer in PEERS}
    rows = [(f"[{name}]({sources[name]})", formats.replace("<", "\\<"), *rest) for name, formats, *rest in peer_rows()]
    return _markdown(PEER_COLUMNS, rows)


def _components() -> str:
    content = recorded_components()
    rows = []
    for name, parts in content["components"].items():
        for part, entry in parts.items():
            cells = ", ".join(f"{count} {kind}" for kind, count in entry["cells"].items() if count)
            rows.append((name, part, range_text(entry["fmax_mhz"]), cells))
    return _markdown(("component", "part", "Fmax, MHz", "cells"), rows)


def _stock() -> str:
    """The clock of generated text in the stock flow, and the presets that lack more than the margin."""
    content = recorded_stock()
    table = _markdown(stock.COLUMNS, [(f"`{name}`", *rest) for name, *rest in stock.rows(content)])
    short = ", ".join(f"`{name}`" for name in stock.shortfalls(content))
    margin = f"{100 * stock.MARGIN:.0f} %"
    verdict = (
        f"More than {margin} below the own flow: {short}."
        if short
        else f"All are within {margin} of the own flow, or above it."
    )
    return f"{table}\n\n{verdict}"


def _answer_of(properties: Sequence[dict[str, Any]], *beginnings: str) -> str:
    """Whether the properties whose names begin so are proved, or how many cycles hold no fault."""
    rows = [row for row in properties if row["property"].startswith(beginnings)]
    if all(row["answer"] == "proved" for row in rows):
        return "proved"
    if any(row["answer"] == "refuted" for row in rows):
        return "**refuted**"
    depths = [row.get("depth") or 0 for row in rows if row["answer"] == "open"]
    return f"open; no fault within {min(depths)} cycles" if min(depths) else "open"


def _proofs_in_small() -> str:
    """What is proved of a small head of each mode, and what is open."""
    rows = []
    for name, statements in proofs.recorded()["small"].items():
        whole, twins = (statements.get(key, {}).get("properties", ()) for key in ("whole", "independence"))
        if not whole or not twins:
            continue
        [time] = [row["property"] for row in whole if row["property"].startswith("answer and free input")]
        config = shrunk(proofs.SMALL[name])
        rows.append(
            (
                name,
                f"{config.max_length} × {config.score_width} bits",
                _answer_of(whole, "law"),
                _answer_of(whole, "results", "at most"),
                f"{_answer_of(whole, time)} ({time.rpartition('within ')[2]})",
                _answer_of(twins, "two copies"),
            )
        )
    header = ("head", "size", "law", "results, order, number", "answer and free input", "independence from contents")
    return _markdown(header, rows)


def _proofs_of_presets() -> str:
    """What is proved of every preset at its full size."""
    rows = []
    for name, statements in proofs.recorded()["presets"].items():
        law, text, counting, decision, independence = (
            _answer_of(statements[key]["properties"], word) if key in statements else "–"
            for key, word in (
                ("law", "law"), ("translation", ""), ("counting", ""), ("decision", ""), ("independence", "two copies"),
            )
        )  # fmt: skip
        spent = f"{statements['law']['cpu_seconds']:.1f}"
        response = _response(statements.get("response"))
        rows.append((f"`{name}`", law, spent, text, counting, decision, response, _rooms(statements), independence))
    header = (
        "preset",
        "law",
        "its CPU seconds",
        "Verilog = description",
        "number and order of beats and ends",
        "decision",
        "answer, free input",
        "stores with room",
        "independence from contents",
    )
    return _markdown(header, rows)


def _response(row: dict[str, Any] | None) -> str:
    """Whether a head answers in time, and the cycles of an answer and of a free input."""
    if row is None:
        return "open"
    cycles = [
        entry["property"] for entry in row["properties"] if entry["property"].startswith(("answer", "free input"))
    ]
    return f"{row['answer']} ({', '.join(text.split(' within ')[1].split()[0] for text in cycles)} cycles)"


def _rooms(statements: dict[str, Any]) -> str:
    """How many stores of a head are proved to have room."""
    if (row := statements.get("rooms")) is None:
        return "–"
    if row["answer"] != "proved":
        return f"**{row['answer']}**"
    return f"{proofs.stores_proved(statements)} of {row['stores']}"


def _contracts() -> str:
    """Which sizes of each component have a proved contract."""
    sizes: dict[str, list[str]] = {}
    for title, row in proofs.recorded()["contracts"].items():
        kind, _, size = title.partition(" of ")
        sizes.setdefault(kind, []).append(size + ("" if row["answer"] == "proved" else " (open)"))
    numbered = {
        kind: sorted(rows, key=lambda size: [int(n) for n in re.findall(r"\d+", size)]) for kind, rows in sizes.items()
    }
    return _markdown(
        ("component", "sizes in the presets, contract proved"),
        [(kind, "; ".join(filter(None, rows)) or "proved") for kind, rows in numbered.items()],
    )


def _mutation() -> str:
    """Faults in the Verilog of small heads, and what finds them."""
    rows, total = [], [0] * 6
    for name, faults in proofs.mutation_record().items():
        both = sum(row["simulation"] and row["proof"] for row in faults)
        simulation = sum(row["simulation"] and not row["proof"] for row in faults)
        proof = sum(row["proof"] and not row["simulation"] for row in faults)
        equal = sum(row["equivalent"] for row in faults)
        counts = [len(faults), both, simulation, proof, equal, len(faults) - both - simulation - proof - equal]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        rows.append((name, *map(str, counts)))
    rows.append(("all", *map(str, total)))
    real = total[0] - total[4]
    table = _markdown(
        ("head", "changes", "simulation and proof", "simulation alone", "proof alone", "no fault", "undecided"), rows
    )
    listed = [(name, row) for name, faults in proofs.mutation_record().items() for row in faults]
    premises = [
        f"- {_change(name, row)}: {row['because']}." for name, row in listed if row["equivalent"] and "because" in row
    ]
    undecided = [
        f"- {_change(name, row)}"
        for name, row in listed
        if not (row["simulation"] or row["proof"] or row["equivalent"])
    ]
    hits = real - total[5]
    share = f"{100 * hits / real:.1f} % of the {real} changes that are not shown to be no fault are found."
    if premises:
        wider = real + len(premises)
        share += (
            f" With the {len(premises)} among the others that need a premise, {100 * hits / wider:.1f} % of {wider}."
        )
    text = [table, "", share]
    for title, rows_of in (
        (
            "No fault where a premise holds, for the reason that follows; the rest is proved of the module alone:",
            premises,
        ),
        ("Undecided:", undecided),
    ):
        text += ["", title, "", *rows_of] if rows_of else []
    return "\n".join(text)


def _change(name: str, row: dict[str, Any]) -> str:
    """A fault of a head, in a line."""
    return f"{name}, `{row['module']}`: `{row['original']}` → `{row['fault']}`"


@dataclass(frozen=True)
class Section:
    """A generated part of a page, between its two markers."""

    page: str
    """Path of the page from the root of the repository."""
    write: Callable[[], str]


SECTIONS: dict[str, Section] = {
    "choice": Section("README.md", _choice),
    "presets": Section("hw/config/README.md", _presets),
    "cells": Section("hw/config/README.md", _cells_of_presets),
    "keys": Section("hw/config/README.md", _keys),
    "tools": Section("hw/config/README.md", _tools),
    "network": Section("scripts/README.md", _network),
    "bench": Section("boards/measured/README.md", _bench),
    "axes": Section("boards/measured/README.md", _axes),
    "peers": Section("boards/measured/README.md", _peers),
    "components": Section("boards/measured/README.md", _components),
    "stock": Section("boards/measured/README.md", _stock),
    "proofs_in_small": Section("sim/README.md", _proofs_in_small),
    "proofs_of_presets": Section("sim/README.md", _proofs_of_presets),
    "contracts": Section("sim/README.md", _contracts),
    "mutation": Section("sim/README.md", _mutation),
}
"""Name in the markers → page and content."""


def _preset_facts() -> str:
    """What `softstream presets` shows of the plans, which take seconds to derive."""
    return json.dumps({name: asdict(Facts.derived(name)) for name in PRESETS}, indent=1) + "\n"


FILES: dict[str, Callable[[], str]] = {
    "hw/datapath.svg": lambda: datapath(PRESETS["softmax-int8-divider"]),
    "boards/measured/presets.json": _preset_facts,
    "boards/measured/bench.svg": lambda: throughput_plot(bench.recorded()),
}
"""Path of a generated file from the root of the repository → its content."""

_ROOMS = ("hw", "sim", "boards", "scripts", "tests", ".github")


def pages() -> list[Path]:
    """Every page of the repository: the README, those of the folders, and those for contributors."""
    return [ROOT / "README.md", *(path for room in _ROOMS for path in sorted((ROOT / room).rglob("*.md")))]


def rewritten(page: str, text: str) -> str:
    """The text of a page with every generated section of it made anew, and the measured figures of its sentences.

    Raises `ValueError` if the page lacks the markers of one of its sections, or one of its sentences.
    """
    for name, section in SECTIONS.items():
        if section.page != page:
            continue
        begin, end = f"<!-- begin {name}: make tables -->", f"<!-- end {name} -->"
        before, opening, rest = text.partition(begin)
        _, closing, after = rest.partition(end)
        if not opening or not closing:
            raise ValueError(f"{page}: no section between '{begin}' and '{end}'")
        text = f"{before}{begin}\n{section.write()}\n{end}{after}"
    for sentence in SENTENCES:
        if sentence.page == page:
            text = sentence.rewritten(text)
    return text


def main() -> int:
    """Writes the generated parts, or with --check only says which are stale; returns the exit code."""
    texts = {
        page: rewritten(page, (ROOT / page).read_text(encoding="utf-8"))
        for page in sorted({row.page for row in SECTIONS.values()} | {row.page for row in SENTENCES})
    }
    texts |= {name: draw() for name, draw in FILES.items()}
    stale = [
        name
        for name, text in texts.items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        print("".join(f"{name} is out of date: make tables\n" for name in stale) or "everything is current\n", end="")
        return int(bool(stale))
    for name in stale:
        (ROOT / name).write_text(texts[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
