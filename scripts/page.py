"""Parts that the HTML reports share: plots as inline SVG in the colours and fonts of the page, figures, and the page itself.

The same content gives the same bytes. Plots follow the light and dark schemes of the page, or of the reader where a plot
is a file of its own.
"""

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ARGMAX", "BOUND", "GRID", "INK", "MUTED", "SOFTMAX", "captioned", "dots", "escape", "page", "raised", "standalone", "svg",
    "table",
]  # fmt: skip

# Placeholders that Matplotlib draws with, replaced by the colours of the style sheet.
INK, MUTED, GRID, ARGMAX, SOFTMAX, BOUND = ("#010101", "#020202", "#030303", "#040404", "#050505", "#060606")
_STYLE = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    ARGMAX: "var(--argmax)",
    SOFTMAX: "var(--softmax)",
    BOUND: "var(--bound)",
}
_WIDTH_INCHES = 5.0  # 360 units: as wide as a phone, so that its letters stay legible there
_RESOLUTION = (420, 240)
"""Points of a scatter plot that fall into the same of these cells are drawn once."""


def svg(
    name: str,
    label: str,
    height_inches: float,
    draw: Callable[["Figure"], None],
    overlay: Callable[[Callable[[float, float], tuple[float, float]]], str] | None = None,
) -> str:
    """The plot as an SVG element without ids of its own that another plot could have too.

    `overlay` gives SVG to lie over the plot; it gets a function from coordinates of the first axes to those of the element.

    Raises `MissingTool` without Matplotlib.
    """
    need("a plot", "reports")
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {  # a union of 300 literals otherwise
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "path.simplify": False,
        "font.family": "DejaVu Sans",  # ships with matplotlib: the layout is the same on every machine
        "font.size": 10.0,
        "text.color": INK,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlesize": 10.0,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})

        def place(x: float, y: float) -> tuple[float, float]:
            left, low = figure.axes[0].transData.transform((x, y)) * 72 / figure.dpi
            return float(left), float(72 * height_inches - low)

        above = "" if overlay is None else overlay(place)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(
        r"font(?:-family)?: (?:([\d.]+px) )?'DejaVu Sans'[^;\"]*", lambda m: f"font-size: {m[1]}" if m[1] else "", text
    )
    text = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    for color, style in _STYLE.items():
        text = text.replace(color, style)
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None
    head = f'<svg {view[0]} role="img" aria-label="{html.escape(label)}" xmlns="http://www.w3.org/2000/svg" '
    head += 'xmlns:xlink="http://www.w3.org/1999/xlink">'
    drawing = head + text[text.index(">") + 1 :].rstrip()
    return drawing.removesuffix("</svg>") + above + "</svg>" if above else drawing


_ALONE = (
    "<style>svg{color:#1b2026;--muted:#66707b;--line:#dfe3e7;--argmax:#b4690e;--softmax:#1f63b5;--bound:#b3261e}"
    "@media screen and (prefers-color-scheme:dark){svg{color:#e8eaed;--muted:#9aa4ae;--line:#323940;--argmax:#e5a04b;"
    "--softmax:#75aef0;--bound:#f28b82}}text{font-family:system-ui,sans-serif}</style>"
)


def standalone(plot: str) -> str:
    """A plot of `svg` as the content of a file of its own, with the page's colours in it."""
    end = plot.index(">") + 1
    return f"{plot[:end]}{_ALONE}{plot[end:]}\n"


def dots(axes: "Axes", x: np.ndarray, y: np.ndarray, limits: tuple[float, float, float, float], color: str) -> None:
    """A scatter plot as one path of dots, one per cell of the picture that has a point."""
    left, right, low, high = limits
    cells = np.stack([(x - left) / (right - left) * _RESOLUTION[0], (y - low) / (high - low) * _RESOLUTION[1]], axis=1)
    _, first = np.unique(np.rint(cells).astype(np.int64), axis=0, return_index=True)
    gap = np.full(len(first), np.nan)
    lines = [np.stack([values[first], values[first], gap], axis=1).ravel() for values in (x, y)]
    size = 1.5 if len(first) > 500 else 3.0
    axes.plot(*lines, color=color, linewidth=size, solid_capstyle="round", alpha=0.75)


def raised(exponent: int) -> str:
    """An integer in superscript."""
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


_LIGHT = """--paper: #fcfcfb; --card: #ffffff; --ink: #1b2026; --muted: #66707b; --line: #dfe3e7;
  --argmax: #b4690e; --softmax: #1f63b5; --bound: #b3261e; --good: #1d7a46; --shade: #0003;"""
_CSS = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1b1f24; --ink: #e8eaed; --muted: #9aa4ae;
  --line: #323940; --argmax: #e5a04b; --softmax: #75aef0; --bound: #f28b82; --good: #6fcf97; --shade: #fff4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
main.broad { max-width: 86rem; }
.kicker { color: var(--muted); margin: 0; font-size: .875rem; letter-spacing: .02em; }
h1 { font-size: clamp(1.6rem, 5vw, 2.3rem); line-height: 1.2; margin: .2rem 0 1rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
figure h3 { margin-top: 0; overflow-wrap: anywhere; }
p { max-width: 46rem; margin: .5rem 0; overflow-wrap: anywhere; }
.answer { font-size: 1.15rem; max-width: 50rem; }
.word { white-space: nowrap; }
.muted, small, figcaption { color: var(--muted); }
small { font-size: .84rem; display: block; line-height: 1.35; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 11rem), 1fr)); gap: .75rem;
  margin: 1.75rem 0 0; padding: 0; list-style: none; }
