"""Sweeps: requested points, the Pareto front, the answer; interrupted and resumed, and on a cluster that loses a worker."""

import csv
import functools
import json
import signal
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from support.cluster import Cluster, with_compiled_tools
from support.html_page import Page
from support.waiting import wait_for

from softstream.boards.tools.measure import Job, measure
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import Config
from softstream.hw.errors import MissingTool, ToolFailure, UserError
from softstream.hw.plan.profiles import Measured, Room
from softstream.hw.verilog import synthesis_verilog
from softstream.scripts.cli import main
from softstream.scripts.scale import best_scale
from softstream.scripts.scores import quantise
from softstream.scripts.verbs import explore as module
from softstream.scripts.verbs.explore import Point, Wish, answer, explore, pareto, sweep
from softstream.scripts.verbs.fidelity import EvaluationSet, Fidelity, fidelities
from softstream.sim.golden import golden

BASE = Config(mode="argmax", score_width=2).to_mapping()
# Small argmax heads: synthesised in about a second each.
LENGTHS = "max_length=2,3,5,9"


def lengths(points):
    return [point.config.max_length for point in points]


# What is asked -------------------------------------------------------------------------------------------------------


def test_a_sweep_is_every_combination_over_the_base():
    asked = sweep(BASE, ["max_length=2,4", "profile=fast, small", "score_signed=true"])
    assert asked.keys == ("max_length", "profile", "score_signed")
    assert [(c.max_length, c.profile) for c in asked.configs] == [(2, "fast"), (2, "small"), (4, "fast"), (4, "small")]
    assert all(c.mode == "argmax" and c.score_width == 2 and c.score_signed is True for c in asked.configs)
    assert sweep(BASE, []).configs == (Config.from_mapping(BASE),)


def test_impossible_points_are_left_out_with_the_reason():
    asked = sweep(Config().to_mapping(), ["guard_bits=1,4"])
    assert [config.guard_bits for config in asked.configs] == [4]
    [(settings, why)] = asked.impossible
    assert settings == "guard_bits=1"
    assert "1 ulp" in why


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["guard_bits"], r"--sweep guard_bits: must be key=a,b,c or key=a..b; for example --sweep guard_bits=2,3,4"),
        (["guard_bits=2,,3"], r"must be key=a,b,c"),
        (["gard_bits=2"], r"unknown configuration key 'gard_bits' \(did you mean 'guard_bits'\?\)"),
        (["guard_bits=2", "guard_bits=3"], r"guard_bits is swept twice; give all its values at once"),
        (["guard_bits=8..2"], r"--sweep guard_bits=8..2: 8..2: a range must rise, .*; for example guard_bits=2..10"),
        (["guard_bits=4..4"], r"a range must rise"),
        (
            ["score_scale=0.1..0.2"],
            r"0.1..0.2 is no range of integers; must be a..b, or values; for example score_scale=4..12",
        ),
        (["guard_bits=2..7", "max_length=1..9000"], r"--sweep: 54000 combinations; must be 10000 at most"),
        (["guard_bits=1"], r"no combination is possible; guard_bits=1: .*1 ulp"),
    ],
)
def test_a_wrong_sweep_is_one_line(settings, message):
    with pytest.raises(UserError, match=message):
        sweep(Config().to_mapping(), settings)


def test_a_range_is_every_integer_of_it_once():
    asked = sweep(BASE, ["max_length=2..4, 4,9"])
    assert [config.max_length for config in asked.configs] == [2, 3, 4, 9]


# Front and answer ----------------------------------------------------------------------------------------------------


def point(logic, fmax, ulp, **changes):
    config = Config(max_length=logic)
    return replace(Point(config, {"LC": logic}, logic, True, fmax, 1.0, fmax, ulp, ulp / 256), **changes)


SMALL, FAST, EXACT, BEATEN = point(100, 50, 0.7), point(200, 90, 0.7), point(150, 50, 0.5), point(210, 80, 0.7)
HUGE = point(9000, 300, 0.5, fits=False)


