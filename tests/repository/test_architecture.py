"""Imports follow the order of the layers, every module declares its exports, and no file holds a path of a machine."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from softstream.hw.config.config import KEYS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"hw": "softstream.hw", "sim": "softstream.sim", "boards": "softstream.boards", "scripts": "softstream.scripts"}
GENERATED = {
    ".git",
    ".venv",
    ".venv-torch",
    "build",
    "dist",
    "__pycache__",
    "sim_build",
    ".pytest_cache",
    ".hypothesis",
    ".ruff_cache",
    ".mypy_cache",
}

LAYERS = {
    "hw": "errors extras cache output processes formats notebook config numbers plan streams stages normalisers modes options "
    "contracts "
    "head axi verilog",
    "sim": "stalls beats stimulus golden reference data simulators benches proofs twin",
    "boards": "measured tools platforms registry link gateware flow",
    "scripts": "build_backend console page manual arrays quantiser scores scale emit importer measure training "
    "demonstration verbs twin "
    "reports api sentences generated_tables site cli",
}
"""Folders, and files, of a room, each of which may import what stands before it, and itself."""

FACES = {"softstream", "softstream.__main__", "softstream.torch"}
"""Modules that people import or run, above all rooms."""

ROOMS_BELOW = {"hw": "", "sim": "hw", "boards": "hw", "scripts": "hw sim boards"}
"""Rooms that a room may import besides itself."""

WITH_AMARANTH = {"streams", "contracts", "stages", "normalisers", "modes", "options", "head", "axi", "verilog"}
"""Folders and files of `hw` that may load Amaranth."""

OF_THE_MODEL = {"errors", "formats", "notebook", "config", "numbers", "plan"}
"""Folders of `hw` that the golden model may import; of `plan` the ports alone."""


def files(*suffixes: str) -> list[Path]:
    paths: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        # An environment has a hundred times as many files as the project.
        folders[:] = [name for name in folders if name not in GENERATED and "egg-info" not in name]
        paths += [Path(folder, name) for name in names if name not in GENERATED]
    return sorted(path for path in paths if path.is_file() and path.suffix in suffixes)


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    # The folder scripts/softstream is the root package itself.
    inside = parts[2:] if parts[:2] == ["scripts", "softstream"] else parts
    return ".".join(part for part in ["softstream", *inside] if part != "__init__")


SOURCES = {module_of(path): path for path in files(".py") if path.relative_to(ROOT).parts[0] in ROOMS}


def place_of(module: str) -> tuple[str, str]:
    """Room of a module, and its folder in the room or, where it lies in the room itself, its own name; empty for the face."""
    room, _, rest = module.removeprefix("softstream").lstrip(".").partition(".")
    return room, rest.partition(".")[0]


def imports(module: str, everywhere: bool = True) -> set[str]:
    """Modules of softstream that a module imports; `everywhere`: inside functions too."""
    path = SOURCES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
                base = f"{anchor}.{base}".rstrip(".")
            # `from package import module` imports the module, `from module import name` does not.
            modules |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in SOURCES else base for alias in node.names}
    return modules


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_and_file_of_a_room_has_its_layer(room):
    layers = LAYERS[room].split()
    assert len(set(layers)) == len(layers)
    assert set(layers) == {place for at, place in map(place_of, SOURCES) if at == room and place}


@pytest.mark.parametrize("module", sorted(set(SOURCES) - FACES))
def test_imports_follow_the_arrows(module):
    room, place = place_of(module)
    layers = LAYERS[room].split()
    for name in imports(module):
        if name == "softstream" or name.split(".")[0] != "softstream":
            continue
        other, other_place = place_of(name)
        if other != room:
            assert other in ROOMS_BELOW[room].split(), name
        elif other_place:
            assert layers.index(other_place) <= layers.index(place), name


MODEL = sorted(name for name in SOURCES if name.startswith("softstream.sim.golden"))


@pytest.mark.parametrize("module", MODEL)
def test_the_model_imports_nothing_of_the_hardware_but_numbers(module):
    theirs = {name for name in imports(module) if place_of(name)[0] == "hw"}
    assert {place_of(name)[1] for name in theirs} <= OF_THE_MODEL
    assert {name for name in theirs if place_of(name)[1] == "plan"} <= {"softstream.hw.plan.ports"}


def loaded_by(module: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Top-level packages that importing a module of softstream loads, by its import statements outside of functions."""
    packages = set()
    for name in imports(module, everywhere=False):
        if name in SOURCES and name not in seen:
            packages |= loaded_by(name, seen | {module})
        packages.add(name.split(".")[0])
    return packages


