"""The benchmark as one HTML file with its plots, and the plot of throughput against area for the README.

render(content)            # content as `bench.bench` gives it
throughput_plot(content)   # SVG, a file of its own
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.boards.tools.parts import PARTS
from softstream.scripts.measure.peers import PEERS
from softstream.scripts.page import (
    ARGMAX,
    BOUND,
    GRID,
    INK,
    MUTED,
    SOFTMAX,
    captioned,
    escape,
    page,
    standalone,
    svg,
    table,
)
from softstream.scripts.verbs.bench import COLUMNS, margin_sentence, rows, speed_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["render", "throughput_plot"]

Content = Mapping[str, Any]
_COLOURS = {"argmax": ARGMAX, "softmax": SOFTMAX}
_FAMILY = "ecp5"
"""The family of the plot of throughput against area: that of the peers' numbers."""


def _placed(content: Content) -> Iterator[tuple[str, str, Content, Content]]:
    """(variant, part, variant's entry, part's entry) of what fits."""
    for name, entry in content["variants"].items():
        for part, found in entry["parts"].items():
            if found["fits"]:
                yield name, part, entry, found


# Plots ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Label:
    """A point of the plot of throughput against area, and its name."""

    text: str
    x: float
    y: float
    colour: str


_LETTER = (4.5, 9.5)
"""Width of a letter and height of a line, in points, somewhat more than they are."""
_PLOT = (300.0, 235.0)
"""The plot inside its axes, in points, about."""


def _name(axes: "Axes", labels: Sequence[_Label]) -> None:
    """Writes every name where it is in the way of no point and of no other name, as near to its point as may be."""
    (left, right), (low, high) = np.log(axes.get_xlim()), np.log(axes.get_ylim())
    places = [
        ((np.log(label.x) - left) / (right - left) * _PLOT[0], (np.log(label.y) - low) / (high - low) * _PLOT[1])
        for label in labels
    ]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    ways = [(radius, turn) for radius in (11, 18, 27, 38, 50, 64) for turn in (2, 6, 0, 4, 1, 3, 5, 7)]

    def box(x: float, y: float, text: str, way: tuple[int, int]) -> tuple[float, float, float, float]:
        """(left, low, right, high) of a name that lies that way from its point."""
        radius, turn = way
        width = _LETTER[0] * len(text)
        across, along = np.cos(turn * np.pi / 4), np.sin(turn * np.pi / 4)
        centre = (x + across * (radius + width / 2 - 5), y + along * radius)
        return centre[0] - width / 2, centre[1] - _LETTER[1] / 2, centre[0] + width / 2, centre[1] + _LETTER[1] / 2

    def free(found: tuple[float, float, float, float]) -> bool:
        inside = found[0] > 0 and found[1] > 0 and found[2] < _PLOT[0] + 12 and found[3] < _PLOT[1]
        return inside and not any(
            found[0] < other[2] and other[0] < found[2] and found[1] < other[3] and other[1] < found[3]
            for other in taken
        )

    for label, (x, y) in zip(labels, places, strict=True):
        way = next((way for way in ways if free(box(x, y, label.text, way))), ways[0])
        found = box(x, y, label.text, way)
        taken.append(found)
        axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=((found[0] + found[2]) / 2 - x, (found[1] + found[3]) / 2 - y),
            textcoords="offset points",
            ha="center",
            va="center",
            color=label.colour,
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": label.colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}
            if way[0] > 11
            else None,
        )


