"""The comparison as one HTML file with tables, plots and provenance; it opens from disk, without a network.

    write_html(compare(preset("digits-softmax")), Path("report.html"))

The same comparison gives the same bytes. Plots are inline SVG with the colours and fonts of the page, so they follow its
light and dark schemes.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softstream.hw.output import written_file
from softstream.hw.plan.texts import decimals
from softstream.scripts.console import settings_text
from softstream.scripts.measure.float_error import ulp_text
from softstream.scripts.measure.score_range import share_text
from softstream.scripts.measure.statistics import CALIBRATION
from softstream.scripts.page import ARGMAX, BOUND, GRID, MUTED, SOFTMAX, captioned, dots, escape, page, raised, svg
from softstream.scripts.reports.range_figure import range_figure
from softstream.scripts.verbs.compare import Comparison, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["render", "write_html"]


def write_html(comparison: Comparison, path: Path) -> None:
    """Write the report, whole or not at all. Raises `UserError` where `path` cannot be written."""
    text = render(comparison)
    with written_file("-o", path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


# Plots ---------------------------------------------------------------------------------------------------------------


def _bounds(axes: "Axes", comparison: Comparison) -> None:
    """Lines at the proved bound, above and below, and at that of a saturated 1.0, which errs downwards only."""
    p = comparison.probabilities
    for sign in (1, -1):
        axes.axhline(sign * p.bound_ulp, color=BOUND, linewidth=1.1)
    places = [(p.bound_ulp, f"bound {p.bound_ulp:.3f}", "bottom")]
    if p.worst_ulp > p.bound_ulp:
        axes.axhline(-p.worst_ulp, color=BOUND, linewidth=1.1, linestyle=(0, (4, 3)))
        places.append((-p.worst_ulp, f"bound where 1.0 saturates, {p.worst_ulp:.0f}", "top"))
    for height, text, where in places:
        axes.annotate(
            text,
            (0.01, height),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2 if where == "bottom" else -2),
            textcoords="offset points",
            va=where,
            color=BOUND,
            fontsize=9.5,
        )
    axes.axhline(0, color=GRID, linewidth=0.8, zorder=0)
    axes.set_ylim(*_error_limits(comparison))
    axes.set_ylabel("error, ulp")


def _error_limits(comparison: Comparison) -> tuple[float, float]:
    p = comparison.probabilities
    reach = max(p.worst_ulp, p.worst_error_ulp)
    return -1.25 * reach, 1.25 * max(p.bound_ulp, min(reach, p.maximum_error_ulp))


def _draw_error(figure: "Figure", comparison: Comparison) -> None:
    p = comparison.probabilities
    axes = figure.subplots()
    x, smallest = _decades(axes, comparison, p.exact)
    dots(axes, x, p.error_ulp, (smallest, 0.0, *_error_limits(comparison)), SOFTMAX)
    _bounds(axes, comparison)
    axes.set_xlabel("probability of the codes")


def _decades(axes: "Axes", comparison: Comparison, probabilities: np.ndarray) -> tuple[np.ndarray, float]:
    """Draws an axis of probabilities; returns their logarithms and the smallest that is shown."""
    smallest = float(-(comparison.config.probability_width + 5) * np.log10(2))
    decades = np.arange(np.ceil(smallest), 1)
    ticks = decades[:: -max(1, -(-len(decades) // 5))].astype(int)
    axes.set_xticks(ticks, ["1" if tick == 0 else f"10{raised(tick)}" for tick in ticks])
    axes.set_xlim(smallest - 0.05, 0.05)
    return np.log10(np.maximum(probabilities, 10.0**smallest)), smallest


def _draw_given_error(figure: "Figure", comparison: Comparison) -> None:
    p = comparison.probabilities
    axes = figure.subplots()
    x, smallest = _decades(axes, comparison, p.given_exact)
    reach = 1.15 * max(float(np.abs(p.given_error_ulp).max(initial=0.0)), p.worst_ulp)
    dots(axes, x, p.given_error_ulp, (smallest, 0.0, -reach, reach), SOFTMAX)
    for sign in (1, -1):
        axes.axhline(sign * p.worst_ulp, color=BOUND, linewidth=1.1)
    axes.axhline(0, color=GRID, linewidth=0.8, zorder=0)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("error, ulp")
    axes.set_xlabel("probability of the given floats")


def _draw_sweep(figure: "Figure", comparison: Comparison) -> None:
    sweep = comparison.probabilities.sweep
    assert sweep is not None
    axes = figure.subplots()
    reach = (comparison.config.probability_width + 4) * np.log(2)  # beyond it the smaller probability is below 2^−4 ulp
    shown = np.abs(sweep.difference) <= max(reach, 2 * comparison.config.effective_scale)
    x, low, high = sweep.difference[shown], sweep.lowest[shown], sweep.highest[shown]
    group = max(1, -(-len(x) // 600))
    starts = np.arange(0, len(x), group)
    x, low, high = x[starts], np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
    axes.fill_between(x, low, high, color=SOFTMAX, alpha=0.35, linewidth=0)
    for edge in (low, high):
        axes.plot(x, edge, "o-" if len(x) < 50 else "-", color=SOFTMAX, linewidth=0.8, markersize=3)
    _bounds(axes, comparison)
    axes.set_xlim(x[0], x[-1])
    axes.set_xlabel("first score − second score, nats")


def _draw_reliability(figure: "Figure", comparison: Comparison) -> None:
    bins = [b for b in comparison.probabilities.reliability if b.count]
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    width = [b.high - b.low for b in bins]
    upper.bar(
        [b.low for b in bins], [b.accuracy for b in bins], width, align="edge", color=SOFTMAX, alpha=0.35, linewidth=0
    )
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    upper.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o", markersize=4, color=SOFTMAX)
    upper.set_ylim(0, 1.04)
    upper.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    upper.set_ylabel("accuracy")
    lower.bar([b.low for b in bins], [b.count for b in bins], width, align="edge", color=MUTED, alpha=0.5, linewidth=0)
    most = max(b.count for b in bins)
    for b in bins:
        lower.annotate(
            str(b.count),
            ((b.low + b.high) / 2, b.count),
            xytext=(0, 1),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
        )
    lower.set_ylim(0, 1.45 * most)
    lower.set_yticks([])
    lower.spines["left"].set_visible(False)
    lower.set_ylabel("vectors")
    lower.set_xlim(0, 1)
    lower.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    lower.set_xlabel("confidence: probability of the winner")


def _resource_panels(comparison: Comparison) -> list[tuple[str, list[tuple[float, float]]]]:
    """(quantity, (argmax, softmax) of each part), for the resources that any part uses."""
    titles = {
        "logic": "logic cells",
        "registers": "flip-flops",
        "memory": "block RAMs",
        "multipliers": "multipliers",
    }
    panels = []
    for group, title in titles.items():
        pairs = []
        for part in comparison.parts:
            cell = part.cell(group)  # type: ignore[arg-type]
            sides = (comparison.argmax, comparison.softmax)
            counts = [0 if cell is None else side.measurements[part.name].cells[cell.name] for side in sides]
            pairs.append((float(counts[0]), float(counts[1])))
        if any(max(pair) > 0 for pair in pairs):
            panels.append((title, pairs))
    speeds = [
        (
            comparison.argmax.measurements[part.name].fmax_mhz or 0.0,
            comparison.softmax.measurements[part.name].fmax_mhz or 0.0,
        )
        for part in comparison.parts
    ]
    return [*panels, *([("Fmax, MHz", speeds)] if any(not part.no_clock for part in comparison.parts) else [])]


def _draw_resources(figure: "Figure", comparison: Comparison) -> None:
    panels = _resource_panels(comparison)
    grid = figure.subplots(len(panels), len(comparison.parts), squeeze=False)
    for row, (title, pairs) in enumerate(panels):
        for column, (part, pair) in enumerate(zip(comparison.parts, pairs, strict=True)):
            axes = grid[row][column]
            for place, (value, color) in enumerate(zip(pair, (ARGMAX, SOFTMAX), strict=True)):
                axes.barh(place, value, height=0.72, color=color, linewidth=0)
                text = f"{value:.0f}"
                if "MHz" in title:
                    text = f"{value:.1f}" if value else "–"
                axes.annotate(
                    text, (value, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=9.5
                )
            axes.set_xlim(0, 1.35 * max(*pair, 1e-9))  # room for the number
            axes.set_ylim(1.6, -0.6)
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            axes.set_yticks([0, 1], ["argmax", "softmax"] if column == 0 else ["", ""])
            axes.tick_params(length=0)
            axes.set_title(f"{part.name}: {title}", loc="left", color=MUTED, fontsize=9.5)


# The page ------------------------------------------------------------------------------------------------------------


def _table(rows: Sequence[Row]) -> str:
    """A table with a column for each head that has a value; units and references stand behind the quantity."""
    heads = [head for head in ("argmax", "softmax") if any(getattr(row, head) for row in rows)]
    titles = "".join(f'<th scope="col"><span class="key" style="background: var(--{h})"></span>{h}</th>' for h in heads)
    lines = [f'<div class="scroll"><table><thead><tr><th scope="col"></th>{titles}</tr></thead><tbody>']
    for row in rows:
        notes = ", ".join(note for note in (row.unit, row.reference) if note)
        small = f" <small>{escape(notes)}</small>" if notes else ""
        cells = "".join(f"<td>{escape(getattr(row, head) or '–')}</td>" for head in heads)
        lines.append(f'<tr><th scope="row">{escape(row.quantity)}{small}</th>{cells}</tr>')
    lines.append("</tbody></table></div>")
    return "\n".join(lines)


def _facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    c, d, p = comparison, comparison.decisions, comparison.probabilities
    flips = max(d.argmax_flips, d.softmax_flips)
    yield f"{flips} of {c.data.vectors}", f"decisions differ from those of the given {c.scores.kind}"
    if p.float_error is not None:
        total, quantisation = p.float_error.total.largest, p.float_error.quantisation.largest
        yield (
            f"{ulp_text(total)} ulp",
            f"largest error against the given floats; quantising the scores costs up to {ulp_text(quantisation)}",
        )
        yield share_text(c.scores.saturated_share), f"of the scores saturate: {c.scores.saturated} of {c.scores.count}"
    saturated = f", {p.worst_ulp:.0f} where 1.0 saturates" if p.worst_ulp > p.bound_ulp else ""
    yield (
        f"{decimals(p.maximum_error_ulp, 3)} ulp",
        f"largest error that the hardware adds; proved bound {p.bound_ulp:.3f}{saturated}",
    )
    yield (
        f"{c.argmax.last_output_cycle} → {c.softmax.last_output_cycle}",
        f"cycles from first input to last output, N = {c.length}",
    )
    for part in c.parts:
        cell = part.cell("logic")
        assert cell is not None
        few, many = (side.measurements[part.name].cells[cell.name] for side in (c.argmax, c.softmax))
        yield f"{few} → {many}", f"{cell.name}, {cell.meaning}, on {part.name}"


def _error_figures(comparison: Comparison) -> Iterator[str]:
    p = comparison.probabilities
    config = comparison.config
    ulp = f"1 ulp is {f'1/{config.levels}' if config.rescales else f'2{raised(-config.probability_width)}'}"
    of = f"{len(p.exact)} probabilities of {comparison.data.vectors} vectors"
    if p.float_error is not None:
        yield captioned(
            "Error against the given floats",
            svg(
                "given-error",
                "Error in ulp over the probability of the given floats",
                3.1,
                lambda f: _draw_given_error(f, comparison),
            ),
            f"{of}: quantising and hardware together; {ulp}. Red: what the hardware can add, {p.worst_ulp:.3f} ulp.",
        )
    yield captioned(
        "Error that the hardware adds",
        svg(
            "error",
            "Error in ulp over the probability of the codes, with the bound",
            3.1,
            lambda f: _draw_error(f, comparison),
        ),
        f"{of} against the exact softmax of the same codes; {ulp}.",
    )
    if p.sweep is not None:
        tried = (
            "every pair of codes" if p.sweep.exhaustive else "every difference of two codes, the larger at its maximum"
        )
        yield captioned(
            "Error over the input range, two scores",
            svg("sweep", "Error in ulp over the difference of two scores", 3.1, lambda f: _draw_sweep(f, comparison)),
            f"Smallest and largest error of the first probability over {tried}.",
        )


def _sections(comparison: Comparison) -> Iterator[str]:
    tables = {section: list(rows) for section, rows in groupby(comparison.rows(), key=lambda row: row.section)}
    d, p = comparison.decisions, comparison.probabilities
    yield "<h2>The decision</h2>"
    origin, config = comparison.scores.kind, comparison.config
    yield (
        f"<p>The reference is the {config.tie} of the {config.select} given {origin}. Both heads find the winner among the score "
        f"codes. The argmax of the probability codes instead would differ from the given {origin} in {d.probability_flips} of "
        f"{comparison.data.vectors} vectors.</p>"
    )
    yield _table(tables.pop("Decision"))
    yield f'<div class="plots">{range_figure(comparison.scores)}</div>'
    yield "<h2>The probabilities</h2>"
    if not p.within_bound:
        yield '<p class="bad">An error exceeds the bound: hardware, model or proof is wrong.</p>'
    if p.float_error is None:
        yield "<p>Errors are against the softmax of the given codes, in float64; the bounds are proved for every input.</p>"
    else:
        yield (
            "<p>The error against the softmax of the given floats, in float64, has two parts: what quantising the scores "
            "costs, and what the hardware adds to the softmax of the codes. The bounds of the second part are proved for every "
            "input.</p>"
        )
    yield _table(tables.pop("Probabilities"))
    figures = list(_error_figures(comparison))
    if p.reliability:
        assert p.calibration_error is not None
        figures.append(
            captioned(
                "Reliability of the decision",
                svg("reliability", "Accuracy over confidence", 3.6, lambda f: _draw_reliability(f, comparison)),
                "Vectors by the probability of their winner. On the dashed line confidence equals accuracy; expected "
                f"calibration error {decimals(100 * p.calibration_error, 1)} %.",
            )
        )
    if comparison.parts:
        height = 0.55 + 0.72 * len(_resource_panels(comparison))
        figures.append(
            captioned(
                "What it costs",
                svg("resources", "Cells and Fmax of both heads", height, lambda f: _draw_resources(f, comparison)),
                "After synthesis and place and route; each panel has its own scale.",
            )
        )
    yield f'<div class="plots">{"".join(figures)}</div>'
    yield "<h2>Cycles and cells</h2>"
    if not comparison.parts:
        yield "<p>Place and route was left out of this run, so there are no cells and no Fmax.</p>"
    for section, rows in tables.items():
        yield f"<h3>{escape(section)}</h3>{_table(rows)}"


def _provenance(comparison: Comparison) -> Iterator[tuple[str, str]]:
    c = comparison
    yield "Scores", c.data.text
    # The keys of the softmax head, because those of the argmax head are among them.
    settings = {key: value for key, value in c.softmax.plan.config.relevant().items() if key != "mode"}
    yield "Both heads", settings_text(settings)
    yield "Digest, argmax", c.argmax.plan.config.digest
    yield "Digest, softmax", c.softmax.plan.config.digest
    engines = {"golden": "the integer model", "rtl": "the simulated Verilog, equal to the integer model"}
    yield "Results from", engines[c.engine]
    yield (
        "Cycles",
        f"from the plan: first output {c.softmax.plan.latency_formula}, interval {c.softmax.plan.interval_formula}",
    )
    if c.data.labelled:
        yield "Calibration", CALIBRATION
    for part in c.parts:
        yield part.title, part.method()
    if c.parts:
        yield (
            "Fmax",
            "register to register, out of context: without the paths from and to the ports, and without IO cells",
        )
        yield ("Seeds", ", ".join(map(str, c.seeds))) if len(c.seeds) > 1 else ("Seed", str(c.seeds[0]))
        yield "Tools", ", ".join(f"{name} {version}" for name, version in c.tools.items())
    yield "softstream", c.version


def render(comparison: Comparison) -> str:
    """The report's HTML."""
    facts = "".join(
        f"<li><b>{escape(value)}</b><small>{escape(what)}</small></li>" for value, what in _facts(comparison)
    )
    provenance = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _provenance(comparison))
    body = "\n".join(_sections(comparison))
    answer = escape(comparison.answer)
    for part in comparison.parts:
        answer = answer.replace(part.name, f'<span class="word">{part.name}</span>')
    title = "softstream: argmax alone against softmax"
    main = f"""<p class="kicker">softstream · comparison of two heads from one configuration</p>
<h1>Argmax alone, or softmax?</h1>
<p class="answer">{answer}</p>
<ul class="facts">{facts}</ul>
{body}
<h2>How it was measured</h2>
<dl>{provenance}</dl>"""
    return page(title, main)