def test_no_module_imports_itself_in_a_circle():
    graph = {module: imports(module, everywhere=False) & set(SOURCES) for module in SOURCES}
    while leaves := [module for module, needed in graph.items() if not needed & set(graph)]:
        for module in leaves:
            del graph[module]
    assert not graph


@pytest.mark.parametrize("path", files(".py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_rooms_are_imported_as_parts_of_softstream(path):
    # `import hw` would make twin classes: hw.config.Config is not softstream.hw.config.config.Config.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not {name.split(".")[0] for name in names} & {*ROOMS, "tests"}


def test_modules_without_hardware_load_no_amaranth():
    without = [name for name in SOURCES if place_of(name)[0] == "hw" and place_of(name)[1] not in WITH_AMARANTH]
    without += [*MODEL, *(name for name in SOURCES if name.startswith("softstream.sim.reference"))]
    without += ["softstream.boards.flow.capacity", "softstream.scripts.cli", "softstream.scripts.verbs.describe"]
    lines = "\n".join(
        f"import {name}; assert 'amaranth' not in sys.modules, '{name} loads amaranth'" for name in without
    )
    done = subprocess.run([sys.executable, "-c", f"import sys\n{lines}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(module, marks=[pytest.mark.torch] if {"twin", "torch"} & set(module.split(".")) else [])
        for module in sorted(SOURCES)
    ],
)
def test_every_package_has_all_and_its_names_resolve(module):
    package = importlib.import_module(module)
    exported = package.__all__
    assert len(set(exported)) == len(exported)
    for name in exported:
        assert hasattr(package, name), name


GOLDEN = ROOT / "sim" / "golden"


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*.py") if path.parent != GOLDEN)
)
def test_every_stage_of_the_model_has_its_twin_in_hardware(path):
    assert (ROOT / "hw" / path).is_file()


HARDWARE = [path for path in (ROOT / "hw").rglob("*.py") if path.parent.name != "contracts"]


@pytest.mark.parametrize("path", sorted(HARDWARE), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_hardware_has_one_clock_domain(path):
    """A clock enable and a reset reach every register, which the proofs of the head take for granted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    driven = [node for node in ast.walk(tree) if getattr(getattr(node, "value", None), "attr", "") == "d"]
    assert {getattr(node, "attr", "") for node in driven} <= {"comb", "sync"}
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"ClockDomain", "DomainRenamer"}
    assert named <= ({"ClockDomain"} if path.name == "axi.py" else set())


@pytest.mark.parametrize("module", [*MODEL, *(name for name in SOURCES if name.startswith("softstream.hw.numbers"))])
def test_the_model_reads_numeric_keys_only(module):
    implementation = {key.name for key in KEYS if not key.numeric}
    assert implementation
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & implementation


TEXT = files(".py", ".toml", ".md", ".txt", ".json", ".sh", ".v", ".gtkw", "")
# Spelled in two halves, so that this file passes its own test.
PLACES = re.compile(
    r"(?<![\w.])/(?:" + "work|root|home|tmp" + r")/\w|" + r"pypi" + r"\.org|python" + r"hosted|index" + r"-url"
)


@pytest.mark.parametrize("path", TEXT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_names_a_place(path):
    match = PLACES.search(path.read_text(encoding="utf-8"))
    assert not match, match


def test_the_top_level_holds_nothing_else():
    known = {"pyproject.toml", "hw", "sim", "tests", "boards", "scripts", "README.md", "Makefile", "LICENSE"}
    generated = {"build", "dist", "softstream.egg-info"}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert known <= present <= known | generated
