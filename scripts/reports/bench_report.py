"""The benchmark as one HTML file with its plots, and the plot of throughput against area for the README.

render(content)            # content as `bench.bench` gives it
throughput_plot(content)   # SVG, a file of its own
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.boards.tools.parts import BENCH_PARTS
from softstream.scripts.measure.peers import PEER_COLUMNS, PEERS, peer_rows
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
from softstream.scripts.verbs.bench import COLUMNS, FMAX_SENTENCE, margin_sentence, rows, speed_sentence

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
        for part, placed in entry["parts"].items():
            if placed["fits"]:
                yield name, part, entry, placed


# Plots ---------------------------------------------------------------------------------------------------------------


_BLOCK_CELLS = {"DP16KD": 434, "MULT18": 867}
"""Cells that a block RAM and a multiplier count as: an LFE5U-25F has 24288 COMB, 56 block RAMs and 28 multipliers."""


_BLOCK_NAMES = {"DP16KD": "block RAM", "MULT18": "multiplier"}

_AREA_SENTENCE = (
    "The area counts COMB or flip-flops, whichever is more, and each hard block by its share of an LFE5U-25F: "
    + " and ".join(f"{weight} cells for a {kind}" for kind, weight in _BLOCK_CELLS.items())
    + "."
)


def _area(cells: Mapping[str, int]) -> int:
    """Area on an ECP5 in cells: COMB or flip-flops, of which a slice has as many, whichever is more, and the hard blocks."""
    return max(cells["COMB"], cells["FF"]) + sum(cells[kind] * weight for kind, weight in _BLOCK_CELLS.items())


@dataclass(frozen=True)
class _Point:
    """One design in the plot of throughput against area."""

    mark: str
    """Number or letter at the point and in the list."""
    name: str
    area: int
    throughput: float
    colour: str
    filled: bool


def _points(content: Content) -> list[_Point]:
    """The heads, numbered by throughput, and the others, lettered likewise."""
    heads = [
        (placed["megaelements_per_second"], name, placed["cells"], _COLOURS[entry["config"]["mode"]])
        for name, part, entry, placed in _placed(content)
        # The others compute softmax; other members of the family stand in the table.
        if BENCH_PARTS[part].family == _FAMILY and entry["config"]["mode"] in _COLOURS and not entry["config"]["mask"]
    ]
    others = sorted(PEERS, key=lambda peer: -peer.megaelements_per_second)
    points = [
        _Point(str(number), name, _area(cells), throughput, colour, True)
        for number, (throughput, name, cells, colour) in enumerate(sorted(heads, key=lambda head: -head[0]), 1)
    ]
    points += [
        _Point(letter, peer.name, _area(peer.cells), peer.megaelements_per_second, MUTED, False)
        for letter, peer in zip(ascii_uppercase, others, strict=False)
    ]
    return points


_LETTER = (6.2, 9.0)
"""Width of a letter and height of a line, in points, somewhat more than they are."""
_PLOT = (304.0, 232.0)
"""Size of the plot inside its axes, in points, approximately."""
_CROWDED, _SAME, _CLEAR = 25.0, 2.0, 3.0
"""Distances in points: of points that compete for the places of their marks, of points on the same place, of leader lines."""


@dataclass(frozen=True)
class _Box:
    """A rectangle of the plot, in points."""

    left: float
    low: float
    right: float
    high: float

    def overlaps(self, other: "_Box") -> bool:
        return self.left < other.right and other.left < self.right and self.low < other.high and other.low < self.high


def _mark(axes: "Axes", points: Sequence[_Point]) -> None:
    """Writes the mark of each point near it, where it covers neither a point nor another mark."""
    (left, right), (low, high) = np.log(axes.get_xlim()), np.log(axes.get_ylim())
    centres = [
        ((np.log(p.area) - left) / (right - left) * _PLOT[0], (np.log(p.throughput) - low) / (high - low) * _PLOT[1])
        for p in points
    ]
    boxes = [_Box(x - 3.5, y - 3.5, x + 3.5, y + 3.5) for x, y in centres]
    turns = (4, 12, 0, 8, 2, 6, 10, 14, 1, 3, 5, 7, 9, 11, 13, 15)  # above, below, right, left, then aslant
    steps = [(radius, turn) for radius in (8, 12, 17, 23, 30, 38) for turn in turns]

    def box(x: float, y: float, text: str, step: tuple[int, int]) -> _Box:
        radius, turn = step
        width = _LETTER[0] * len(text)
        x, y = x + np.cos(turn * np.pi / 8) * (radius + width / 2 - 3), y + np.sin(turn * np.pi / 8) * radius
        return _Box(x - width / 2, y - _LETTER[1] / 2, x + width / 2, y + _LETTER[1] / 2)

    def crowd(place: int) -> int:
        return sum(np.hypot(*np.subtract(other, centres[place])) < _CROWDED for other in centres)

    def clear(x: float, y: float, place: _Box) -> bool:
        """Whether a leader line to the point passes no other point; those on the same place are no others."""
        end = np.array([(place.left + place.right) / 2, (place.low + place.high) / 2])
        line = end + np.linspace(0, 1, 12)[:, None] * (np.array([x, y]) - end)
        others = [centre for centre in centres if np.hypot(*np.subtract(centre, (x, y))) > _SAME]
        return all(np.hypot(*(line - np.array(other)).T).min() > _CLEAR for other in others)

    for number in sorted(range(len(points)), key=crowd, reverse=True):  # crowded points have the fewest free places
        point, (x, y) = points[number], centres[number]
        candidates = [(step, box(x, y, point.mark, step)) for step in steps]
        free = [one for one in candidates if not any(one[1].overlaps(other) for other in boxes)]
        step, place = next((one for one in free if clear(x, y, one[1])), (free or candidates)[0])
        boxes.append(place)
        axes.annotate(
            point.mark,
            (point.area, point.throughput),
            xytext=((place.left + place.right) / 2 - x, (place.low + place.high) / 2 - y),
            textcoords="offset points",
            ha="center",
            va="center",
            color=point.colour,
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": point.colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
            if step[0] > 8
            else None,
        )


def _list(axes: "Axes", points: Sequence[_Point]) -> None:
    """Names behind the marks, in two columns."""
    rows = (len(points) + 1) // 2
    axes.set_axis_off()
    axes.set_xlim(0, 2)
    axes.set_ylim(rows, 0)
    for place, point in enumerate(points):
        column, row = divmod(place, rows)
        axes.text(column + 0.06, row + 0.5, point.mark, color=point.colour, fontsize=8, ha="right", va="center")
        axes.text(column + 0.1, row + 0.5, point.name, color=point.colour, fontsize=8, ha="left", va="center")


_THROUGHPUT_HEIGHT = 6.2
"""Height of the plot of throughput against area with its list, in inches."""


def _draw_throughput(figure: "Figure", content: Content) -> None:
    points = _points(content)
    axes, listing = figure.subplots(2, 1, height_ratios=(3.9, 2.3))
    areas, flows = [point.area for point in points], [point.throughput for point in points]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(areas) / 1.8, max(areas) * 4)
    axes.set_ylim(min(flows) / 2, max(flows) * 5)
    ends = np.array(axes.get_xlim())
    for density, text in ((1e-3, "1 k"), (1e-2, "10 k"), (1e-1, "100 k"), (1.0, "1 M")):
        axes.plot(ends, ends * density, color=GRID, linewidth=0.8, zorder=0)
        x = min(ends[1], axes.get_ylim()[1] / density)
        offset: Any = {"xytext": (-3, -3), "textcoords": "offset points", "ha": "right", "va": "top"}
        axes.annotate(text, (x, x * density), color=MUTED, fontsize=8, **offset)
    for point in points:
        face = point.colour if point.filled else "none"
        axes.plot(
            [point.area], [point.throughput], "o", markersize=5, markerfacecolor=face, markeredgecolor=point.colour
        )
    _mark(axes, points)
    _list(listing, points)
    weights = " + ".join(f"{weight} per {_BLOCK_NAMES[kind]}" for kind, weight in _BLOCK_CELLS.items())
    axes.set_xlabel(f"area on an ECP5: COMB or FF + {weights}\nlines: elements per second and cell", fontsize=8.5)
    axes.set_ylabel("million elements per second")


def throughput_plot(content: Content) -> str:
    """Throughput against area of the variants on ECP5 and of the peers, as an SVG file."""
    plot = svg(
        "throughput", "Throughput against area", _THROUGHPUT_HEIGHT, lambda figure: _draw_throughput(figure, content)
    )
    return standalone(plot)


def _draw_seeds(figure: "Figure", points: Sequence[tuple[str, str, Content, Content]]) -> None:
    axes = figure.subplots()
    for place, (_, part, entry, placed) in enumerate(points):
        speeds = list(placed["fmax_mhz_by_seed"].values())
        axes.plot(
            speeds,
            [place] * len(speeds),
            "o",
            markersize=4,
            alpha=0.7,
            color=_COLOURS.get(entry["config"]["mode"], SOFTMAX),
        )
        axes.plot([placed["fmax_mhz"]["median"]] * 2, [place - 0.35, place + 0.35], color=INK, linewidth=1.1)
        limit = BENCH_PARTS[part].usable(math.inf, placed["cells"])
        axes.plot([limit] * 2, [place - 0.5, place + 0.5], color=BOUND, linewidth=1.1)
    several = len({part for _, part, _, _ in points}) > 1
    names = [f"{name}, {part}" if several else name for name, part, _, _ in points]
    axes.set_yticks(range(len(points)), names, fontsize=8)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("Fmax, MHz")


def _seed_plots(content: Content) -> Iterator[str]:
    """A plot for each family of parts, so that the two stand side by side."""
    families: dict[str, list[tuple[str, str, Content, Content]]] = {}
    for point in _placed(content):
        families.setdefault(BENCH_PARTS[point[1]].family, []).append(point)
    for family, points in families.items():
        parts = ", ".join(dict.fromkeys(part for _, part, _, _ in points))
        yield captioned(
            f"Fmax per placement seed: {parts}",
            svg(
                f"seeds-{family}",
                f"Fmax per placement seed on {parts}",
                0.9 + 0.2 * len(points),
                partial(_draw_seeds, points=points),
            ),
            "The tick is the median, the red line the device limit of clock network and hard blocks; Fmax above it is margin.",
        )


def _draw_curve(figure: "Figure", curve: Content) -> None:
    kinds = [
        cell
        for cell in BENCH_PARTS[curve["part"]].cells
        if cell.group and any(cells[cell.name] for cells in curve["cells"])
    ]
    panels = figure.subplots(len(kinds) + 1, 1, sharex=True, squeeze=False)[:, 0]
    for axes, cell in zip(panels, kinds, strict=False):
        counts = [cells[cell.name] for cells in curve["cells"]]
        axes.plot(curve["values"], counts, "o-", color=SOFTMAX, markersize=4, linewidth=1)
        axes.set_ylim(0, 1.25 * max(counts))
        axes.set_title(cell.meaning, loc="left", color=MUTED, fontsize=9)
    placed = [(value, fmax) for value, fmax in zip(curve["values"], curve["fmax_mhz"], strict=True) if fmax is not None]
    medians = [fmax["median"] for _, fmax in placed]
    spread = [
        [fmax["median"] - fmax["minimum"] for _, fmax in placed],
        [fmax["maximum"] - fmax["median"] for _, fmax in placed],
    ]
    panels[-1].errorbar(
        [value for value, _ in placed], medians, spread, fmt="o-", color=SOFTMAX, markersize=4, linewidth=1
    )
    panels[-1].set_ylim(bottom=0)
    panels[-1].set_title("Fmax, MHz: median and range of the seeds", loc="left", color=MUTED, fontsize=9)
    if curve["values"][-1] >= 16 * curve["values"][0]:
        panels[-1].set_xscale("log", base=2)
    panels[-1].set_xticks(curve["values"], [str(value) for value in curve["values"]])
    panels[-1].minorticks_off()
    panels[-1].set_xlabel(curve["title"])


# The page ------------------------------------------------------------------------------------------------------------


def _sections(content: Content) -> Iterator[str]:
    yield f"<p>{FMAX_SENTENCE}, out of context, with a register behind each port.</p>"
    yield table(COLUMNS, rows(content))
    plots = [
        captioned(
            "Throughput against area",
            svg(
                "throughput",
                "Throughput against area",
                _THROUGHPUT_HEIGHT,
                lambda figure: _draw_throughput(figure, content),
            ),
            "ECP5, at the median Fmax or the limit of clock network and hard blocks, whichever is lower; grey: other blocks. "
            + _AREA_SENTENCE,
        ),
    ]
    for curve in content["curves"]:
        if "fmax_mhz" not in curve:  # the file is of a version that placed no curves
            continue
        plots.append(
            captioned(
                f"Cost against {curve['title']}",
                svg(f"curve-{curve['key']}", curve["title"], 4.0, partial(_draw_curve, curve=curve)),
                f"{BENCH_PARTS[curve['part']].title}; everything else as in the preset softmax-int8.",
            )
        )
    yield f'<div class="plots">{"".join(plots)}</div>'
    yield f'<div class="plots">{"".join(_seed_plots(content))}</div>'
    yield "<h2>Critical paths</h2>"
    yield table(
        ("variant", "part", "seed", "ns", "of which logic", "stages", "lines"),
        [
            (
                name,
                part,
                f"{placed['critical_path']['seed']}",
                f"{placed['critical_path']['ns']:.2f}",
                f"{placed['critical_path']['logic_ns']:.2f}",
                " → ".join(placed["critical_path"]["stages"]),
                ", ".join(placed["critical_path"]["lines"]),
            )
            for name, part, _, placed in _placed(content)
        ],
    )
    above = [margin_sentence(name, part, placed) for name, part, _, placed in _placed(content) if placed["margin_mhz"]]
    if above:
        yield f"<h2>Margin</h2><ul>{''.join(f'<li>{escape(text)}.</li>' for text in above)}</ul>"
    goals = [(name, part, placed) for name, part, _, placed in _placed(content) if "misses" in placed]
    if goals:
        yield "<h2>Targets</h2>"
        yield table(
            ("variant", "part", "missed targets"),
            [(name, part, "; ".join(placed["misses"]) or "–") for name, part, placed in goals],
        )
    yield "<h2>Other blocks</h2>"
    yield (
        "<p>Placed for an ECP5 with the same tools, one seed, behind the stock synthesis. The last three columns are behind the "
        "synthesis of the heads, where that was measured.</p>"
    )
    yield table(PEER_COLUMNS, peer_rows(), links={peer.name: peer.source for peer in PEERS})
    if "speed" in content:
        yield f"<h2>Speed of the tool</h2><p>{escape(speed_sentence(content['speed']))}.</p>"


def _answer(content: Content) -> str:
    """The softmax with the highest throughput per cell against the best of the other blocks."""
    ours = [
        (placed["kiloelements_per_second_per_cell"], name, part)
        for name, part, entry, placed in _placed(content)
        if entry["config"]["mode"] == "softmax" and BENCH_PARTS[part].family == _FAMILY
    ]
    if not ours:
        return ""
    density, name, part = max(ours)
    best = max(PEERS, key=lambda peer: peer.megaelements_per_second / peer.cells["COMB"])
    theirs = 1e3 * best.megaelements_per_second / best.cells["COMB"]
    return (
        f"{name} on {part} reaches {density:.0f} thousand elements per second and logic cell, {density / theirs:.1f} times the "
        f"{theirs:.0f} thousand of {best.name}, the best of the other blocks."
    )


def render(content: Content) -> str:
    """The report's HTML."""
    tools = ", ".join(f"{name} {version}" for name, version in content["tools"].items())
    simulators = [row["simulator"] for entry in content["variants"].values() for row in entry["cycles"]]
    simulated = ", ".join(name for name, _ in groupby(sorted(simulators)))
    body = "\n".join(_sections(content))
    main = f"""<p class="kicker">softstream · benchmark</p>
<h1>Cells, clock and throughput of the heads</h1>
<p class="answer">{escape(_answer(content))}</p>
{body}
<h2>How it was measured</h2>
<dl><dt>Tools</dt><dd>{escape(tools)}</dd><dt>Cycles</dt><dd>of the Verilog in {escape(simulated)}, equal to the plan</dd>
<dt>softstream</dt><dd>{escape(content["softstream"])}</dd></dl>"""
    return page("softstream: benchmark", main, broad=True)
