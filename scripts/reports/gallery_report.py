"""The gallery as one HTML page: a plot, the figures of the preset and the command of each member of the softmax family."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.boards.tools.parts import PARTS
from softstream.hw.config.presets import DIGITS_SCALE
from softstream.hw.plan.derive import plan
from softstream.scripts.page import INK, MUTED, SOFTMAX, captioned, escape, page, svg
from softstream.scripts.reports.mathml import mathml
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


def _facts(member: Member, parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Error, latency and measured cells of a member's circuit, each with its name."""
    derived = plan(member.config)
    if derived.distance is not None:
        yield "error", f"total variation from softmax at most {derived.distance:.2g}"
    else:
        yield "error", "none" if derived.bound_ulp is None else f"at most {derived.bound_ulp:.3f} ulp"
    yield "first output", f"after {derived.latency_text} cycles"
    for part, entry in parts.items():
        kinds = [cell.name for cell in PARTS[part].cells if cell.placed and entry["cells"][cell.name]]
        cells = ", ".join(f"{entry['cells'][kind]} {kind}" for kind in kinds)
        clock = "" if entry["fmax_mhz"] is None else f"; {entry['fmax_mhz']:.0f} MHz"
        yield part, cells + (clock if entry["fits"] else "; does not fit")
    if not parts:
        yield "cells", "not measured with these settings"


def _caption(member: Member) -> str:
    """The formula, typeset, and the words that follow it, as HTML."""
    note = member.note
    if len(re.split(r"\W", note)[0]) > 2:  # a symbol keeps its case
        note = note[0].upper() + note[1:]
    return (mathml(member.formula) if member.formula else "") + (f"{escape(note)}." if note else "")


def render(members: Iterable[tuple[Member, Values]], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """The HTML of the page, from members with their values, and cells by title and part."""
    figures = "\n".join(
        captioned(
            member.title,
            _plot(member, values),
            _caption(member),
            list(_facts(member, parts.get(member.title, {}))),
            member.command,
            markup=True,
        )
        for member, values in members
    )
    scores = ", ".join(f"{code * DIGITS_SCALE:.2f}".replace("-", "−") for code in vector())
    main = f"""<p class="kicker">softstream · gallery</p>
<h1>The softmax family</h1>
<p class="answer">Each member in hardware, on one vector of a digits classifier: {escape(scores)}.</p>
<p>Error, latency and cells are those of the very circuit that computed the bars; the command generates its Verilog.</p>
<div class="plots">{figures}</div>"""
    return page("softstream: the softmax family", main)
