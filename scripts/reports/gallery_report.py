"""The gallery as one HTML page: a plot, the figures of the preset and the command of each member of the softmax family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from softstream.hw.config.presets import DIGITS_SCALE, PRESETS
from softstream.hw.plan.derive import plan
from softstream.scripts.measure.recorded import recorded
from softstream.scripts.page import INK, MUTED, SOFTMAX, captioned, escape, page, svg
from softstream.scripts.verbs.gallery import Member, Values, vector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["render"]


def _plot(member: Member, values: Values) -> str:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(values.model))
        axes.bar(places, values.model, color=SOFTMAX, width=0.7, label="hardware (its model)")
        axes.plot(
            places,
            values.exact,
            "o",
            markersize=4,
            markerfacecolor="none",
            markeredgecolor=INK,
            label="exact, of the codes",
        )
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_xticks(places)
        axes.set_xlabel(member.axis)
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    return svg(f"member-{member.title.lower()}", f"{member.title} on a vector of the digits", 2.4, draw)


def _facts(member: Member) -> Iterator[tuple[str, str]]:
    """Error, latency and measured cells of a member, each with its name."""
    derived = plan(PRESETS[member.preset].replace(**dict(member.changes)))
    if derived.distance is not None:
        yield "error", f"total variation from softmax at most {derived.distance:.2g}"
    else:
        yield "error", "none" if derived.bound_ulp is None else f"at most {derived.bound_ulp:.3f} ulp"
    yield "first output", f"after {derived.latency_text} cycles"
    if member.changes:  # another circuit than that of the preset
        yield "cells", "not measured with these settings"
        return
    entries = recorded()["presets"].get(member.preset, {})
    for part, entry in entries.items():
        cells = ", ".join(f"{entry['cells'][kind]} {kind}" for kind in entry["available"] if entry["cells"][kind])
        yield part, cells + ("" if entry["fmax_mhz"] is None else f"; {entry['fmax_mhz']:.0f} MHz")
    if not entries:
        yield "cells", "not measured yet"


def render(members: Iterable[tuple[Member, Values]]) -> str:
    """The HTML of the page, from members with their values; the same package gives the same bytes."""
    figures = "\n".join(
        captioned(member.title, _plot(member, values), f"{member.formula}.", list(_facts(member)), member.command)
        for member, values in members
    )
    scores = ", ".join(f"{code * DIGITS_SCALE:.2f}" for code in vector())
    main = f"""<p class="kicker">softstream · gallery</p>
<h1>The softmax family</h1>
<p class="answer">Each member in hardware, on one vector of a digits classifier: {escape(scores)}.</p>
<p>Figures are for the preset at its default max_length; the command generates its Verilog.</p>
<div class="plots">{figures}</div>"""
    return page("softstream: the softmax family", main)
