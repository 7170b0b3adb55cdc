"""Heads on the tools: cells and Fmax of several heads, results of the simulated Verilog held against the model."""

import statistics
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from softstream.boards.tools.measure import Measurement, head_job, measure
from softstream.boards.tools.parts import Part
from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch

__all__ = [
    "PARTS",
    "RANGE_WORDS",
    "Progress",
    "clock_range",
    "clock_text",
    "measure_heads",
    "mhz_text",
    "range_of_seeds",
    "range_text",
    "resources_json",
    "verify",
]

Progress = Callable[[float, str], None]

PARTS = ("hx8k", "ecp5-25k")
"""The parts that heads are measured on by default: an iCE40 and an ECP5."""

RANGE_WORDS = "minimum / median / maximum"
"""What `range_text` holds."""


def measure_heads(
    heads: Mapping[str, Config], parts: tuple[Part, ...], seeds: tuple[int, ...], progress: Progress
) -> list[dict[str, Measurement]]:
    """For each head, by its title: part name → measurement. Raises as `boards.tools.measure.measure` does."""
    if not parts:
        return [{} for _ in heads]
    jobs = [head_job(head, part, seeds, title) for title, head in heads.items() for part in parts]
    results = iter(measure(jobs, progress=progress))
    return [{part.name: next(results) for part in parts} for _ in heads]


def clock_range(measured: Measurement) -> dict[str, float] | None:
    """Fmax over the seeds; None where the head does not fit the part."""
    return range_of_seeds([placed.fmax_mhz for placed in measured.placements])


def range_of_seeds(speeds: Collection[float]) -> dict[str, float] | None:
    """The clocks of some placements as their `minimum`, `median` and `maximum`; None without a placement."""
    if not speeds:
        return None
    return {"minimum": min(speeds), "median": round(statistics.median(speeds), 2), "maximum": max(speeds)}


def range_text(fmax: Mapping[str, float]) -> str:
    """A range of clocks in MHz, in the order of `RANGE_WORDS`."""
    return " / ".join(f"{fmax[of]:.0f}" for of in ("minimum", "median", "maximum"))


def resources_json(measured: Measurement, part: Part, elements_per_cycle: float) -> dict[str, Any]:
    """Cells, Fmax, throughput and critical paths of a head on a part, as plain values."""
    limit = part.limit(measured.cells)
    mhz = None if measured.fmax_mhz is None else part.usable(measured.fmax_mhz, measured.cells)
    return {
        "cells": dict(measured.cells),
        "available": dict(measured.available),
        "fits": not measured.over,
        "fmax_mhz": measured.fmax_mhz,
        "fmax_mhz_range": clock_range(measured),
        "limit_mhz": None if limit is None else limit.mhz,
        "limit_source": None if limit is None else limit.source,
        "fmax_mhz_by_seed": {str(placement.seed): placement.fmax_mhz for placement in measured.placements},
        "megaelements_per_second": None if mhz is None else mhz * elements_per_cycle,
        "critical_path": [
            {"start": c.start, "end": c.end, "logic_ns": c.logic_ns, "routing_ns": c.routing_ns}
            for c in (placement.critical_path for placement in measured.placements)
        ],
    }


def mhz_text(value: float | None, part: Part) -> str:
    """A clock in MHz; None is a part without a clock, or a head that does not fit the part."""
    if value is None:
        return "no clock" if part.no_clock else "does not fit"
    return f"{value:.1f}"


def clock_text(measured: Measurement, part: Part) -> str:
    """The clock of a head in MHz, as `mhz_text`; of several placements their range, as `range_text`."""
    fmax = clock_range(measured)
    if fmax is None or len(measured.placements) == 1:
        return mhz_text(measured.fmax_mhz, part)
    return range_text(fmax)


def verify(simulated: Mapping[str, np.ndarray], model: Mapping[str, np.ndarray]) -> None:
    """Raises `Mismatch` with the first difference between two results, for each array of the simulated streams.

    The model has the winner even where the hardware leaves its stream out.
    """
    for name, actual in simulated.items():
        expected = model[name]
        if actual.shape != expected.shape:
            raise Mismatch(f"{name}: the Verilog gave shape {actual.shape}, the model {expected.shape}")
        different = np.argwhere(actual != expected)
        if len(different):
            where = tuple(int(i) for i in different[0])
            raise Mismatch(
                f"{name}[{', '.join(map(str, where))}]: the Verilog gave {actual[where]}, the model {expected[where]}; "
                f"{len(different)} of {actual.size} differ"
            )
