"""The histogram of the scores beside the range of the score code, as the reports show it."""

from typing import TYPE_CHECKING

import numpy as np

from softstream.scripts.measure.score_range import ScoreRange
from softstream.scripts.page import BOUND, MUTED, SOFTMAX, captioned, raised, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["range_figure"]


def range_figure(scores: ScoreRange, name: str = "range", title: str = "") -> str:
    """The histogram as a figure of a report; `name` keeps the ids of several figures apart, `title` names the member."""
    notes = [f"{scores.saturated_text}."]
    if scores.shifted:
        notes.append(f"{scores.shifted} vectors are shown behind the shift that fits them to the code.")
    if scores.excluded:
        notes.append(f"{scores.excluded} excluded scores are left out.")
    if scores.minimum < scores.edges[0] or scores.maximum > scores.edges[-1]:
        notes.append(
            f"The scores reach from {scores.minimum:.3g} to {scores.maximum:.3g}; the outer bars count what is beyond."
        )
    return captioned(
        "Range of the scores and of the code" + (f": {title}" if title else ""),
        svg(name, "Histogram of the scores beside the range of the code", 2.6, lambda f: _draw_range(f, scores)),
        " ".join(notes),
    )


def _draw_range(figure: "Figure", scores: ScoreRange) -> None:
    """Histogram of the scores; those beyond the code in the colour of the bound, the code as a bracket below."""
    axes = figure.subplots()
    edges, (first, last) = np.array(scores.edges), scores.code_bins
    inside = (np.arange(len(scores.counts)) >= first) & (np.arange(len(scores.counts)) < last)
    colors = [SOFTMAX if within else BOUND for within in inside]
    axes.bar(edges[:-1], scores.counts, np.diff(edges), align="edge", color=colors, alpha=0.55, linewidth=0)
    axes.set_yscale("symlog", linthresh=1)
    most = max(*scores.counts, 1)
    powers = np.arange(0, np.floor(np.log10(most)) + 1, max(1, int(np.log10(most)) // 3)).astype(int)
    axes.set_yticks([0, *(10.0**powers)], ["0", *("1" if not p else f"10{raised(p)}" for p in powers)])
    axes.set_yticks([], minor=True)
    axes.set_ylim(0, 3 * most)
    for end in (first, last):
        axes.axvline(edges[end], color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"codes {scores.code_minimum:.3g} to {scores.code_maximum:.3g}",
        ((edges[first] + edges[last]) / 2, 1.0),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="top",
        color=MUTED,
        fontsize=9.5,
    )
    margin = 0.02 * (edges[-1] - edges[0])
    axes.set_xlim(edges[0] - margin, edges[-1] + margin)
    axes.set_ylabel("scores")
    axes.set_xlabel("score, nats")