def _draw_throughput(figure: "Figure", content: Content) -> None:
    axes = figure.subplots()
    points = [
        (f"{name}", entry["config"]["mode"], found["cells"]["COMB"], found["megaelements_per_second"])
        for name, part, entry, found in _placed(content)
        # What the peers compute; other members of the family stand in the table.
        if PARTS[part].family == _FAMILY and entry["config"]["mode"] in _COLOURS and not entry["config"]["mask"]
    ]
    areas = [point[2] for point in points] + [peer.comb for peer in PEERS]
    flows = [point[3] for point in points] + [peer.megaelements_per_second for peer in PEERS]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(areas) / 2.5, max(areas) * 2.5)
    axes.set_ylim(min(flows) / 2.5, max(flows) * 3)
    ends = np.array(axes.get_xlim())
    for density, text in ((1e-3, "1 k"), (1e-2, "10 k"), (1e-1, "100 k"), (1.0, "1 M")):
        axes.plot(ends, ends * density, color=GRID, linewidth=0.8, zorder=0)
        x = min(ends[1], axes.get_ylim()[1] / density)
        axes.annotate(
            text,
            (x, x * density),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color=MUTED,
            fontsize=8,
        )
    for x, y in zip(areas[len(points) :], flows[len(points) :], strict=True):
        axes.plot([x], [y], "o", markersize=5, markerfacecolor="none", markeredgecolor=MUTED)
    for _, mode, x, y in points:
        axes.plot([x], [y], "o", markersize=6, color=_COLOURS[mode])
    # What lies at the edge is named first: those in the middle have more ways to go.
    labels = [_Label(name, x, y, _COLOURS[mode]) for name, mode, x, y in points]
    labels += [_Label(peer.name, peer.comb, peer.megaelements_per_second, MUTED) for peer in PEERS]
    middle = np.median([np.log(areas), np.log(flows)], axis=1)
    _name(axes, sorted(labels, key=lambda label: -float(np.hypot(*(np.log([label.x, label.y]) - middle)))))
    axes.set_xlabel("COMB cells of an ECP5; lines: elements per second and cell")
    axes.set_ylabel("million elements per second")


def throughput_plot(content: Content) -> str:
    """Throughput against area of the variants on ECP5 and of the peers, as an SVG file."""
    plot = svg("throughput", "Throughput against area", 4.2, lambda figure: _draw_throughput(figure, content))
    return standalone(plot)