def test_the_front_holds_the_points_that_no_other_point_beats():
    assert pareto([FAST, BEATEN, EXACT, HUGE, SMALL]) == [SMALL, EXACT, FAST]


def test_equal_points_are_both_on_the_front():
    assert pareto([SMALL, replace(SMALL, config=Config())]) == [SMALL, replace(SMALL, config=Config())]


@pytest.mark.parametrize(
    ("wish", "best", "meets"),
    [
        (Wish(), SMALL, True),
        (Wish(fmax_mhz=80), FAST, True),
        (Wish(max_ulp=0.6), EXACT, True),
        (Wish(fmax_mhz=80, max_cells=190), FAST, False),
        (Wish(max_ulp=0.4), EXACT, False),
    ],
)
def test_the_answer_is_the_smallest_that_meets_the_wish_or_the_nearest(wish, best, meets):
    assert answer([FAST, BEATEN, EXACT, HUGE, SMALL], wish) == (best, meets)


def test_no_answer_where_nothing_fits_or_everything_failed():
    with pytest.raises(UserError, match="no point of the sweep fits the part, the smallest takes 38 of 32 RAM4K; "):
        answer([replace(HUGE, over=("38 of 32 RAM4K",))], Wish())
    with pytest.raises(ToolFailure, match="synthesis failed"):
        answer([replace(HUGE, failure="synthesis failed")], Wish())


def test_an_argmax_head_keeps_every_error_bound():
    exact = point(100, 50, 0.0, bound_ulp=None)
    assert answer([exact], Wish(max_ulp=0.01)) == (exact, True)


# Given scores --------------------------------------------------------------------------------------------------------

FLOATS = np.random.default_rng(2).normal(0, 3, (80, 10))
LABELS = np.where(np.random.default_rng(3).random(80) < 0.7, FLOATS.argmax(axis=1), 0)
HEAD = Config(max_length=10)


def test_fidelity_is_what_numpy_says_of_the_given_floats():
    configs = [HEAD.replace(score_scale=scale, probability_width=bits) for scale in (0.02, 0.5) for bits in (4, 10)]
    able, refused = fidelities(configs, EvaluationSet(quantise(HEAD, FLOATS), LABELS))
    assert list(able) == configs
    assert not refused
    weights = np.exp(FLOATS - FLOATS.max(axis=1, keepdims=True))
    exact = weights / weights.sum(axis=1, keepdims=True)
    for config, fidelity in able.items():
        result = golden(config, quantise(config, FLOATS).codes)
        error = np.abs(result.probabilities / 2**config.probability_width - exact)
        assert (fidelity.largest, fidelity.mean) == pytest.approx((error.max(), error.mean()))
        assert (fidelity.count, fidelity.flips) == (80, np.count_nonzero(result.argmax != FLOATS.argmax(axis=1)))
        assert fidelity.accuracy == np.mean(result.argmax == LABELS)
    assert len({fidelity.flips for fidelity in able.values()}) > 1


def test_the_scale_that_suits_the_floats_is_a_value_of_a_sweep():
    evaluation = EvaluationSet(quantise(HEAD, FLOATS), LABELS)
    asked = sweep(HEAD.to_mapping(), ["score_scale=0.5,auto", "probability_width=4,10"], evaluation=evaluation)
    best = best_scale(HEAD, FLOATS).scale
    assert [config.score_scale for config in asked.configs] == [0.5, 0.5, best, best]
    with pytest.raises(UserError, match=r"score_scale=auto: is chosen from float scores; for example --scores F.npy"):
        sweep(HEAD.to_mapping(), ["score_scale=auto"])


def faithful(bits, flips, largest, accuracy=None, calibration=None, **changes):
    fidelity = Fidelity(100, flips, accuracy, 0.96, calibration, largest, largest / 9, 0.0)
    return point(bits, None, 0.6, config=Config(**changes), fidelity=fidelity, speed=1.0)