.facts li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
.facts b { display: block; font-size: 1.4rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts small { margin-top: .15rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1.25rem;
  margin: 1.25rem 0; align-items: start; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1rem;
  min-width: 0; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figure svg { display: block; width: 100%; height: auto; max-width: 34rem; margin: .4rem auto; }
figcaption { font-size: .875rem; line-height: 1.45; }
figcaption dl { margin: .5rem 0; gap: .1rem .9rem; }
figcaption dd { color: var(--ink); }
pre { font: .8rem/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: .5rem 0 0; padding: .45rem .6rem;
  border: 1px solid var(--line); border-radius: .35rem; white-space: normal; color: var(--ink); }
.scroll { overflow-x: auto; max-width: 46rem; background:
  linear-gradient(to right, var(--paper) 40%, transparent) left / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 40%, transparent) right / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / .9rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) right / .9rem 100% no-repeat scroll; }
a { color: var(--softmax); }
.scroll.wide { max-width: none; }
table { border-collapse: separate; border-spacing: 0; width: 100%; margin: .75rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .42rem .5rem .42rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { font-weight: 600; }
td:nth-child(n+2), thead th:nth-child(n+2) { text-align: right; white-space: nowrap; padding-left: .75rem;
  padding-right: 0; width: 7.5rem; }
tbody th { font-weight: 400; }
tbody th small { display: inline; }
.wide table { font-size: .8rem; line-height: 1.4; width: auto; min-width: min(100%, 24rem); }
.wide tbody th, .wide td:first-child { white-space: nowrap; }
.wide td:nth-child(n+2), .wide thead th:nth-child(n+2) { white-space: normal; width: auto; text-align: left;
  padding: .42rem 0 .42rem 1.1rem; }
.wide td.number, .wide thead th.number { text-align: right; }
.wide tbody th, .wide thead th:first-child { position: sticky; left: 0; background: var(--paper); padding-right: .75rem; }
.wide::before { content: "scroll sideways →"; position: sticky; left: 0; width: max-content; font-size: .8rem;
  color: var(--muted); display: none; }
@supports (animation-timeline: scroll()) {
  /* The timeline runs only in a box that scrolls. */
  .wide::before { display: block; visibility: hidden; height: 0; }
  .wide { animation: hint linear both; animation-timeline: scroll(self inline); }
  .wide::before { visibility: var(--more, hidden); height: var(--hint, 0); }
  @keyframes hint { 0%, 98% { --more: visible; --hint: 1.4rem; } 100% { --more: hidden; --hint: 1.4rem; } }
}
:focus-visible { outline: 2px solid var(--softmax); outline-offset: 2px; }
figure svg > g { pointer-events: none; }
.point { fill: none; pointer-events: all; cursor: pointer; }
.point:hover, .point:focus-visible, .point.same { stroke: var(--argmax); stroke-width: 2; outline: none; }
tr.same > * { background: color-mix(in srgb, var(--argmax) 18%, var(--paper)) !important; }
.readout { position: sticky; bottom: 0; z-index: 1; max-width: none; margin: 0; padding: .5rem .75rem; min-height: 2.6rem;
  white-space: pre-line;  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; font-size: .875rem; }
math { font-size: 1.15rem; color: var(--ink); }
math[display="block"] { text-align: left; margin: .2rem 0 .5rem; overflow-x: auto; overflow-y: hidden; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: .15em; margin-right: .4em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: .75rem 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.bad { color: var(--bound); font-weight: 600; }
@media (max-width: 50rem) { .wide table { width: max-content; } .wide td { max-width: 15rem; }
  .wide tbody th { white-space: normal; min-width: 6rem; max-width: 9.5rem; overflow-wrap: anywhere; }
  .wide .word { white-space: normal; overflow-wrap: anywhere; } }
@media (max-width: 34rem) { body { font-size: 15px; } main { padding-top: 1.5rem; }
  td:nth-child(n+2), thead th:nth-child(n+2) { width: auto; padding-left: .5rem; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; } figure { padding: .75rem .6rem; } }
@media print { .readout { display: none; } @page { margin: 12mm; } :root { color-scheme: light; LIGHT }
  body { font-size: 10pt; } main, .scroll { max-width: none; padding: 0; } h2, h3 { break-after: avoid; }
  figure, .facts li, tr { break-inside: avoid; } .scroll { overflow: visible; background: none; } .wide::before { display: none; }
  .wide table { font-size: 7pt; } .wide tbody th, .wide thead th:first-child { position: static; }
  .wide td:nth-child(n+2), .wide thead th:nth-child(n+2) { padding-left: .3rem; }
  .wide tbody th:nth-child(n), .wide td:nth-child(n), .wide .word { white-space: normal; }
  .wide th, .wide td, .wide .word { overflow-wrap: anywhere; } .wide thead th:nth-child(n) { min-width: 4.2em; }
  .wide table:has(th:nth-child(7)) { width: 100%; }
  .plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); } }
