"""The comparison of members of the softmax family as one HTML file that opens from disk, without a network.

    write_html(family(base, entries("argmax,softmax,sigmoid", base)), Path("report.html"))

The same result gives the same bytes.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from softstream.hw.output import written_file
from softstream.scripts.console import settings_text
from softstream.scripts.measure.heads import RANGE_WORDS, clock_text, mhz_text
from softstream.scripts.measure.statistics import CALIBRATION, percent_text
from softstream.scripts.page import BOUND, INK, MUTED, SOFTMAX, captioned, escape, page, svg, table
from softstream.scripts.reports.range_figure import range_figure
from softstream.scripts.verbs.family import SHARED, Calibration, Error, Family, MemberResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["render", "write_html"]

_PANEL_COLUMNS = 3


def write_html(result: Family, path: Path) -> None:
    """Write the report, whole or not at all. Raises `UserError` where `path` cannot be written."""
    text = render(result)
    with written_file("-o", path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


# Plots ---------------------------------------------------------------------------------------------------------------


def _calibrated(result: Family) -> dict[str, Calibration]:
    return {member.title: member.calibration for member in result.members if member.calibration is not None}


def _curve(axes: "Axes", calibration: Calibration, color: str, marker: str) -> None:
    bins = [b for b in calibration.bins if b.count]
    axes.plot(
        [b.confidence for b in bins], [b.accuracy for b in bins], marker, color=color, markersize=3, linewidth=1.2
    )


def _draw_reliability(figure: "Figure", result: Family) -> None:
    """A panel for each member, because nearly equal curves in one panel would hide each other."""
    calibrated = _calibrated(result)
    columns = min(_PANEL_COLUMNS, len(calibrated))
    rows = -(-len(calibrated) // columns)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(calibrated) :]:
        axes.set_visible(False)
    for axes, (title, calibration) in zip(grid.flat, calibrated.items(), strict=False):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        if result.given_calibration is not None:
            _curve(axes, result.given_calibration, MUTED, "-")
        _curve(axes, calibration, SOFTMAX, "o-")
        # Outside the layout, or a long title would make its column wider than the others.
        axes.set_title(_folded(title), loc="left", fontsize=8.5).set_in_layout(axes in grid[0])
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"], fontsize=8)
        axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"], fontsize=8)
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)


def _folded(title: str) -> str:
    """A title with one setting on each line."""
    return title.replace(":", "\n")


def _bars(
    axes: "Axes", values: Mapping[str, float | None], text: Mapping[str, str], color: str = SOFTMAX, names: bool = True
) -> None:
    """Horizontal bars, the first on top, each with its number at its end."""
    for place, (title, value) in enumerate(values.items()):
        axes.barh(place, value or 0.0, height=0.72, color=color, linewidth=0)
        axes.annotate(
            text[title], (value or 0.0, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.set_xlim(0, 1.4 * max([value or 0.0 for value in values.values()] + [1e-9]))  # room for the number
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks(range(len(values)), map(_folded, values) if names else [""] * len(values), fontsize=8.5)
    axes.tick_params(length=0)


def _draw_calibration(figure: "Figure", result: Family) -> None:
    values: dict[str, float | None] = {}
    if result.given_calibration is not None:
        values[f"given {result.kind}"] = result.given_calibration.error
    values |= {title: calibration.error for title, calibration in _calibrated(result).items()}
    _bars(figure.subplots(), values, {title: f"{percent_text(value)} %" for title, value in values.items()})


def _in_ulp(result: Family) -> dict[str, Error]:
    return {m.title: m.error for m in result.members if m.error is not None and m.error.unit == "ulp"}


def _draw_errors(figure: "Figure", result: Family) -> None:
    errors = _in_ulp(result)
    axes = figure.subplots()
    limit = 1.3 * max(max(error.bound, error.largest) for error in errors.values())
    for place, error in enumerate(errors.values()):
        axes.plot([error.bound] * 2, [place - 0.42, place + 0.42], color=BOUND, linewidth=1.6)
        axes.plot([error.mean] * 2, [place - 0.36, place + 0.36], color=INK, linewidth=1.1)
        axes.barh(place, error.largest, height=0.72, color=SOFTMAX, alpha=0.45, linewidth=0)
        inside = error.largest > 0.3 * limit  # a number inside a short bar would cover the mean
        axes.annotate(
            error.text(error.largest),
            (error.largest, place),
            xytext=(-3 if inside else 3, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            fontsize=8.5,
        )
        axes.annotate(
            error.text(error.bound),
            (max(error.bound, error.largest), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=BOUND,
            fontsize=8.5,
        )
    axes.set_xlim(0, limit)
    axes.set_ylim(len(errors) - 0.4, -0.6)
    axes.set_yticks(range(len(errors)), map(_folded, errors), fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("ulp")


def _draw_resources(figure: "Figure", result: Family, part: str) -> None:
    row = next(p for p in result.parts if p.name == part)
    logic, memory = row.cell("logic"), row.cell("memory")
    assert logic is not None  # every part has logic
    cells = [cell for cell in (logic, memory) if cell is not None]
    panels = figure.subplots(1, len(cells) + 1, squeeze=False)[0]
    for axes, cell in zip(panels, cells, strict=False):
        values: dict[str, float | None] = {m.title: m.measurements[part].cells[cell.name] for m in result.members}
        _bars(axes, values, {title: f"{value}" for title, value in values.items()}, names=cell is logic)
        axes.set_title(cell.name, loc="left", color=MUTED, fontsize=8.5)
    values = {m.title: m.measurements[part].fmax_mhz for m in result.members}
    _bars(panels[-1], values, {title: mhz_text(value, row) for title, value in values.items()}, names=False)
    panels[-1].set_title("Fmax, MHz", loc="left", color=MUTED, fontsize=8.5)


# The page ------------------------------------------------------------------------------------------------------------


def _height(titles: Collection[str]) -> float:
    """The height of a bar for each title, in inches; a title has a line for each of its settings."""
    lines = max(title.count(":") + 1 for title in titles)
    return 0.7 + max(0.26, 0.15 * lines) * len(titles)


def _figures(result: Family) -> Iterator[str]:
    calibrated = _calibrated(result)
    if calibrated:
        rows = -(-len(calibrated) // _PANEL_COLUMNS)
        yield captioned(
            "Reliability of the decision",
            svg(
                "reliability",
                "Accuracy over confidence, member by member",
                0.6 + 1.55 * rows,
                lambda f: _draw_reliability(f, result),
            ),
            f"Vectors by the probability of the decision, blue; the softmax of the given {result.kind}, grey. On the dashed "
            "line confidence equals accuracy.",
        )
        yield captioned(
            "Expected calibration error",
            svg(
                "calibration",
                "Expected calibration error",
                _height(["given", *calibrated]),
                lambda f: _draw_calibration(f, result),
            ),
            f"{CALIBRATION[0].upper()}{CALIBRATION[1:]}.",
        )
    if _in_ulp(result):
        yield captioned(
            "Error against the bound",
            svg(
                "errors",
                "Largest and mean error in ulp, with the bound",
                _height(_in_ulp(result)) + 0.3,
                lambda f: _draw_errors(f, result),
            ),
            "Of the hardware. Bar: the largest error on these scores, before saturation; line inside: mean; red: proved bound.",
        )
    for part in result.parts:
        yield captioned(
            f"What it costs: {part.title}",
            svg(
                f"resources-{part.name}",
                f"Cells and Fmax on {part.name}",
                _height([member.title for member in result.members]) + 0.2,
                partial(_draw_resources, result=result, part=part.name),
            ),
            "After synthesis and place and route; each panel has its own scale.",
        )


def _decision_row(member: MemberResult, labelled: bool, vectors: int) -> tuple[str, ...]:
    d, c = member.decision, member.calibration
    floats = member.scores.kind == "floats"
    if d is None:
        return (member.title, "gives no class", *["–"] * ((3 if labelled else 1) + floats))
    answered = [percent_text(d.accuracy) or "–"] if labelled else []
    calibrated = ["–" if c is None else f"{percent_text(c.error)} %"] if labelled else []
    by_quantising = [f"{d.code_flips}"] if floats else []
    return (member.title, d.source, *answered, d.flips_of(vectors), *by_quantising, *calibrated)


def _decisions(result: Family) -> str:
    labelled = result.data.labelled
    header = ["", "decided by", *(["accuracy, %"] if labelled else []), f"flips of {result.data.vectors}"]
    header += [*(["by quantising"] if result.floats else []), *(["calibration error"] if labelled else [])]
    body = [_decision_row(member, labelled, result.data.vectors) for member in result.members]
    if labelled and result.given_calibration is not None:
        error = f"{percent_text(result.given_calibration.error)} %"
        accuracy, own = percent_text(result.given_accuracy), [""] if result.floats else []
        body.insert(0, (f"softmax of the given {result.kind}", "its argmax", accuracy, "0", *own, error))
    return table(header, body)


def _errors(result: Family) -> str:
    body: list[tuple[str, ...]] = []
    for member in result.members:
        e = member.error
        if e is None:
            body.append((member.title, "exact", *[""] * (6 if result.floats else 4)))
            continue
        against = (
            []
            if e.float_error is None
            else [e.text(e.float_error.total.largest), e.text(e.float_error.quantisation.largest)]
        )
        values = [e.text(value) for value in (e.largest, e.bound, e.worst, e.mean)]
        unit = f"{e.unit}, {e.count} {'distributions' if e.unit != 'ulp' else 'codes'}"
        body.append((member.title, *against, *values, unit))
    hardware = ["by the hardware" if result.floats else "largest error", "bound", "with saturation", "mean", "of"]
    return table(("", *(["against the floats", "by quantising"] if result.floats else []), *hardware), body)


def _ranges(result: Family) -> Iterator[str]:
    """A histogram for each score code."""
    shown: dict[str, MemberResult] = {}
    for member in result.members:
        shown.setdefault(member.scores.line, member)
    for number, member in enumerate(shown.values()):
        yield range_figure(member.scores, f"range-{number}", member.title if len(shown) > 1 else "")


def _cycles(result: Family) -> str:
    body = []
    for member in result.members:
        derived = member.plan
        first, last = derived.first_output_cycle(member.length), derived.last_output_cycle(member.length)
        flow = f"{member.elements_per_cycle:.3g}"
        formula = derived.latency_formula if "N" in derived.latency_formula else ""
        body.append((member.title, formula, f"{first}", f"{last}", f"{member.interval}", flow))
    return table(("", "formula", "first output", "last output", "interval", "elements/cycle"), body)


def _cells(result: Family) -> Iterator[str]:
    for part in result.parts:
        used = [c for c in part.cells if any(m.measurements[part.name].cells[c.name] for m in result.members)]
        body = []
        for member in result.members:
            measured = member.measurements[part.name]
            clock = None if measured.fmax_mhz is None else part.usable(measured.fmax_mhz, measured.cells)
            flow = "" if clock is None else f"{clock * member.elements_per_cycle:.1f}"
            counts = [str(measured.cells[cell.name]) for cell in used]
            body.append((member.title, *counts, clock_text(measured, part), flow))
        yield f"<h3>{escape(part.title)}</h3>"
        yield table(("", *(cell.name for cell in used), "Fmax, MHz", "Melements/s"), body)


def _provenance(result: Family) -> Iterator[tuple[str, str]]:
    yield "Scores", result.data.text
    configs = [member.plan.config for member in result.members]
    common = [key for key in SHARED if len({getattr(config, key) for config in configs}) == 1]
    yield "In common", settings_text({key: getattr(configs[0], key) for key in common})
    for member in result.members:
        config, default = member.plan.config, type(result.config)()
        own, usual = config.to_mapping(), default.to_mapping()
        changed = {key: value for key, value in own.items() if key not in common and value != usual[key]}
        yield member.title, f"{settings_text(changed) or 'defaults'}; digest {config.digest[:12]}"
    yield "Cycles", f"from the plan, for vectors of {result.data.longest}"
    for part in result.parts:
        yield part.title, part.method()
    if result.parts:
        yield (
            "Fmax",
            "register to register, out of context; Melements/s is at Fmax or at the device limit, whichever is lower",
        )
        several = len(result.seeds) > 1
        yield "Seeds", ", ".join(map(str, result.seeds)) + (f"; Fmax is {RANGE_WORDS} over them" if several else "")
        yield "Tools", ", ".join(f"{name} {version}" for name, version in result.tools.items())
    yield "softstream", result.version


def _sections(result: Family) -> Iterator[str]:
    yield "<h2>The decision</h2>"
    yield (
        f"<p>Flips are vectors whose class differs from the winner among the given {result.kind}. Flips by quantising are "
        "those of the score codes themselves.</p>"
    )
    yield _decisions(result)
    yield f'<div class="plots">{"".join(_ranges(result))}</div>'
    yield "<h2>The error</h2>"
    if any(member.error is not None and not member.error.within_bound for member in result.members):
        yield '<p class="bad">An error exceeds its bound: hardware, model or proof is wrong.</p>'
    if result.floats:
        yield (
            "<p>The error against the exact result of the given floats, in float64, has two parts: what quantising costs, and "
            "what the hardware adds to the exact result of the codes.</p>"
        )
    yield (
        "<p>The bounds of the hardware are proved for every input before saturation. For sampling the error is the "
        "total-variation distance of the sampling distribution from softmax.</p>"
    )
    yield _errors(result)
    yield f'<div class="plots">{"".join(_figures(result))}</div>'
    yield "<h2>Cycles</h2>"
    yield _cycles(result)
    yield "<h2>Cells</h2>"
    if not result.parts:
        yield "<p>Place and route was left out of this run, so there are no cells and no Fmax.</p>"
    yield from _cells(result)


def render(result: Family) -> str:
    """The report's HTML."""
    provenance = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _provenance(result))
    body = "\n".join(_sections(result))
    main = f"""<p class="kicker">softstream · members of the softmax family on the same scores</p>
<h1>Side by side</h1>
<p class="answer">{escape(result.answer)}</p>
{body}
<h2>How it was measured</h2>
<dl>{provenance}</dl>"""
    return page("softstream: members of the softmax family", main)
