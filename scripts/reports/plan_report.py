"""The plan of a configuration as one HTML page: the data path as a picture, cycles, memory, error, keys and ports.

    text = render(config, "softmax-int8 with max_length=64")

The same configuration gives the same bytes. The page needs no network, follows light and dark schemes, and prints.
"""

from collections.abc import Iterator, Sequence

import softstream
from softstream.hw.config.config import KEYS, Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.records import Plan
from softstream.scripts.page import escape, page, table
from softstream.scripts.reports.datapath import datapath
from softstream.scripts.verbs.cost import scale_text

__all__ = ["render"]

_WIDTH, _NAME, _LINE = 360, 118, 22
"""Units of a chart: as wide as a phone, so that its letters stay legible there."""
_LEGIBLE = 0.8
"""Pixels for a unit of the picture of the data path, at the least."""


def _bars(label: str, rows: Sequence[tuple[str, int]], unit: str) -> str:
    """A bar for each row, from the same zero, with its value behind it, as SVG."""
    largest = max((value for _, value in rows), default=0) or 1
    longest = max(len(f"{value:,} {unit}") for _, value in rows)
    room = _WIDTH - _NAME - 10 - 7.5 * longest
    lines = []
    for place, (name, value) in enumerate(rows):
        y, length = place * _LINE, max(1.0, room * value / largest) if value else 0.0
        count = f"{value:,}".replace(",", " ")
        lines.append(
            f'<text x="0" y="{y + 15}" fill="currentColor">{escape(name)}</text>'
            f'<rect x="{_NAME}" y="{y + 4}" width="{length:.1f}" height="14" fill="var(--softmax)"/>'
            f'<text x="{_NAME + length + 6:.1f}" y="{y + 15}" fill="var(--muted)">{count} {unit}</text>'
        )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_LINE * len(rows)}" role="img" aria-label="{escape(label)}" font-size="12.5" '
        f'style="max-width:{_WIDTH * 1.15:.0f}px" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(lines)}</svg>'
    )


def _figure(title: str, drawing: str, caption: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>\n{drawing}\n<figcaption>{escape(caption)}</figcaption></figure>"


def _facts(derived: Plan) -> Iterator[tuple[str, str]]:
    config = derived.config
    yield f"{derived.latency_text}", "cycles to the first result"
    yield f"{derived.interval_formula}", "cycles from vector to vector"
    if derived.bound_ulp is not None:
        yield f"{derived.bound_ulp:.3f} ulp", "largest error, for every input"
    elif derived.distance is None:
        yield "exact", "no rounding error"
    else:
        yield f"{derived.distance:.2g}", "total variation from softmax, at the most"
    yield f"{(derived.table_bits + derived.memory_bits) / 1024:.1f} Kibit", "tables and memories of scores"
    yield f"{config.max_length}", "scores in the longest vector"


def _charts(derived: Plan) -> str:
    """The chart of the cycles, and beside it those of memory and error, one below the other."""
    latency = _figure(
        "Latency",
        _bars(
            "Latency of each stage in cycles",
            [(stage.name, stage.latency_cycles) for stage in derived.stages],
            "cycles",
        ),
        f"Cycles of each of {len(derived.stages)} stages, in the order of the data path. Branches work side by side, and the "
        f"first result leaves after {derived.latency_text} cycles for a vector of N.",
    )
    others = []
    stores = [(stage.name, stage.table_bits + stage.memory_bits) for stage in derived.stages]
    stores = [row for row in stores if row[1]]
    if stores:
        drawing = _bars("Bits of tables and memories of each stage", stores, "bits")
        text = f"Bits of tables ({derived.table_bits:,}) and of memories of scores ({derived.memory_bits:,})."
        others.append(_figure("Memory", drawing, text.replace(",", " ")))
    shares = [(stage.name, round(1000 * stage.bound_share_ulp)) for stage in derived.stages if stage.bound_share_ulp]
    if len(shares) > 1:
        drawing = _bars("Share of each stage in the error bound", shares, "‰ ulp")
        others.append(
            _figure("Error", drawing, f"Shares of the bound, in thousandths of an ulp. {derived.bound_text}.")
        )
    column = f'<div style="display:grid;gap:1.25rem;min-width:0">{"".join(others)}</div>' if others else ""
    return f'<div class="plots">{latency}{column}</div>'


def _keys(config: Config) -> Iterator[tuple[str, str, str]]:
    known = {key.name: key for key in KEYS}
    for name, value in config.relevant().items():
        key = known[name]
        text = key.value_text(value)
        yield name, text, "" if text == key.default_text else key.default_text


def render(config: Config, title: str) -> str:
    """The page of a configuration; `title` names it, for example by its preset and what differs."""
    derived = plan(config)
    facts = "".join(f"<li><b>{escape(value)}</b><small>{escape(text)}</small></li>" for value, text in _facts(derived))
    drawing = datapath(config, alone=False)
    width = int(drawing.partition('viewBox="0 0 ')[2].partition(" ")[0])
    drawing = drawing.replace(
        "<svg ", f'<svg style="min-width:{_LEGIBLE * width:.0f}px;width:100%;max-width:{width}px" ', 1
    )
    columns, rows = derived.stage_table()
    lengths, cycles = derived.cycle_table()
    scale = scale_text(config)
    notes = "".join(f"<p>{escape(note)}</p>" for note in [*derived.notes(), *([scale] if scale else [])])
    stages = [tuple(str(cell) for cell in row) for row in rows]
    ports = [(port.name, port.direction, str(port.width), port.meaning) for port in derived.ports]
    main = f"""<p class="kicker">softstream · the plan of a head, mode {escape(config.mode)}</p>
<h1>{escape(title)}</h1>
<ul class="facts">{facts}</ul>
<h2>Data path</h2>
<div class="scroll wide" tabindex="0" role="region" aria-label="Data path">{drawing}</div>
<p class="muted">A box has a stage with its formula, the format of its result and its latency. A pointer on a box shows more.</p>
{_charts(derived)}
<h2>Cycles</h2>
<p>{escape(derived.cycle_text[0].upper() + derived.cycle_text[1:])}.</p>
{table(lengths, [tuple(map(str, row)) for row in cycles])}
<h2>Notes</h2>
{notes}
<h2>Stages</h2>
{table(columns, stages)}
<h2>Configuration</h2>
{table(("key", "value", "default"), list(_keys(config)))}
<h2>Ports</h2>
{table(("port", "direction", "bits", "meaning"), ports)}
<dl><dt>Digest</dt><dd>{config.digest}</dd><dt>softstream</dt><dd>{escape(softstream.__version__)}</dd></dl>"""
    return page(f"softstream: {title}", main)