NARROW, EXACT_16, LOSSY = faithful(12, 5, 0.1), faithful(16, 0, 0.01), faithful(16, 9, 0.2)


def test_flips_and_error_against_the_given_scores_are_axes_of_the_front():
    assert pareto([LOSSY, EXACT_16, NARROW]) == [NARROW, EXACT_16]
    # The bound alone would have kept one of the two.
    assert pareto([replace(p, fidelity=None) for p in (EXACT_16, NARROW)]) == [replace(NARROW, fidelity=None)]


def test_an_accuracy_above_that_of_the_given_scores_is_luck():
    lucky, right = faithful(16, 4, 0.02, accuracy=0.98), faithful(16, 0, 0.01, accuracy=0.96)
    assert pareto([lucky, right]) == [right]
    assert pareto([faithful(16, 0, 0.02, accuracy=0.94), right]) == [right]


def test_the_calibration_decides_among_temperatures_alone():
    hot, cold = faithful(16, 0, 0.01, calibration=0.02, temperature=2), faithful(16, 0, 0.01, calibration=0.05)
    assert pareto([cold, hot]) == [hot]
    assert answer([cold, hot], Wish()) == (hot, True)
    same = replace(hot, config=cold.config)
    assert pareto([cold, same]) == [cold, same]


@pytest.mark.parametrize(
    ("wish", "best", "meets"),
    [
        (Wish(max_flips=5), NARROW, True),
        (Wish(max_flips=4.9), EXACT_16, True),
        (Wish(max_error=0.05), EXACT_16, True),
        (Wish(max_error=0.001), EXACT_16, False),
        (Wish(max_flips=0, max_cells=12), EXACT_16, False),  # five flips are further off than a third more bits
    ],
)
def test_limits_on_the_given_scores(wish, best, meets):
    assert answer([LOSSY, EXACT_16, NARROW], wish) == (best, meets)


def test_a_limit_on_the_accuracy():
    poor, good = faithful(12, 0, 0.1, accuracy=0.9), faithful(16, 0, 0.1, accuracy=0.95)
    assert answer([poor, good], Wish(min_accuracy=90)) == (poor, True)
    assert answer([poor, good], Wish(min_accuracy=95)) == (good, True)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("F.npy", FLOATS)
    np.save("Y.npy", LABELS)
    np.save("C.npy", np.rint(FLOATS).astype(np.int8))


def explored(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["explore", "softmax-int8", "--set", "max_length=10", "--no-cells", *arguments])
    output = capsys.readouterr()
    return ended.value.code or 0, output.out, output.err


ON_FLOATS = (
    "--scores",
    "F.npy",
    "--labels",
    "Y.npy",
    "--sweep",
    "score_scale=0.05,0.2",
    "--sweep",
    "probability_width=4..6",
)


