"""The self-test of a board as one HTML page: the verdict, the parts of the test, the cycles, and vectors with their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from softstream.scripts.console import settings_text
from softstream.scripts.page import INK, MUTED, SOFTMAX, captioned, escape, page, svg, table
from softstream.sim.reference.softmax import softmax_float64

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from softstream.scripts.verbs.run_on_board import Report, Sample

__all__ = ["render"]

_SHOWN = 20
"""Mismatches in the table."""


def _facts(report: Report) -> str:
    vectors = sum(group.vectors for group in report.groups)
    seconds = sum(group.seconds for group in report.groups)
    facts = [
        (str(vectors), "vectors, each compared bit for bit"),
        (str(report.differences.count), "values that differ from the model"),
        (f"{report.clock_hz / 1e6:g} MHz", "clock of the core"),
        (
            f"{vectors / max(seconds, 1e-9):.0f}/s",
            "vectors through the link" + (", simulated" if report.simulated else ""),
        ),
    ]
    return "".join(f"<li><b>{escape(value)}</b><small>{escape(text)}</small></li>" for value, text in facts)


def _plot(report: Report, number: int, sample: Sample) -> str:
    config, codes = report.config, sample.codes[None]
    shares = (sample.probabilities - config.output_zero_point) / config.levels

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(shares))
        axes.bar(places, shares, color=SOFTMAX, width=0.7, label="board")
        if config.traits.softmax:
            exact = softmax_float64(config, codes)[0][: len(shares)]
            axes.plot(places, exact, "o", markersize=4, markerfacecolor="none", markeredgecolor=INK, label="exact")
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_ylim(0, max(1.0, float(shares.max())))
        axes.set_xticks(places)
        axes.set_xlabel("element")
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    return svg(f"vector-{number}", f"Probabilities of {sample.group} vector {sample.vector}", 2.2, draw)


def _samples(report: Report) -> str:
    plots = [
        captioned(
            f"{sample.group} vector {sample.vector}",
            _plot(report, number, sample),
            f"Score codes {', '.join(map(str, sample.codes))}.",
        )
        for number, sample in enumerate(report.samples)
    ]
    if not plots:
        return ""
    return f'<h2>Vectors</h2><p>As the board computed them.</p><div class="plots">{"".join(plots)}</div>'


def _mismatches(report: Report) -> str:
    count = report.differences.count
    if not count:
        return ""
    rows = [[str(value) for value in vars(difference).values()] for difference in report.differences.first[:_SHOWN]]
    title = f"The first {_SHOWN} of {count} mismatches" if count > _SHOWN else "Mismatches"
    return f"<h2>{title}</h2>" + table(("vectors", "vector", "value", "board", "model"), rows)


def render(report: Report) -> str:
    """The HTML of the page. It holds no path and no date."""
    groups = [
        (
            group.name,
            str(group.vectors),
            str(group.elements),
            str(group.differences.count),
            f"{group.seconds:.2f}",
            f"{group.vectors_per_second:.1f}",
            f"{group.bytes_per_second:.0f}",
        )
        for group in report.groups
    ]
    cycles = [
        (str(length), str(measured), str(report.planned(length)), f"{measured / report.clock_hz * 1e6:.2f}")
        for length, measured in report.cycles.items()
    ]
    wrong = report.differences.count
    verdict = f"{wrong} values differ from the model" if wrong else "Equal to the model, bit for bit"
    clock = "The seconds are those of the simulator." if report.simulated else ""
    settings = settings_text(report.config.relevant())
    main = f"""<p class="kicker">softstream · self-test of a {"simulated " if report.simulated else ""}board</p>
<h1{' class="bad"' if wrong else ""}>{escape(verdict)}</h1>
<p class="answer">{escape(report.title)}</p>
<ul class="facts">{_facts(report)}</ul>
<h2>Parts of the test</h2>
{table(("vectors", "number", "scores", "mismatches", "s", "vectors/s", "bytes/s"), groups)}
<h2>Cycles in the core</h2>
<p>From the first score of a vector to its first result, without the link.</p>
{table(("scores", "measured", "plan", "µs"), cycles)}
{_mismatches(report)}
{_samples(report)}
<h2>How it was measured</h2>
<p>Seed {report.seed}, digest {report.config.digest[:12]}. {clock}</p>
<p class="muted">{escape(settings)}</p>"""
    return page("softstream: self-test of a board", main)
