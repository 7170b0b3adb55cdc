"""Members of the softmax family side by side, as one HTML file that opens from disk, without a network.

    write_html(family(base, entries("argmax,softmax,sigmoid", base)), Path("report.html"))

The same result gives the same bytes.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from softstream.scripts.output import written_file
from softstream.scripts.page import BOUND, INK, MUTED, SOFTMAX, captioned, escape, page, svg, table
from softstream.scripts.verbs.compare import CALIBRATION, mhz_text, percent_text
from softstream.scripts.verbs.family import SHARED, Calibration, Error, Family, Judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["render", "write_html"]

_PANEL_COLUMNS = 3


def write_html(found: Family, path: Path) -> None:
    """Write the report, whole or not at all. Raises `UserError` where `path` cannot be written."""
    text = render(found)
    with written_file("-o", path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


# Plots ---------------------------------------------------------------------------------------------------------------


def _calibrated(found: Family) -> dict[str, Calibration]:
    return {member.title: member.calibration for member in found.members if member.calibration is not None}


def _curve(axes: "Axes", calibration: Calibration, color: str, marker: str) -> None:
    bins = [b for b in calibration.bins if b.count]
    axes.plot(
        [b.confidence for b in bins], [b.accuracy for b in bins], marker, color=color, markersize=3, linewidth=1.2
    )


def _draw_reliability(figure: "Figure", found: Family) -> None:
    """A panel for each: curves that lie on each other would hide each other."""
    calibrated = _calibrated(found)
    columns = min(_PANEL_COLUMNS, len(calibrated))
    rows = -(-len(calibrated) // columns)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(calibrated) :]:
        axes.set_visible(False)
    for axes, (title, calibration) in zip(grid.flat, calibrated.items(), strict=False):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        if found.float64_calibration is not None:
            _curve(axes, found.float64_calibration, MUTED, "-")
        _curve(axes, calibration, SOFTMAX, "o-")
        axes.set_title(_folded(title), loc="left", fontsize=8.5)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"], fontsize=8)
        axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"], fontsize=8)
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("as labelled", fontsize=9)


def _folded(title: str) -> str:
    """A title in lines of one setting each."""
    return title.replace(":", "\n")


def _bars(
    axes: "Axes", values: Mapping[str, float | None], text: Mapping[str, str], color: str = SOFTMAX, names: bool = True
) -> None:
    """A horizontal bar for each, the first on top, with its number at its end."""
    for place, (title, value) in enumerate(values.items()):
        axes.barh(place, value or 0.0, height=0.72, color=color, linewidth=0)
        axes.annotate(
            text[title], (value or 0.0, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.set_xlim(0, 1.4 * max([value or 0.0 for value in values.values()] + [1e-9]))  # room for the number
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks(range(len(values)), list(values) if names else [""] * len(values), fontsize=8.5)
    axes.tick_params(length=0)


def _draw_calibration(figure: "Figure", found: Family) -> None:
    values: dict[str, float | None] = {}
    if found.float64_calibration is not None:
        values["float64"] = found.float64_calibration.error
    values |= {title: calibration.error for title, calibration in _calibrated(found).items()}
    _bars(figure.subplots(), values, {title: f"{percent_text(value)} %" for title, value in values.items()})


def _in_ulp(found: Family) -> dict[str, Error]:
    return {m.title: m.error for m in found.members if m.error is not None and m.error.unit == "ulp"}


def _draw_errors(figure: "Figure", found: Family) -> None:
    errors = _in_ulp(found)
    axes = figure.subplots()
    texts = {title: error.text(error.largest) for title, error in errors.items()}
    for place, error in enumerate(errors.values()):
        axes.plot([error.bound] * 2, [place - 0.42, place + 0.42], color=BOUND, linewidth=1.6)
        axes.plot([error.mean] * 2, [place - 0.36, place + 0.36], color=INK, linewidth=1.1)
        axes.barh(place, error.largest, height=0.72, color=SOFTMAX, alpha=0.45, linewidth=0)
        axes.annotate(
            texts[list(errors)[place]],
            (max(error.bound, error.largest), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.set_xlim(0, 1.25 * max(max(error.bound, error.largest) for error in errors.values()))
    axes.set_ylim(len(errors) - 0.4, -0.6)
    axes.set_yticks(range(len(errors)), list(errors), fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("ulp")


def _draw_resources(figure: "Figure", found: Family, part: str) -> None:
    row = next(p for p in found.parts if p.name == part)
    logic, memory = row.cell("logic"), row.cell("memory")
    assert logic is not None  # every part has logic
    cells = [cell for cell in (logic, memory) if cell is not None]
    panels = figure.subplots(1, len(cells) + 1, squeeze=False, width_ratios=[1.4, *[1] * len(cells)])[0]
    for axes, cell in zip(panels, cells, strict=False):
        values: dict[str, float | None] = {m.title: m.measurements[part].cells[cell.name] for m in found.members}
        _bars(axes, values, {title: f"{value}" for title, value in values.items()}, names=cell is logic)
        axes.set_title(cell.name, loc="left", color=MUTED, fontsize=8.5)
    values = {m.title: m.measurements[part].fmax_mhz for m in found.members}
    _bars(panels[-1], values, {title: mhz_text(value) for title, value in values.items()}, names=False)
    panels[-1].set_title("Fmax, MHz", loc="left", color=MUTED, fontsize=8.5)


# The page ------------------------------------------------------------------------------------------------------------


def _height(bars: int) -> float:
    """Inches that so many bars take."""
    return 0.7 + 0.26 * bars


def _figures(found: Family) -> Iterator[str]:
    calibrated = _calibrated(found)
    if calibrated:
        rows = -(-len(calibrated) // _PANEL_COLUMNS)
        yield captioned(
            "Reliability of the decision",
            svg(
                "reliability",
                "Accuracy over confidence, member by member",
                0.6 + 1.55 * rows,
                lambda f: _draw_reliability(f, found),
            ),
            "Vectors by the probability of what was decided, blue; the float64 softmax, grey. On the dashed line confidence "
            "equals accuracy.",
        )
        yield captioned(
            "Expected calibration error",
            svg(
                "calibration",
                "Expected calibration error",
                _height(len(calibrated) + 1),
                lambda f: _draw_calibration(f, found),
            ),
            f"{CALIBRATION[0].upper()}{CALIBRATION[1:]}.",
        )
    if _in_ulp(found):
        yield captioned(
            "Error against the bound",
            svg(
                "errors",
                "Largest and mean error in ulp, with the bound",
                _height(len(_in_ulp(found))) + 0.3,
                lambda f: _draw_errors(f, found),
            ),
            "Bar and number: the largest on these scores, before saturation; black: the mean; red: the proved bound.",
        )
    for part in found.parts:
        yield captioned(
            f"What it costs: {part.title}",
            svg(
                f"resources-{part.name}",
                f"Cells and Fmax on {part.name}",
                _height(len(found.members)) + 0.2,
                partial(_draw_resources, found=found, part=part.name),
            ),
            "After synthesis and place and route; every panel has a scale of its own.",
        )


def _decision_row(member: Judged, labelled: bool, vectors: int) -> tuple[str, ...]:
    d, c = member.decision, member.calibration
    if d is None:
        return (member.title, "names no class", *["–"] * (3 if labelled else 1))
    answered = [percent_text(d.accuracy) or "–"] if labelled else []
    calibrated = ["–" if c is None else f"{percent_text(c.error)} %"] if labelled else []
    return (member.title, d.source, *answered, d.flips_of(vectors), *calibrated)


def _decisions(found: Family) -> str:
    labelled = found.data.labelled
    header = ["", "decided by", *(["as labelled, %"] if labelled else []), f"flips of {found.data.vectors}"]
    header += ["calibration error"] if labelled else []
    body = [_decision_row(member, labelled, found.data.vectors) for member in found.members]
    if labelled and found.float64_calibration is not None:
        error = f"{percent_text(found.float64_calibration.error)} %"
        body.insert(0, ("float64 softmax", "its argmax", percent_text(found.float64_accuracy), "0", error))
    return table(header, body)


def _errors(found: Family) -> str:
    body: list[tuple[str, ...]] = []
    for member in found.members:
        e = member.error
        if e is None:
            body.append((member.title, "exact", "", "", "", ""))
            continue
        values = [e.text(value) for value in (e.largest, e.bound, e.worst, e.mean)]
        body.append((member.title, *values, f"{e.unit}, {e.count} {'laws' if e.unit != 'ulp' else 'codes'}"))
    return table(("", "largest error", "bound", "with saturation", "mean", "of"), body)


def _cycles(found: Family) -> str:
    body = []
    for member in found.members:
        derived = member.plan
        first, last = derived.first_output_cycle(member.length), derived.last_output_cycle(member.length)
        flow = f"{member.elements_per_cycle:.3g}"
        body.append((member.title, f"{derived.latency_formula}: {first}", f"{last}", f"{member.interval}", flow))
    return table(("", "first output", "last output", "vector to vector", "elements/cycle"), body)


def _cells(found: Family) -> Iterator[str]:
    for part in found.parts:
        used = [c for c in part.cells if any(m.measurements[part.name].cells[c.name] for m in found.members)]
        body = []
        for member in found.members:
            measured = member.measurements[part.name]
            clock = None if measured.fmax_mhz is None else min(measured.fmax_mhz, part.limit(measured.cells).mhz)
            flow = "" if clock is None else f"{clock * member.elements_per_cycle:.1f}"
            counts = [str(measured.cells[cell.name]) for cell in used]
            body.append((member.title, *counts, mhz_text(measured.fmax_mhz), flow))
        yield f"<h3>{escape(part.title)}</h3>"
        yield table(("", *(cell.name for cell in used), "Fmax, MHz", "Melements/s"), body)


def _provenance(found: Family) -> Iterator[tuple[str, str]]:
    data = found.data
    lengths = f"N = {data.longest}" if data.shortest == data.longest else f"N from {data.shortest} to {data.longest}"
    saturated = f"; {data.saturated} scores saturated" if data.saturated else ""
    labels = "with labels" if data.labelled else "without labels"
    yield "Scores", f"{data.source}: {data.vectors} vectors, {lengths}, {labels}{saturated}"
    yield "In common", ", ".join(f"{key} = {getattr(found.config, key)}" for key in SHARED)
    for member in found.members:
        config, default = member.plan.config, type(found.config)()
        changed = (f"{k} = {v}" for k, v in config.to_mapping().items() if k not in SHARED and v != getattr(default, k))
        yield member.title, f"{', '.join(changed) or 'as the defaults are'}; digest {config.digest[:12]}"
    yield "Cycles", f"the plan's, for vectors of {data.longest}"
    for part in found.parts:
        yield part.title, f"{part.synthesis}; nextpnr-{part.family} {' '.join(part.arguments)} --freq {part.target_mhz}"
    if found.parts:
        yield "Fmax", "register to register, out of context; Melements/s counts no more than the part is specified for"
        yield "Seeds", ", ".join(map(str, found.seeds))
        yield "Tools", ", ".join(f"{name} {version}" for name, version in found.tools.items())
    yield "softstream", found.version


def _sections(found: Family) -> Iterator[str]:
    yield "<h2>The decision</h2>"
    yield (
        "<p>Flips are vectors on which the class differs from the argmax of the float64 softmax of the same codes, first "
        "index on ties.</p>"
    )
    yield _decisions(found)
    yield "<h2>The distance from float64</h2>"
    if any(member.error is not None and not member.error.within_bound for member in found.members):
        yield '<p class="bad">An error exceeds its bound: hardware, model or proof is wrong.</p>'
    yield (
        "<p>The bounds are derived, and hold for every input before saturation; a draw is exact but for its law, whose "
        "distance from softmax is in total variation.</p>"
    )
    yield _errors(found)
    yield f'<div class="plots">{"".join(_figures(found))}</div>'
    yield "<h2>Cycles</h2>"
    yield _cycles(found)
    yield "<h2>Cells</h2>"
    if not found.parts:
        yield "<p>Place and route was left out of this run, so there are no cells and no Fmax.</p>"
    yield from _cells(found)


def render(found: Family) -> str:
    """The report's HTML."""
    provenance = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _provenance(found))
    body = "\n".join(_sections(found))
    main = f"""<p class="kicker">softstream · members of the softmax family on the same scores</p>
<h1>Side by side</h1>
<p class="answer">{escape(found.answer)}</p>
{body}
<h2>How it was measured</h2>
<dl>{provenance}</dl>"""
    return page("softstream: members of the softmax family", main)