"""


def escape(text: object) -> str:
    """Text as HTML shows it."""
    return html.escape(str(text))


def captioned(
    title: str, plot: str, caption: str, facts: Sequence[tuple[str, str]] = (), code: str = "", *, markup: bool = False
) -> str:
    """A plot with its title above, and below a caption, a list of (name, text) and a command to type, as HTML.

    With `markup` the caption is HTML already.
    """
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    words = " ".join(f'<span class="word">{escape(word)}</span>' for word in code.split())  # broken at spaces alone
    below = (
        (caption if markup else escape(caption))
        + (f"<dl>{listed}</dl>" if listed else "")
        + (f"<pre>{words}</pre>" if code else "")
    )
    return f"<figure><h3>{escape(title)}</h3>\n{plot}\n<figcaption>{below}</figcaption></figure>"


def _pieces(text: str) -> str:
    """Text that may break behind commas, semicolons and arrows only."""
    pieces = [piece for piece in re.split(r"(?<=[,;→]) ", text) if piece]
    return " ".join(f'<span class="word">{escape(piece)}</span>' for piece in pieces)


_NUMBER = re.compile(r"[≤+−-]?\d|N\b|⌈|max\(")
"""The begin of a cell that is a number, or a number of cycles for N scores."""


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether most cells of a column are numbers, so that they stand at the right."""
    filled = [cell for cell in cells if cell not in ("", "–", "exact")]
    return 2 * sum(_NUMBER.match(cell) is not None for cell in filled) > len(filled)


def table(
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    links: Mapping[str, str] | None = None,
    points: Sequence[str] | None = None,
) -> str:
    """A table as HTML, wider than the text where necessary; numbers stand at the right, text at the left.

    On a narrow screen the table scrolls, also by keyboard, and its first column stays; a shadow and a line below say so. A cell
    whose text is a key of `links` leads to the address there. `points` names the point of the plots that each row stands for.
    """

    def cell(text: str) -> str:
        address = (links or {}).get(text)
        return _pieces(text) if address is None else f'<a href="{escape(address)}">{_pieces(text)}</a>'

    columns = list(zip(*body, strict=True)) or [()] * len(header)
    classes = ["", *(' class="number"' if _is_numeric(column) else "" for column in columns[1:])]
    head = "".join(f'<th scope="col"{of}>{escape(text)}</th>' for text, of in zip(header, classes, strict=True))
    lines = []
    marks = [f' data-point="{point}"' for point in points] if points is not None else [""] * len(body)
    for mark, (first, *others) in zip(marks, body, strict=True):
        cells = "".join(f"<td{of}>{cell(text)}</td>" for text, of in zip(others, classes[1:], strict=True))
        lines.append(f'<tr{mark}><th scope="row">{cell(first)}</th>{cells}</tr>')
    label = escape("Table: " + ", ".join(text for text in header if text))
    return (
        f'<div class="scroll wide" tabindex="0" role="region" aria-label="{label}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def page(title: str, main: str, *, broad: bool = False, script: str = "") -> str:
    """A page that opens from disk, without a network; `main` is HTML, `script` is JavaScript that the page also does without.

    `broad` gives a page of wide tables the width of the screen.
    """
    code = f"\n<script>{script}</script>" if script else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_CSS.replace("LIGHT", _LIGHT)}</style>
</head>
<body>
<main{' class="broad"' if broad else ""}>
{main}
</main>{code}
</body>
</html>
"""
