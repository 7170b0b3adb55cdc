"""A sweep as one HTML page that opens from disk: the Pareto front over every merit, the table of it, and every point.

    text = render(exploration)

The same result gives the same bytes.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import softstream
from softstream.scripts.console import settings_text
from softstream.scripts.page import ARGMAX, MUTED, SOFTMAX, captioned, escape, page, svg, table
from softstream.scripts.verbs.explore import Axis, Exploration, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["render"]

_MOST_NUMBERED = 12
"""Points of the front that a plot numbers; more numbers would lie on each other."""
_DECADES = 50
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""


def _scaled(axes: "Axes", values: list[float]) -> None:
    """A logarithmic axis for values of several decades; zeros stay on it."""
    positive = [value for value in values if value > 0]
    if positive and max(positive) > _DECADES * min(positive):
        axes.set_yscale("symlog", linthresh=min(positive))


def _draw(figure: "Figure", result: Exploration, axis: Axis) -> None:
    axes = figure.subplots()
    numbers = {id(point): number for number, point in enumerate(result.front, 1)}

    def places(points: list[Point]) -> tuple[list[float], list[float]]:
        known = [(float(point.logic), value) for point in points if (value := axis.value(point)) is not None]
        return [x for x, _ in known], [y for _, y in known]

    able = [point for point in result.points if point.fits]
    others = [point for point in able if id(point) not in numbers]
    axes.plot(*places(others), "o", markersize=3.5, color=MUTED, alpha=0.45, linewidth=0)
    axes.plot(*places(list(result.front)), "o", markersize=5, color=SOFTMAX, linewidth=0)
    if result.best is not None:
        axes.plot(
            *places([result.best]), "o", markersize=11, markerfacecolor="none", markeredgecolor=ARGMAX, linewidth=0
        )
    if len(numbers) <= _MOST_NUMBERED:
        labels: dict[tuple[float, float], list[str]] = {}  # equal points share a place
        for point in result.front:
            if (value := axis.value(point)) is not None:
                labels.setdefault((float(point.logic), value), []).append(str(numbers[id(point)]))
        for place, texts in labels.items():
            axes.annotate(", ".join(texts), place, xytext=(5, 4), textcoords="offset points", fontsize=8.5)
    _scaled(axes, places(able)[1])
    axes.margins(0.1, 0.14)
    if not any(places(able)[1]):  # all 0, around which an axis would show negative values
        axes.set_ylim(-0.14, 1)
    axes.set_xlabel(result.area)
    axes.set_ylabel(axis.title)


def _overlay(place: Callable[[float, float], tuple[float, float]], result: Exploration, axis: Axis) -> str:
    """A circle over each place of the plot that has points, with their settings and values; by keyboard over the front."""
    front = {id(point) for point in result.front}
    places: dict[tuple[float, float], list[int]] = {}
    for number, point in sorted(enumerate(result.points), key=lambda entry: id(entry[1]) not in front):
        value = axis.value(point)
        if point.fits and value is not None:
            x, y = place(float(point.logic), value)
            places.setdefault((round(x, 1), round(y, 1)), []).append(number)
    circles = []
    for (x, y), numbers in places.items():
        points = [result.points[number] for number in numbers]
        rows = (zip(result.columns, result.row(point), strict=True) for point in points)
        text = escape("\n".join("; ".join(f"{name}: {cell}" for name, cell in row) for row in rows))
        keyboard = (
            f' tabindex="0" role="img" aria-label="{text}"' if any(id(point) in front for point in points) else ""
        )
        named = f'class="point" data-point="{" ".join(map(str, numbers))}"'
        circles.append(f'<circle {named} cx="{x}" cy="{y}" r="7"{keyboard}><title>{text}</title></circle>')
    return "".join(reversed(circles))  # the front lies on top


_SCRIPT = """
const readout = document.querySelector(".readout");
function show(point, on) {
  for (const number of point.dataset.point.split(" "))
    for (const one of document.querySelectorAll(`[data-point~="${number}"]`)) one.classList.toggle("same", on);
  if (on) readout.textContent = point.querySelector("title").textContent;
}
for (const point of document.querySelectorAll("circle[data-point]")) {
  for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]])
    point.addEventListener(event, () => show(point, on));
  point.addEventListener("click", () => show(point, true));
}
"""
"""A point under the pointer or with the focus is marked in every plot and table, and its settings and values stand below."""


def _plots(result: Exploration) -> Iterator[str]:
    for number, axis in enumerate(result.axes):
        if not any(axis.value(point) is not None for point in result.points):
            continue
        direction = "above" if axis.largest_is_best else "below"
        yield captioned(
            f"{axis.title[0].upper()}{axis.title[1:]}",
            svg(
                f"axis-{number}",
                f"{axis.title} over {result.area}",
                3.0,
                partial(_draw, result=result, axis=axis),
                partial(_overlay, result=result, axis=axis),
            ),
            f"Blue: the Pareto front; grey: the other points. Better is left and {direction}."
            + ("" if result.best is None else " The ring is the answer."),
        )


def _rows(result: Exploration) -> list[tuple[str, ...]]:
    """The front, numbered as in the plots."""
    return [(f"{number}", *result.row(point)) for number, point in enumerate(result.front, 1)]


def _sections(result: Exploration) -> Iterator[str]:
    yield f"<h2>{escape(result.title)}</h2>"
    if result.data is not None:
        yield (
            "<p>Flips are decisions that differ from the first of the largest given scores. Errors are against the exact result "
            "of the given scores, in float64, as real numbers, with the share of quantising in them.</p>"
        )
    numbers = {id(point): f"{number}" for number, point in enumerate(result.points)}
    yield table(("", *result.columns), _rows(result), points=[numbers[id(point)] for point in result.front])
    yield f'<div class="plots">{"".join(_plots(result))}</div>'
    yield '<p class="readout" aria-live="polite">A pointer on a point, or the tab key, shows its settings and values.</p>'
    yield "<h2>Every point</h2>"
    body = [(*result.row(point), "yes" if point in result.front else point.failure) for point in result.points]
    yield table((*result.columns, "on the front"), body, points=list(numbers.values()))
    if result.grid.impossible:
        yield "<h2>Not possible</h2>"
        yield table(("settings", "reason"), result.grid.impossible)


def _provenance(result: Exploration) -> Iterator[tuple[str, str]]:
    if result.data is not None:
        yield "Scores", result.data.text
    used = {key: value for point in result.points for key, value in point.config.relevant().items()}
    yield "In common", settings_text({key: value for key, value in used.items() if key not in result.keys})
    if result.how.synthesise:
        yield result.part.title, f"{result.part.synthesis}; seeds 1 to {result.how.seeds}"
    else:
        yield "Area", "bits of a score and of its result, from the plan; nothing was synthesised"
    yield "softstream", softstream.__version__


def render(result: Exploration) -> str:
    """The page's HTML."""
    provenance = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _provenance(result))
    answer = f"{result.answer[0].upper()}{result.answer[1:]}"
    body = "\n".join(_sections(result))
    main = f"""<p class="kicker">softstream · a sweep of {len(result.points)} configurations</p>
<h1>Which configuration?</h1>
<p class="answer">{escape(answer)}</p>
{body}
<h2>How it was measured</h2>
<dl>{provenance}</dl>"""
    return page("softstream: a sweep", main, script=_SCRIPT)
