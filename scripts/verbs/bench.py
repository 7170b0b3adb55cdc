"""`softstream bench`: measured cells, clock, cycles and errors of every variant, and the speed of the tool itself.

    content = bench(list(VARIANTS.values()), seeds=range(1, 11))
    write(content, Path("build/bench"))       # bench.json and bench.html

Cells and Fmax come from synthesis and place and route, cycles from a simulation of the same Verilog, whose results must equal
those of the model, and errors from the model against the exact values of the codes. The cache of the tools is keyed by the
digest of the Verilog, tool versions and seed (`boards.toolchain`). `boards/measured/bench.json` is one such content, checked in,
for the README.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import softstream
from softstream.boards.tools.measure import CriticalPath, Measurement, head_job, measure, tool_versions
from softstream.boards.tools.parts import BENCH_PARTS, Part
from softstream.hw.config.config import Config, nearest
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import Mismatch, ToolFailure, UserError
from softstream.hw.extras import need
from softstream.hw.numbers.temperature import tempered
from softstream.hw.output import check_directory, write_directory
from softstream.hw.plan.derive import plan
from softstream.hw.plan.texts import decimals
from softstream.hw.verilog import CORE, TOP, source_lines, synthesis_verilog, wrapped_verilog
from softstream.scripts.console import Console
from softstream.scripts.measure.accuracy import worst_errors
from softstream.scripts.measure.heads import RANGE_WORDS, clock_range, range_text, verify
from softstream.scripts.measure.model_speed import c_model_speed, golden_speed, onnxruntime_speeds
from softstream.scripts.measure.recorded import recorded_bench
from softstream.scripts.measure.variants import CURVES, VARIANTS, Curve, Goal, Variant
from softstream.sim.golden import golden
from softstream.sim.simulators.runner import run_rtl
from softstream.sim.stimulus import random_sideband

__all__ = [
    "COLUMNS",
    "FMAX_SENTENCE",
    "bench",
    "chosen",
    "located",
    "margin_sentence",
    "place_once",
    "print_bench",
    "recorded",
    "rows",
    "run",
    "speed_sentence",
]

SEED = 1
"""Seed of scores and simulations."""
SPEED_CONFIG = PRESETS["softmax-int8"]
"""The configuration that the tool's own speed is measured on."""
SPEED_PART = "hx8k"
# (length, vectors): short vectors, many of which are in flight at once, and the longest.
_SIMULATED = ((16, 64), (1 << 16, 4))

Content = dict[str, Any]


class Tell(Protocol):
    """Takes the fraction of the work that is done, and the step at hand."""

    def __call__(self, fraction: float, what: str, /) -> None: ...


def recorded() -> Content:
    """The content of `boards/measured/bench.json`, as `bench` gave it."""
    return recorded_bench()


def chosen(names: Sequence[str]) -> list[Variant]:
    """The variants of these names, all without any. Raises `UserError` naming the nearest."""
    for name in names:
        if name not in VARIANTS:
            raise UserError(
                f"--only {name}: no such variant{nearest(name, VARIANTS)}; must be one of {', '.join(VARIANTS)}"
            )
    return [VARIANTS[name] for name in names or VARIANTS]