@pytest.mark.usefixtures("files")
def test_the_page_the_table_and_the_document_tell_the_same(capsys):
    code, out, _ = explored(capsys, *ON_FLOATS, "--max-error", "0.1", "-o", "p.html", "--csv", "p.csv", "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["format"], document["part"], document["given"]["vectors"]) == (2, None, 80)
    lines = list(csv.DictReader(Path("p.csv").read_text(encoding="utf-8").splitlines()))
    assert [(line["score_scale"], line["probability_width"]) for line in lines] == [
        (scale, bits) for scale in ("0.05", "0.2") for bits in ("4", "5", "6")
    ]
    for line, entry in zip(lines, document["points"], strict=True):
        assert int(line["flips"]) == entry["fidelity"]["flips"]
        assert float(line["largest"]) == entry["fidelity"]["largest"]
        assert line["pareto"] == str(entry["pareto"])
    page = Page(Path("p.html").read_text(encoding="utf-8"))
    assert page.tags["svg"] == 8
    # Each plot has a place for each point, and the table of every point a row; the front's are reached by keyboard.
    named = [set(value.split()) for tag, name, value in page.attributes if (tag, name) == ("circle", "data-point")]
    assert set.union(*named) == {str(number) for number in range(6)}
    assert ("circle", "tabindex", "0") in page.attributes
    assert "Smallest that meets --max-error 0.1" in page.text
    assert "score_signed=true" in page.text
    assert "draw_top_k" not in page.text, "a key without effect"
    for axis in ("Accuracy, %", "Flips of 80", "Largest error", "Calibration error, %"):
        assert axis in page.text


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_front_fits_the_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = explored(capsys, *ON_FLOATS)
    assert code == 0
    assert width < 80 or "flips of 80" in out
    # A command to copy stays on one line.
    assert all(len(line) <= width for line in out.splitlines() if "next: softstream " not in line)


@pytest.mark.usefixtures("files")
def test_points_that_cannot_take_the_scores_are_named(capsys):
    code, out, _ = explored(capsys, "--scores", "F.npy", "--sweep", "max_length=5,10")
    assert code == 0
    assert "not possible: max_length=5: " in out
    assert "vectors of 10 elements; must be max_length = 5 at most" in out


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-flips", "1"), "--max-flips 1: needs scores to measure it on; for example --scores F.npy"),
        (("--scores", "F.npy", "--min-accuracy", "90"), "--min-accuracy 90: needs labels; for example --scores F.npy"),
        (("--max-cells", "900"), "--max-cells 900: needs synthesis; leave out --no-cells"),
        (("--fmax", "90"), "--fmax 90: needs place and route; leave out --no-place and --no-cells"),
        (("--labels", "Y.npy"), "--labels Y.npy: needs the scores that it belongs to"),
        (
            ("--scores", "C.npy", "--sweep", "score_scale=0.1,1"),
            "--sweep score_scale: the scores are codes, which have one score_scale; for example floats as --scores",
        ),
        (
            ("--scores", "F.npy", "--labels", "Y.npy", "--set", "mode=cross_entropy", "--max-flips", "1"),
            "--max-flips: mode = 'cross_entropy' names no class; for example --max-error 0.01",
        ),
        (("--scores", "F.npy", "--max-error", "1e-9"), "no point of the sweep meets that; nearest is "),
        (("--csv", "absent.npy/x.csv", "-o", "."), "-o .: is a directory"),
    ],
)
def test_limits_that_nothing_measures_are_refused(capsys, arguments, message):
    code, _, err = explored(capsys, "--quiet", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


# On this machine -----------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of results, for this process and those that it starts; compiled tools stay in reach."""
    monkeypatch.setenv("YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP", appauthor=False))
    with_compiled_tools(tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@functools.cache
def cells_of(config):
    """The expected cells of the point, measured directly."""
    [measurement] = measure([Job(synthesis_verilog(config), PARTS["hx8k"], ())])
    return measurement.cells


def test_points_are_measured_once_and_cached(cache, monkeypatch):
    asked = sweep(BASE, ["max_length=2,9"])
    seen = []
    points = explore(asked, "hx8k", (), jobs=2, progress=lambda done, what: seen.append(done))
    assert lengths(points) == [2, 9]
    assert seen == sorted(seen)
    assert seen[-1] == 1
    monkeypatch.setattr(module, "_locally", None)
    assert explore(asked, "hx8k", ()) == points
    for point in points:
        assert point.cells == cells_of(point.config)
        assert point.fits
        assert point.fmax_mhz is None


SPEEDS = {4: [98.0, 103.5, 110.25], 5: [91.0, 99.0, 95.0]}
"""Guard bits → clocks of the seeds from 1 on."""


@pytest.fixture
def placed(cache, monkeypatch):
    """Placements whose clocks are known."""

    def measured(tasks, jobs):
        for index, task in enumerate(tasks):
            speeds = SPEEDS[Config.from_mapping(task.values).guard_width][: len(task.seeds)]
            cells = {cell.name: 0 for cell in PARTS[task.part].cells} | {"COMB": 400, "FF": 700, "DP16KD": 8}
            placements = dict(zip(map(str, task.seeds), speeds, strict=True))
            known = {"fmax_mhz": statistics.median(speeds), "fmax_mhz_by_seed": placements}
            yield index, {"cells": cells, "fits": True, "over": [], "seeds": list(task.seeds), **known}

    monkeypatch.setattr(module, "_locally", measured)
    return cache.parent


def swept(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["explore", "softmax-int8", "--part", "ecp5-25k", "--sweep", "guard_bits=4,5", *arguments])
    assert not ended.value.code
    return capsys.readouterr().out


def test_several_seeds_give_the_median_and_its_range(placed, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page, table = placed / "p.html", placed / "p.csv"
    text = swept(capsys, "--seeds", "3", "-o", str(page), "--csv", str(table))
    assert max(map(len, text.splitlines()[:-1])) <= 80  # the last is a command, which is not wrapped
    joined = " ".join(text.split())
    assert "2 of 2 points; Fmax minimum / median / maximum over 3 placement seeds" in joined
    assert "98 / 104 / 110" in text
    assert "91 / 95 / 99" in text
    assert "smallest: --set guard_bits=4: 400 COMB, 700 FF, 8 DP16KD, 103.5 MHz (98.0 to 110.2 over 3 seeds)" in joined
    assert "98 / 104 / 110" in Page(page.read_text(encoding="utf-8")).text
    lines = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    ranges = [[line[f"fmax_mhz{end}"] for end in ("_minimum", "", "_maximum")] for line in lines]
    assert ranges == [["98.0", "103.5", "110.25"], ["91.0", "95.0", "99.0"]]
    document = json.loads(swept(capsys, "--seeds", "3", "--json"))
    assert [entry["fmax_mhz_range"] for entry in document["points"]] == [
        {"minimum": 98.0, "median": 103.5, "maximum": 110.25},
        {"minimum": 91.0, "median": 95.0, "maximum": 99.0},
    ]
    assert document["points"][0]["fmax_mhz_by_seed"] == {"1": 98.0, "2": 103.5, "3": 110.25}


def test_one_seed_gives_its_clock(placed, capsys):
    text = swept(capsys)
    assert "placement seeds" not in text
    assert "103.5" not in text
    assert "98.0 MHz, 0" in " ".join(text.split())  # and the bound behind it
    [first, _] = json.loads(swept(capsys, "--json"))["points"]
    assert first["fmax_mhz_range"] == {"minimum": 98.0, "median": 98.0, "maximum": 98.0}


@pytest.mark.usefixtures("cache")
def test_without_a_placement_there_is_no_range(capsys, monkeypatch):
    good = {"cells": {"COMB": 1, "FF": 1}, "fits": True, "fmax_mhz": None, "fmax_mhz_by_seed": {}, "seeds": []}
    monkeypatch.setattr(module, "_locally", lambda tasks, jobs: ((i, good) for i, _ in enumerate(tasks)))
    document = json.loads(swept(capsys, "--no-place", "--seeds", "3", "--json"))
    assert [entry["fmax_mhz_range"] for entry in document["points"]] == [None, None]
    assert "placement seeds" not in swept(capsys, "--no-place", "--seeds", "3")


def test_a_failing_tool_is_an_outcome_and_is_tried_again(cache, monkeypatch):
    asked = sweep(BASE, ["max_length=2,9"])
    monkeypatch.setattr(
        module, "_locally", lambda tasks, jobs: ((i, {"failure": "no luck"}) for i, _ in enumerate(tasks))
    )
    assert [point.failure for point in explore(asked, "hx8k", ())] == ["no luck", "no luck"]
    good = {"cells": {"LC": 1}, "fits": True, "fmax_mhz": None}
    monkeypatch.setattr(module, "_locally", lambda tasks, jobs: ((i, good) for i, _ in enumerate(tasks)))
    assert [point.failure for point in explore(asked, "hx8k", ())] == ["", ""]


def test_other_versions_and_other_hardware_are_other_results(cache, monkeypatch):
    asked = sweep(BASE, ["max_length=2"])
    good = {"cells": {"LC": 1}, "fits": True, "fmax_mhz": None}
    asked_for = []

    def counted(tasks, jobs):
        asked_for.extend(tasks)
        return ((i, good) for i, _ in enumerate(tasks))

    monkeypatch.setattr(module, "_locally", counted)
    signature = module._signature(PARTS["hx8k"])
    for name in (None, "pyosys", "the generator"):
        changed = signature if name is None else {**signature, name: "other"}
        monkeypatch.setattr(module, "_signature", lambda part, placed, changed=changed: changed)
        explore(asked, "hx8k", ())
        explore(asked, "hx8k", ())
    assert len(asked_for) == 3
    explore(asked, "ecp5-25k", ())
    assert len(asked_for) == 4


EXPLORE = [sys.executable, "-m", "softstream", "explore", "--config", "base.toml", "--no-place", "--json"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.toml").write_text('mode = "argmax"\nscore_width = 2\n')
    return tmp_path


def cache_files(cache):
    return list((cache / "softstream" / "explore").glob("*.json"))


def children(pid):
    """Processes below `pid`, at any depth."""
    processes, parents = set(), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    level = {pid}
    while level := {child for child, parent in parents.items() if parent in level}:
        processes |= level
    return processes


@pytest.mark.long
def test_ctrl_c_keeps_finished_points_and_the_same_command_continues(cache, folder):
    command = [*EXPLORE, "--sweep", LENGTHS, "--jobs", "1"]
    # A background job ignores SIGINT; Python makes it raise again.
    script = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"os.execv(sys.executable, {command!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(cache_files(cache)) >= 2)
    below = children(process.pid)
    assert below
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    before = len(cache_files(cache))
    assert 2 <= before < 4
    assert err == f"error: interrupted; {before} of 4 points are cached; the same command continues\n"
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 20)
    # A read marks an entry as used; an entry that is made anew is another file.
    first = {path: path.stat().st_ino for path in cache_files(cache)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert [entry["config"]["max_length"] for entry in document["points"]] == [2, 3, 5, 9]
    assert len(cache_files(cache)) == 4
    assert all(path.stat().st_ino == then for path, then in first.items())


# On a cluster --------------------------------------------------------------------------------------------------------

pytest.importorskip("distributed", reason="the extra [cluster] is not installed")

# What a worker does before it begins: hold each point for a moment, so that one can be killed while it has some.
SLOW = """
import time
from softstream.scripts.verbs import explore
def dask_setup(worker):
    evaluate = explore._evaluate
    explore._evaluate = lambda task: time.sleep(1) or evaluate(task)
"""
# … or have another yosys, or none.
OTHER_YOSYS = """
import importlib.metadata as metadata
def dask_setup(worker):
    version = metadata.version
    def other(name):
        if name == "pyosys":
            {what}
        return version(name)
    metadata.version = other
"""


@pytest.fixture
def cluster(cache, tmp_path):
    started = Cluster(tmp_path)
    yield started
    started.end()


@pytest.mark.long
def test_a_killed_worker_costs_no_point_and_spoils_none(cluster):
    asked = sweep(BASE, [LENGTHS])
    for name in ("one", "two"):
        cluster.worker(name, SLOW)
    arrived = []

    def watch(done, what):
        arrived.append(done)
        if len(arrived) == 3:  # two points are there: the middle of the sweep
            cluster.processes["one"].kill()

    points = explore(asked, "hx8k", (), scheduler=cluster.address, progress=watch)
    assert cluster.processes["one"].wait() == -signal.SIGKILL
    assert cluster.processes["two"].poll() is None
    assert lengths(points) == [2, 3, 5, 9]
    for point in points:
        assert not point.failure
        assert point.cells == cells_of(point.config)


def test_a_worker_without_a_tool_is_named(cluster):
    cluster.worker("bare", OTHER_YOSYS.format(what="raise metadata.PackageNotFoundError(name)"))
    with pytest.raises(
        MissingTool, match=r"^worker bare at tcp://127\.0\.0\.1:\d+: pyosys: not installed, and synthesis needs it"
    ):
        explore(sweep(BASE, ["max_length=2"]), "hx8k", (), scheduler=cluster.address)


def test_a_worker_with_another_version_is_named(cluster):
    cluster.worker("old", OTHER_YOSYS.format(what="return '0.1'"))
    with pytest.raises(
        UserError, match=r"^worker old at .*: pyosys is 0\.1, here it is .*; must be the same everywhere"
    ):
        explore(sweep(BASE, ["max_length=2"]), "hx8k", (), scheduler=cluster.address)


def test_no_workers_and_no_scheduler_are_one_line(cluster, monkeypatch):
    monkeypatch.setattr(module, "_WORKERS_SECONDS", 0.5)
    asked = sweep(BASE, ["max_length=2"])
    with pytest.raises(UserError, match=r"it has no workers; start some, for example: dask worker tcp://127"):
        explore(asked, "hx8k", (), scheduler=cluster.address)
    with pytest.raises(UserError, match=r"--scheduler nonsense://x: no scheduler of distributed .* answers there"):
        explore(asked, "hx8k", (), scheduler="nonsense://x")


def test_a_missing_extra_is_one_line_and_exit_code_3(cache, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SystemExit) as ended:
        main(["explore", "--preset", "digits-argmax", "--no-place", "--quiet", "--scheduler", "tcp://127.0.0.1:1"])
    assert ended.value.code == 3
    expected = "error: distributed: not installed, and --scheduler needs it; pip install 'softstream[cluster]'\n"
    assert capsys.readouterr().err == expected


def test_a_single_impossible_configuration_is_refused_with_its_own_words():
    with pytest.raises(UserError, match=r"^lanes = 4 with accumulator = .reference.: .* lanes = 1 would do"):
        sweep({"lanes": 4, "accumulator": "reference"}, [])


def test_if_nothing_fits_the_smallest_point_and_a_measured_remedy_are_named():
    config = Config(mode="softmax")
    fitting = config.replace(profile="small")
    points = [replace(point(9000, None, 0.6, config=config, fits=False), over=("9000 of 1000 LC", "38 of 32 RAM4K"))]
    room = Room("a part", 1000, (Measured(fitting, 900, 50.0),))
    with pytest.raises(
        UserError, match=r"the smallest takes 9000 of 1000 LC, 38 of 32 RAM4K; .* for example profile=small$"
    ):
        answer(points, Wish(), room)


# A part without a clock ----------------------------------------------------------------------------------------------


def test_a_part_without_a_clock_has_cells_alone(capsys):
    def output(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--part", "lcmxo2-7000"])
        return ended.value.code or 0, capsys.readouterr()

    code, printed = output("explore", "--preset", "digits-argmax")
    assert code == 2
    assert (
        "error: --part lcmxo2-7000: no clock, because place and route of the Python package index has no" in printed.err
    )
    argmax = ("--set", "mode=argmax", "--set", "score_width=2", "--json")
    code, printed = output("explore", *argmax, "--no-place", "--sweep", "max_length=2,3")
    assert code == 0, printed.err
    points = json.loads(printed.out)["points"]
    assert all(point["cells"]["FF"] > 0 and point["fmax_mhz"] is None for point in points)
    code, printed = output("describe", *argmax, "--set", "max_length=2")
    described = json.loads(printed.out)
    assert described["cells"] == points[0]["cells"]
    assert described["part"] == "lcmxo2-7000"
    assert described["no_clock"]
