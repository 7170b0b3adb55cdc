"""Every verb that writes files, killed at each operation of its output, and on a disk that is full at each of them.

The earlier output survives whole, or the new one is whole; nothing stays beside it after the next run. A full disk is one line.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np
import pytest
from support.kills import faults_of, visible
from support.model_board import ModelBoard

from softstream.boards.flow import build as flow
from softstream.boards.flow.report import BuildReport
from softstream.hw import cache
from softstream.hw.cache import store_folder, store_value
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.scripts.cli import _softstream, main
from softstream.scripts.measure.recorded import record_path
from softstream.scripts.verbs import bench
from softstream.sim.data import CLASSIFIER, DIGITS_NETWORK, DIGITS_SCORES

OLD = b"an earlier output"


def command(*arguments: object) -> int:
    """Exit code of a command line."""
    try:
        main(list(map(str, arguments)))
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("a command line ends in SystemExit")


@dataclass(frozen=True)
class Case:
    """A command line that writes into the folder `area` of the current one."""

    words: tuple[str, ...]
    files: tuple[str, ...]
    """The files that it writes, by their path in the area."""
    earlier: tuple[str, ...] = ()
    """A command line that writes the earlier output; without one its files hold `OLD`."""
    stale: tuple[str, ...] = ()
    """Files of an earlier output of another kind, which must go."""
    prepare: Callable[[pytest.MonkeyPatch], None] = lambda monkeypatch: None
    words_now: Callable[[], tuple[str, ...]] = tuple
    """Words that are only known when the process runs."""
    existing: bool = True
    """Whether it replaces files; one that refuses to has no earlier output."""


def finished_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build without its tools."""
    report = BuildReport(12.0, 50.0, {}, 20.0, (), "start", "end")
    products = flow._Products({"top.bin": b"bitstream", "log": b"log"}, report, cached=False)
    monkeypatch.setattr(flow, "_products", lambda plan, tools, progress: products)
    monkeypatch.setattr(flow, "tool_versions", lambda row: {"nextpnr": "1"})


def recorded_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record in place of the measurement."""
    content = json.loads(record_path("bench.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(bench, "bench", lambda *arguments, **keywords: content)


def refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that breaks the law, in place of a proof of minutes."""
    from softstream.scripts.measure import proofs
    from softstream.sim.proofs.engine import Verdict
    from softstream.sim.proofs.harness import Property
    from softstream.sim.proofs.proof import Proof

    def proof(config: Config, **keywords: object) -> Proof:
        verdict = Verdict(Property("law", "law", reached=False), "refuted", "search", 3, 1.0)
        return Proof(config, (verdict,), 1.0, waveform="$enddefinitions $end")

    monkeypatch.setitem(proofs.STATEMENTS, "law", proof)


ANSWERS = ("--need", "class", "--bits", "8", "--length", "10", "--part", "hx8k", "--goal", "size")
BOARD = ("build", "--board", "icestick", "digits-argmax", "--quiet", "-o", "area/out")
CASES = {
    "describe": Case(("describe", "argmax-int8", "-o", "area/out.html"), ("out.html",)),
    "generate": Case(
        ("generate", "argmax-int8", "--name", "head", "-o", "area/out"),
        ("out/config.toml", "out/head.v", "out/head.veo", "out/manifest.json"),
        earlier=("generate", "argmax-int8-small", "--name", "head", "-o", "area/out"),
    ),
    "run": Case(("run", "digits-softmax", "--scores", "scores.npy", "-o", "area/out.npz"), ("out.npz",)),
    "compare": Case(
        ("compare", "digits-softmax", "--scores", "scores.npy", "--no-place", "-o", "area/out.html"), ("out.html",)
    ),
    "compare --modes": Case(
        ("compare", "--scores", "scores.npy", "--no-place", "--modes", "hardmax,sigmoid", "-o", "area/out.html"),
        ("out.html",),
    ),
    "gallery": Case(("gallery", "-o", "area/out.html"), ("out.html",)),
    "bench": Case(("bench", "--quick", "-o", "area/out"), ("out/bench.html", "out/bench.json"), prepare=recorded_bench),
    "explore": Case(
        ("explore", "digits-argmax", "--sweep", "max_length=2,3", "--no-cells", "-o", "area/out.html"), ("out.html",)
    ),
    "explore --csv": Case(
        ("explore", "digits-argmax", "--sweep", "max_length=2,3", "--no-cells", "--csv", "area/out.csv"), ("out.csv",)
    ),
    "import": Case(("import", str(CLASSIFIER), "-o", "area/out.toml"), ("out.toml",)),
    "import --calibrate": Case(
        ("import", str(CLASSIFIER), "--calibrate", str(DIGITS_NETWORK), "-o", "area/out"),
        ("out/config.toml", "out/scores.npy"),
    ),
    "build": Case(
        BOARD,
        ("out/build.json", "out/build.log", "out/icestick.bin"),
        stale=("out/icestick-plan.zip",),
        prepare=finished_build,
    ),
    "build --plan-only": Case(
        (*BOARD, "--plan-only"),
        ("out/build.json", "out/icestick-plan.zip"),
        stale=("out/build.log", "out/icestick.bin"),
    ),
    "run-on-board": Case(
        ("run-on-board", "digits-argmax", "--vectors", "3", "-o", "area/out.html"),
        ("out.html",),
        words_now=lambda: ("--port", ModelBoard(preset("digits-argmax")).port),
    ),
    "new": Case(
        ("new", *ANSWERS, "-o", "area/out.toml"),
        ("out.toml",),
        existing=False,
    ),
    "prove": Case(("prove", "argmax-int8", "--waveform", "area/out.vcd"), ("out.vcd",), prepare=refuted),
}
QUICK = {"describe", "generate", "run", "build", "build --plan-only", "prove", "import"}
"""What make test runs; make test-long the rest, which takes seconds each."""
EXIT_CODES = {"prove": 1}
OUTPUTS = {"output", "table", "waveform"}
"""Parameters that name a file or a folder to write."""