def bench(
    variants: Sequence[Variant],
    seeds: Sequence[int],
    *,
    curves: Sequence[Curve] = (),
    speed: bool = False,
    jobs: int = 2,
    progress: Tell | None = None,
) -> Content:
    """Measures the variants, `jobs` tools at a time, and cells along the curves; with `speed` also the tool itself.

    Raises `Mismatch` where the simulated Verilog differs from the model in a bit or from the plan in a cycle, `MissingTool` and
    `ToolFailure` as simulation, synthesis and place and route do.
    """
    tell = progress or (lambda fraction, what: None)
    parts = [BENCH_PARTS[name] for variant in variants for name in variant.parts]
    parts += [BENCH_PARTS[curve.part] for curve in curves]
    content: Content = {
        "softstream": softstream.__version__,
        "tools": tool_versions(parts),
        "variants": {},
        "curves": [],
    }
    # Shares of the progress bar, proportional to the time of each step.
    simulated, placed = 0.2, 0.9 if speed else 1.0
    for index, variant in enumerate(variants):
        tell(simulated * index / len(variants), f"{variant.name}: errors and cycles")
        content["variants"][variant.name] = _described(variant)
    work = [
        head_job(variant.config, BENCH_PARTS[name], seeds, variant.name)
        for variant in variants
        for name in variant.parts
    ]
    pairs = [(curve, config) for curve in curves for config in curve.configs()]
    work += [
        head_job(config, BENCH_PARTS[curve.part], seeds, f"{curve.key} = {getattr(config, curve.key)}")
        for curve, config in pairs
    ]
    measurements = iter(
        measure(work, workers=jobs, progress=lambda done, what: tell(simulated + (placed - simulated) * done, what))
    )
    for variant in variants:
        entry = content["variants"][variant.name]
        entry["parts"] = {
            name: _placed(variant, entry, BENCH_PARTS[name], goal, next(measurements))
            for name, goal in variant.parts.items()
        }
    for curve in curves:
        points = [next(measurements) for _ in curve.values]
        content["curves"].append(
            {
                "key": curve.key,
                "title": curve.title,
                "part": curve.part,
                "seeds": list(seeds),
                "values": list(curve.values),
                "cells": [dict(point.cells) for point in points],
                "fmax_mhz": [clock_range(point) for point in points],
                "bound_ulp": [plan(config).bound_ulp for config in curve.configs()],
            }
        )
    if speed:
        tell(placed, "the speed of the tool")
        content["speed"] = _speed()
    tell(1.0, "done")
    return content


# One variant ---------------------------------------------------------------------------------------------------------


def _described(variant: Variant) -> Content:
    """The facts that are the same on every part: configuration, errors, cycles."""
    config = variant.config
    derived = plan(config)
    entry: Content = {
        "config": config.to_mapping(),
        "verilog_sha256": hashlib.sha256(synthesis_verilog(config).encode()).hexdigest(),
        "bound_ulp": derived.bound_ulp,
        "worst_ulp": derived.worst_ulp,
        "total_variation": derived.distance,
        "seen_ulp": None,
        "seen_worst_ulp": None,
        "first_output": derived.latency_text,
        "interval": derived.interval_formula,
        "cycles": _cycles(config),
    }
    if config.traits.normalised and not config.traits.cumulative:
        # The head may output fewer probabilities, but those are the same.
        whole = config.replace(mode="softmax", mask=False, groups=[])
        if config.temperature_bits:
            whole = tempered(whole)  # its scores include every product
        entry["seen_ulp"], entry["seen_worst_ulp"] = worst_errors(whole, SEED)
    return entry