def _draw_seeds(figure: "Figure", content: Content) -> None:
    axes = figure.subplots()
    placed = list(_placed(content))
    for place, (_, part, entry, found) in enumerate(placed):
        speeds = list(found["fmax_mhz_by_seed"].values())
        axes.plot(
            speeds,
            [place] * len(speeds),
            "o",
            markersize=4,
            alpha=0.7,
            color=_COLOURS.get(entry["config"]["mode"], SOFTMAX),
        )
        axes.plot([found["fmax_mhz"]["median"]] * 2, [place - 0.35, place + 0.35], color=INK, linewidth=1.1)
        axes.plot([PARTS[part].limit(found["cells"]).mhz] * 2, [place - 0.5, place + 0.5], color=BOUND, linewidth=1.1)
    axes.set_yticks(range(len(placed)), [f"{name}, {part}" for name, part, _, _ in placed], fontsize=8)
    axes.set_ylim(len(placed) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("Fmax, MHz")


def _draw_curve(figure: "Figure", curve: Content) -> None:
    kinds = [
        cell for cell in PARTS[curve["part"]].cells if cell.group and any(cells[cell.name] for cells in curve["cells"])
    ]
    panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for axes, cell in zip(panels, kinds, strict=True):
        counts = [cells[cell.name] for cells in curve["cells"]]
        axes.plot(curve["values"], counts, "o-", color=SOFTMAX, markersize=4, linewidth=1)
        axes.set_ylim(0, 1.25 * max(counts))
        axes.set_title(cell.meaning, loc="left", color=MUTED, fontsize=9)
    if curve["values"][-1] >= 16 * curve["values"][0]:
        panels[-1].set_xscale("log", base=2)
    panels[-1].set_xticks(curve["values"], [str(value) for value in curve["values"]])
    panels[-1].minorticks_off()
    panels[-1].set_xlabel(curve["title"])


# The page ------------------------------------------------------------------------------------------------------------


def _peer_rows() -> list[tuple[str, ...]]:
    return [
        (
            peer.name,
            peer.formats,
            f"{peer.comb}",
            f"{peer.fmax_mhz:g}",
            f"{peer.elements_per_cycle:g}",
            f"{peer.megaelements_per_second:.1f}",
            f"{1e3 * peer.megaelements_per_second / peer.comb:.1f}",
            peer.source,
        )
        for peer in PEERS
    ]


def _sections(content: Content) -> Iterator[str]:
    seeds = ", ".join(map(str, content["seeds"]))
    yield f"<p>Fmax is minimum / median / maximum over placement seeds {escape(seeds)}, out of context.</p>"
    yield table(COLUMNS, rows(content))
    plots = [
        captioned(
            "Throughput against area",
            svg("throughput", "Throughput against area", 4.2, lambda figure: _draw_throughput(figure, content)),
            "ECP5, at the median Fmax or the limit of clock network and hard blocks, whichever is lower; grey: the others.",
        ),
        captioned(
            "Fmax per placement seed",
            svg(
                "seeds",
                "Fmax per placement seed",
                0.9 + 0.24 * len(list(_placed(content))),
                lambda figure: _draw_seeds(figure, content),
            ),
            "The tick is the median, the red line the specified limit of clock network and hard blocks; above it is margin.",
        ),
    ]
    for curve in content["curves"]:
        plots.append(
            captioned(
                f"Cost against {curve['title']}",
                svg(f"curve-{curve['key']}", curve["title"], 4.0, partial(_draw_curve, curve=curve)),
                f"{PARTS[curve['part']].title}, synthesised and packed.",
            )
        )
    yield f'<div class="plots">{"".join(plots)}</div>'
    yield "<h2>Critical paths</h2>"
    yield table(
        ("variant", "part", "seed", "ns", "of it logic", "stages", "lines"),
        [
            (
                name,
                part,
                f"{found['critical_path']['seed']}",
                f"{found['critical_path']['ns']:.2f}",
                f"{found['critical_path']['logic_ns']:.2f}",
                " → ".join(found["critical_path"]["stages"]),
                ", ".join(found["critical_path"]["lines"]),
            )
            for name, part, _, found in _placed(content)
        ],
    )
    above = [margin_sentence(name, part, found) for name, part, _, found in _placed(content) if found["margin_mhz"]]
    if above:
        yield f"<h2>Margin</h2><ul>{''.join(f'<li>{escape(text)}.</li>' for text in above)}</ul>"
    goals = [(name, part, found) for name, part, _, found in _placed(content) if "misses" in found]
    if goals:
        yield "<h2>Goals</h2>"
        yield table(
            ("variant", "part", "not reached"),
            [(name, part, "; ".join(found["misses"]) or "–") for name, part, found in goals],
        )
    yield "<h2>The others</h2>"
    yield "<p>Synthesised and placed for an ECP5 with the same tools, one seed.</p>"
    yield table(
        ("block", "formats", "COMB", "Fmax, MHz", "elements/cycle", "Melements/s", "kelements/s per cell", "source"),
        _peer_rows(),
    )
    if "speed" in content:
        yield f"<h2>The tool itself</h2><p>{escape(speed_sentence(content['speed']))}.</p>"


def _answer(content: Content) -> str:
    """The densest softmax against the densest of the others."""
    ours = [
        (found["kiloelements_per_second_per_cell"], name, part)
        for name, part, entry, found in _placed(content)
        if entry["config"]["mode"] == "softmax" and PARTS[part].family == _FAMILY
    ]
    if not ours:
        return ""
    density, name, part = max(ours)
    best = max(PEERS, key=lambda peer: peer.megaelements_per_second / peer.comb)
    theirs = 1e3 * best.megaelements_per_second / best.comb
    return (
        f"{name} on {part} reaches {density:.0f} thousand elements per second and logic cell, {density / theirs:.1f} times the "
        f"{theirs:.0f} thousand of {best.name}, the densest of the others."
    )


def render(content: Content) -> str:
    """The report's HTML."""
    tools = ", ".join(f"{name} {version}" for name, version in content["tools"].items())
    simulators = [row["simulator"] for entry in content["variants"].values() for row in entry["cycles"]]
    simulated = ", ".join(name for name, _ in groupby(sorted(simulators)))
    body = "\n".join(_sections(content))
    main = f"""<p class="kicker">softstream · benchmark</p>
<h1>What the heads cost and reach</h1>
<p class="answer">{escape(_answer(content))}</p>
{body}
<h2>How it was measured</h2>
<dl><dt>Tools</dt><dd>{escape(tools)}</dd><dt>Cycles</dt><dd>of the Verilog in {escape(simulated)}, equal to the plan's</dd>
<dt>softstream</dt><dd>{escape(content["softstream"])}</dd></dl>"""
    return page("softstream: benchmark", main)