def test_every_verb_that_writes_has_a_case():
    context = click.Context(_softstream)
    verbs = {name: _softstream.get_command(context, name) for name in _softstream.list_commands(context)}
    writing = {name for name, verb in verbs.items() if verb and OUTPUTS & {option.name for option in verb.params}}
    assert writing == {name.partition(" ")[0] for name in CASES}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
def test_a_verb_that_is_killed_or_out_of_space_leaves_the_old_output_or_the_new_one(name, tmp_path, monkeypatch):
    case, area = CASES[name], tmp_path / "area"
    area.mkdir()
    monkeypatch.chdir(tmp_path)
    np.save("scores.npy", np.load(DIGITS_SCORES)[:50])
    case.prepare(monkeypatch)
    own = area / "own.txt" if "/" not in case.files[0] else area / "out" / "own.txt"
    if case.earlier:
        assert command(*case.earlier) == 0
    elif case.existing:
        for file in (*case.files, *case.stale):
            (area / file).parent.mkdir(exist_ok=True)
            (area / file).write_bytes(OLD)
    own.write_bytes(b"somebody's own")
    faults = faults_of(lambda: command(*case.words, "--quiet", *case.words_now()), area)

    assert faults.code == EXIT_CODES.get(name, 0)
    own_name = str(own.relative_to(area))
    assert set(faults.after) == {*case.files, own_name}, "nothing stays beside the output after the next run"
    assert all(faults.after[file] != faults.before.get(file) for file in case.files)
    kinds = {outcome.fault.split()[0] for outcome in faults.outcomes}
    assert kinds == {"kill", "full", "short"}
    assert sum(outcome.code is None for outcome in faults.outcomes) >= 5
    states = [visible(files) for files in (faults.before, faults.after)]
    for outcome in faults.outcomes:
        assert outcome.files in states, outcome.fault
        if outcome.code is None:
            continue
        assert outcome.temporaries == [], outcome.fault
        whole = outcome.files == states[1]
        assert (outcome.code, outcome.err.count("\n")) == (2, 1) or whole, (outcome.fault, outcome.code, outcome.err)


def stored_value(folder):
    store_value(folder / "kind" / "entry.json", {"LC": 120})
    return 0


def stored_folder(folder):
    store_folder(folder / "kind" / "entry", {"top.bin": b"bits", "report.json": b"{}"})
    return 0


@pytest.mark.parametrize("store", [stored_value, stored_folder])
def test_an_entry_of_the_cache_is_whole_or_absent(store, tmp_path, monkeypatch):
    """Nobody sees an error of the cache: a full disk costs the entry and nothing else."""
    monkeypatch.setattr(cache, "user_root", lambda: tmp_path / "user")
    area = tmp_path / "area"
    area.mkdir()
    faults = faults_of(lambda: store(area), area)
    assert faults.code == 0
    assert visible(faults.after)
    for outcome in faults.outcomes:
        assert outcome.code in (0, None), outcome.fault
        assert outcome.files in ({}, visible(faults.after)), outcome.fault
        assert outcome.temporaries == [] or outcome.code is None, outcome.fault