def _cycles(config: Config) -> list[Content]:
    """Cycles to the first output and from vector to vector, of the Verilog in a simulator, by length.

    Raises `Mismatch` where the cycles differ from the plan, or the results from the model.
    """
    rng = np.random.default_rng(SEED)
    fmt = config.score_format
    measured: list[Content] = []
    for limit, count in _SIMULATED:
        length = min(limit, config.max_length)
        if any(length == row["length"] for row in measured):
            continue
        scores = rng.integers(fmt.minimum, fmt.maximum, (count * config.ensemble, length), endpoint=True)
        sideband = random_sideband(config, scores)
        result = run_rtl(config, scores, None, sideband, seed=SEED)
        model, derived = golden(config, scores, None, sideband), plan(config)
        verify(result, model)
        first = result.first_output_cycle - (model["sample"] if derived.searched else 0)
        outputs = result.start_cycle + first
        row = {
            "length": length,
            "first_output": int(first[0]),
            # The first vectors may be faster, until the queues are full.
            "interval": int(np.diff(outputs)[count // 2 :].max()),
            "simulator": result.simulator,
        }
        due = {"first_output": derived.first_output_cycle(length), "interval": derived.interval_cycles(length)}
        for name, cycles in due.items():
            if row[name] != cycles:
                raise Mismatch(f"{name} at length {length}: {row[name]} cycles simulated, {cycles} planned")
        measured.append(row)
    return measured


def _placed(variant: Variant, entry: Content, part: Part, goal: Goal | None, measured: Measurement) -> Content:
    """Cells, clock, throughput and critical path of the variant on one part."""
    longest = entry["cycles"][-1]
    per_cycle = longest["length"] / longest["interval"]
    logic = part.cell("logic")
    assert logic is not None  # every part has logic
    result: Content = {
        "cells": dict(measured.cells),
        "available": dict(measured.available),
        "fits": not measured.over and bool(measured.placements),
        "elements_per_cycle": per_cycle,
    }
    if measured.placements:
        median = measured.fmax_mhz
        assert median is not None
        clock = part.usable(median, measured.cells)
        slowest = min(measured.placements, key=lambda placed: placed.fmax_mhz)
        result |= {
            "fmax_mhz": clock_range(measured),
            "fmax_mhz_by_seed": {str(placed.seed): placed.fmax_mhz for placed in measured.placements},
            "clock_mhz": round(clock, 2),
            "margin_mhz": round(median - clock, 2),
            "megaelements_per_second": round(clock * per_cycle, 3),
            "kiloelements_per_second_per_cell": round(1e3 * clock * per_cycle / measured.cells[logic.name], 1),
            "critical_path": {"seed": slowest.seed, **_path(variant.config, slowest.critical_path)},
        }
    if goal is not None:
        result["misses"] = _misses(goal, result, longest["first_output"])
    return result


def _path(config: Config, path: CriticalPath) -> Content:
    stages, lines = located(config, path)
    return {
        "ns": path.total_ns,
        "logic_ns": path.logic_ns,
        "stages": list(stages),
        "lines": list(lines),
        "start": path.start,
        "end": path.end,
    }


def located(config: Config, path: CriticalPath) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(stages, lines) of a critical path, in order: modules of the hierarchy, and lines of Python.

    A stage is named by its place below the head, `accumulate` or `replay.queue`; the edges around it, and the registers of
    `wrapped_verilog` at the ports, are `edge`.
    """
    text = synthesis_verilog(config)
    above = wrapped_verilog(config).count("\n") - text.count("\n")
    declared = _declared(text)
    modules = sorted(declared, key=len, reverse=True)

    def split(name: str) -> tuple[str, str]:
        module = next((module for module in modules if name.startswith(f"{module}.")), "")
        return module, name[len(module) + 1 :] if module else name

    names = [split(name.removeprefix(f"{CORE}.")) for name in (path.start, *path.nets, path.end)]
    stages = tuple(dict.fromkeys(module.partition(".")[2] or "edge" for module, _ in names))
    numbers = [number - above for number in path.lines if number > above]
    if not numbers:
        # Synthesis lost the locations, but a net such as `total_LUT4_A_Z[3]` still has the name of its signal.
        for module, rest in names:
            known = declared.get(module, {})
            signal = max((signal for signal in known if rest.startswith(signal)), key=len, default=None)
            numbers += [] if signal is None else [known[signal]]
    sources = source_lines(config)
    lines = [sources[number - 1] for number in numbers]
    if not any(lines):
        # The path has only memories and library cells: take the lines that connect its stages.
        for number, line in enumerate(text.splitlines()):
            instance = re.match(rf"  \\?{TOP}\.([\w.]+)\s", line)
            lines += [sources[number]] if instance and instance[1] in {module for module, _ in names} else []
    return stages, tuple(dict.fromkeys(filter(None, lines)))


def _declared(text: str) -> dict[str, dict[str, int]]:
    """Module below the top (by its place in the hierarchy) → signal → line of its declaration, from 1."""
    modules: dict[str, dict[str, int]] = {}
    signals: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if module := re.match(rf"module \\?{TOP}(?:\.([\w.]+))?", line):
            signals = modules.setdefault(module[1] or "", {})
        elif signal := re.match(r"  (?:reg|wire) (?:\[[\d:]+\] )?\\?([^\s;=]+)", line):
            signals[signal[1]] = number
    modules.pop("", None)
    return modules


def _misses(goal: Goal, result: Content, first_output: int) -> list[str]:
    """The missed targets, each as `Fmax 128.0 of 250 MHz`."""
    misses = []
    if not result["fits"] or result["fmax_mhz"]["median"] < goal.fmax_mhz:
        reached = f"{result['fmax_mhz']['median']:.1f}" if result["fits"] else "none"
        misses.append(f"Fmax {reached} of {goal.fmax_mhz:g} MHz")
    for kind, most in goal.cells.items():
        if result["cells"][kind] > most:
            misses.append(f"{result['cells'][kind]} of {most} {kind}")
    if result["elements_per_cycle"] < goal.elements_per_cycle:
        misses.append(f"{result['elements_per_cycle']:.3g} of {goal.elements_per_cycle:.3g} elements/cycle")
    if goal.first_output is not None and first_output > goal.first_output:
        misses.append(f"first output after {first_output} of {goal.first_output} cycles")
    return misses


# The tool itself -----------------------------------------------------------------------------------------------------


def _speed() -> Content:
    """Seconds of each step, in a process of its own with an empty cache, and the speed of the models on one core."""
    with tempfile.TemporaryDirectory(prefix="softstream-bench-", ignore_cleanup_errors=True) as folder:
        preset = next(name for name, config in PRESETS.items() if config == SPEED_CONFIG)
        cli = ("-m", "softstream")
        generate = _seconds(folder, *cli, "generate", "--preset", preset, "--quiet", "-o", f"{folder}/out")
        simulate = (*cli, "simulate", "--preset", preset, "--quiet")
        first, second = _seconds(folder, *simulate), _seconds(folder, *simulate)
        # The very first call of nextpnr also compiles it, which is not counted.
        place = "from softstream.scripts.verbs.bench import place_once; place_once({})"
        _seconds(folder, "-c", place.format("'argmax-int8'"))
        placement = _seconds(folder, "-c", place.format(repr(preset)))
    compiled = c_model_speed(SPEED_CONFIG)
    return {
        "config": SPEED_CONFIG.to_mapping(),
        "generate_seconds": generate,
        "first_simulation_seconds": first,
        "second_simulation_seconds": second,
        "placement_part": SPEED_PART,
        "synthesis_and_placement_seconds": placement,
        "golden_scores_per_second": golden_speed(SPEED_CONFIG),
        **({} if compiled is None else {"c_model_scores_per_second": compiled}),
        "onnxruntime_scores_per_second": onnxruntime_speeds(SPEED_CONFIG),
    }


def place_once(preset: str) -> None:
    """Synthesis and one placement of a preset, to be timed."""
    measure([head_job(PRESETS[preset], BENCH_PARTS[SPEED_PART])])


def _seconds(cache: str, *arguments: str) -> float:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "XDG_CACHE_HOME": cache},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolFailure(
            f"{' '.join(arguments)}: exit code {done.returncode}: {(done.stderr.splitlines() or [''])[0]}"
        )
    return round(time.perf_counter() - begun, 2)


# Output for people ----------------------------------------------------------------------------------------------------

COLUMNS = (
    "variant",
    "part",
    "elements/cycle",
    "Fmax, MHz",
    "seeds",
    "cells",
    "first output",
    "Melements/s",
    "kelements/s per cell",
    "largest error, ulp",
)

FMAX_SENTENCE = f"Fmax {RANGE_WORDS} over the placement seeds, as many as the row says"
"""What the columns `Fmax, MHz` and `seeds` hold; a row of one seed has its Fmax alone."""


def rows(content: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table's rows as text, a variant on a part each; see `COLUMNS`."""
    table: list[tuple[str, ...]] = []
    for name, entry in content["variants"].items():
        seen = "" if entry["seen_ulp"] is None else f"{decimals(entry['seen_ulp'], 3)} "
        error = "exact" if entry["bound_ulp"] is None else f"{seen}≤ {entry['bound_ulp']:.3f}"
        if entry["total_variation"] is not None:
            error = f"≤ {entry['total_variation']:.2g} total variation"
        for part, placed in entry["parts"].items():
            counted = [f"{placed['cells'][kind]} {kind}" for kind in placed["available"] if placed["cells"][kind]]
            if placed["fits"]:
                fmax = placed["fmax_mhz"]
                seeds = len(placed["fmax_mhz_by_seed"])
                speed = range_text(fmax) if seeds > 1 else f"{fmax['median']:.0f}"
                flow, density = (
                    f"{placed['megaelements_per_second']:.1f}",
                    f"{placed['kiloelements_per_second_per_cell']:.0f}",
                )
            else:
                seeds, speed, flow, density = 0, "does not fit", "–", "–"
            table.append(
                (
                    name,
                    part,
                    f"{placed['elements_per_cycle']:.3g}",
                    speed,
                    str(seeds or "–"),
                    ", ".join(counted),
                    entry["first_output"],
                    flow,
                    density,
                    error,
                )
            )
    return table


def print_bench(content: Mapping[str, Any], console: Console) -> None:
    """The tables, or the JSON document."""
    console.document(content)
    console.table(
        f"measured, {FMAX_SENTENCE}",
        COLUMNS,
        rows(content),
        right=("seeds", "elements/cycle", "Melements/s", "kelements/s per cell"),
        fold=("cells", "Fmax, MHz"),
        drop=(
            *("kelements/s per cell", "largest error, ulp", "first output", "elements/cycle", "Melements/s", "seeds"),
            "cells",
        ),
    )
    paths = [
        (
            name,
            part,
            f"{placed['critical_path']['ns']:.2f}",
            " → ".join(placed["critical_path"]["stages"]),
            " ".join(placed["critical_path"]["lines"]),
        )
        for name, entry in content["variants"].items()
        for part, placed in entry["parts"].items()
        if placed["fits"]
    ]
    console.table(
        "critical path of the slowest seed",
        ("variant", "part", "ns", "stages", "lines"),
        paths,
        right=("ns",),
        fold=("stages", "lines"),
        drop=("lines", "stages"),
    )
    for name, entry in content["variants"].items():
        for part, placed in entry["parts"].items():
            if placed.get("margin_mhz"):
                console.line(margin_sentence(name, part, placed))
            if "misses" in placed:
                goal = "; ".join(placed["misses"]) or "reached"
                console.line(f"{name} on {part}, goal: {goal}")
    if "speed" in content:
        console.line(speed_sentence(content["speed"]))


def margin_sentence(name: str, part: str, placed: Mapping[str, Any]) -> str:
    """The part of a variant's Fmax above the device limit, with the source of the limit."""
    limit = BENCH_PARTS[part].limit(placed["cells"])
    assert limit is not None  # every part of the benchmark has limits
    return (
        f"{name} on {part}: {placed['margin_mhz']:g} MHz of Fmax are margin above the device limit of {limit.mhz} MHz, "
        f"that of the {limit.source}"
    )


def speed_sentence(speed: Mapping[str, Any]) -> str:
    """The tool's own speed in one sentence; that of the C model where a compiler was there, and that of onnxruntime likewise."""
    interpreted, compiled = speed["golden_scores_per_second"], speed.get("c_model_scores_per_second")
    ratio = (
        ""
        if compiled is None
        else f", C model {compiled / 1e6:.0f} million, {compiled / interpreted:.1f} times as many"
    )
    others = " and ".join(
        f"{value / 1e6:.0f} million in {operator}"
        for operator, value in speed.get("onnxruntime_scores_per_second", {}).items()
    )
    return (
        f"generate {speed['generate_seconds']:.1f} s, first simulation {speed['first_simulation_seconds']:.1f} s, second "
        f"{speed['second_simulation_seconds']:.1f} s, synthesis and one placement on {speed['placement_part']} "
        f"{speed['synthesis_and_placement_seconds']:.1f} s, model {interpreted / 1e6:.0f} million scores "
        f"per second on one core{ratio}{f'; onnxruntime computes {others}' if others else ''}"
    )


def run(
    names: Sequence[str],
    seeds: int,
    quick: bool,
    jobs: int,
    output: Path | None,
    render: Callable[[Mapping[str, Any]], str],
    console: Console,
) -> None:
    """The verb: measures, prints, and writes `bench.json` and, as `render` gives it, `bench.html` into `output`."""
    need("bench", "boards", "sim", *(["reports"] if output is not None else []))
    variants = chosen(names)
    if output is not None:
        check_directory("-o", output)
    everything = not names and not quick
    with console.progress("measuring") as progress:
        content = bench(
            variants,
            (1,) if quick else tuple(range(1, seeds + 1)),
            curves=CURVES if everything else (),
            speed=everything,
            jobs=jobs,
            progress=progress,
        )
    if output is not None:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_directory("-o", output, {"bench.json": text, "bench.html": render(content)})
    print_bench(content, console)
    report = f"; report {output / 'bench.html'}" if output is not None else ""
    console.done(
        f"{len(variants)} variant{'' if len(variants) == 1 else 's'} measured{report}",
        "softstream presets --part ecp5-25k",
    )
