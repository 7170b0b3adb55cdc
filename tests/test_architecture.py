"""The arrows of the design run one way, every module says what it exports, and no file knows where it lies."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from softstream.hw.config import KEYS

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {"hw": "softstream.hw", "sim": "softstream.sim", "boards": "softstream.boards", "scripts": "softstream.scripts"}
GENERATED = {
    ".git",
    ".venv",
    "build",
    "dist",
    "__pycache__",
    "sim_build",
    ".pytest_cache",
    ".ruff_cache",
    ".mypy_cache",
}

ALLOWED = {  # room → rooms that it may import
    "softstream.hw": {"softstream.hw"},
    "softstream.sim": {"softstream.hw", "softstream.sim"},
    "softstream.boards": {"softstream.hw", "softstream.boards"},
    "softstream.scripts": {*ROOMS.values(), "softstream"},
}
WITHOUT_AMARANTH = [
    *(
        f"softstream.hw.{name}"
        for name in (
            "formats",
            "config",
            "presets",
            "errors",
            "bound",
            "tables",
            "log_tables",
            "combinations",
            "differences",
            "composition",
            "floor_numerics",
            "floor_schedule",
            "smoothing_tables",
            "smoothing_schedule",
            "sampling",
            "cdf_law",
            "temperatures",
            "inverse_cdf_schedule",
            "sigmoid_tables",
            "schedule",
            "keys",
            "plan",
            "plan_modes",
            "plan_options",
            "plan_rows",
            "stage_plan",
            "ports",
            "profiles",
        )
    ),
    "softstream.boards.room",
    "softstream.sim.golden",
    "softstream.sim.reference",
    "softstream.sim.law",
    "softstream.scripts.cli",
    "softstream.scripts.describe",
]


def files(*suffixes: str) -> list[Path]:
    found = (path for path in ROOT.rglob("*") if not GENERATED.intersection(path.relative_to(ROOT).parts))
    return sorted(path for path in found if path.is_file() and "egg-info" not in str(path) and path.suffix in suffixes)


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    # The folder scripts/softstream is the root package itself.
    inside = parts[2:] if parts[:2] == ["scripts", "softstream"] else parts
    return ".".join(part for part in ["softstream", *inside] if part != "__init__")


SOURCES = {module_of(path): path for path in files(".py") if path.relative_to(ROOT).parts[0] in ROOMS}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports(module: str, everywhere: bool = True) -> set[str]:
    """Modules of softstream that a module imports; `everywhere`: inside functions too."""
    path = SOURCES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
                base = f"{anchor}.{base}".rstrip(".")
            # `from package import module` imports the module, `from module import name` does not.
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in SOURCES else base for alias in node.names}
    return found


def test_the_rooms_are_found():
    assert {room_of(module) for module in SOURCES} >= set(ROOMS.values())


@pytest.mark.parametrize("module", sorted(set(SOURCES) - {"softstream", "softstream.__main__"}))
def test_imports_follow_the_arrows(module):
    backwards = {
        name
        for name in imports(module)
        if name.split(".")[0] == "softstream" and room_of(name) not in ALLOWED[room_of(module)]
    }
    assert not backwards


@pytest.mark.parametrize("module", sorted(name for name in SOURCES if name.startswith("softstream.sim.golden")))
def test_the_model_imports_nothing_of_the_hardware_but_numbers(module):
    stages = {name for name in imports(module) if room_of(name) == "softstream.hw" and "amaranth" in loaded_by(name)}
    assert not stages


def loaded_by(module: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Top-level packages that importing a module of softstream loads, by its import statements outside of functions."""
    found = set()
    for name in imports(module, everywhere=False):
        if name in SOURCES and name not in seen:
            found |= loaded_by(name, seen | {module})
        found.add(name.split(".")[0])
    return found


def test_no_module_imports_itself_in_a_circle():
    graph = {module: imports(module, everywhere=False) & set(SOURCES) for module in SOURCES}
    while leaves := [module for module, needed in graph.items() if not needed & set(graph)]:
        for module in leaves:
            del graph[module]
    assert not graph


@pytest.mark.parametrize("path", files(".py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_rooms_are_imported_as_parts_of_softstream(path):
    # `import hw` would make twin classes: hw.config.Config is not softstream.hw.config.Config.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not {name.split(".")[0] for name in names} & {*ROOMS, "tests"}


def test_what_needs_no_amaranth_loads_none():
    lines = "\n".join(
        f"import {name}; assert 'amaranth' not in sys.modules, '{name} loads amaranth'" for name in WITHOUT_AMARANTH
    )
    done = subprocess.run([sys.executable, "-c", f"import sys\n{lines}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_all_is_there_and_resolves(module):
    found = importlib.import_module(module)
    exported = found.__all__
    assert len(set(exported)) == len(exported)
    for name in exported:
        assert hasattr(found, name), name


@pytest.mark.parametrize("path", sorted(path.name for path in (ROOT / "sim" / "golden").glob("*.py")))
def test_every_stage_of_the_model_has_its_twin_in_hardware(path):
    assert (ROOT / "hw" / path).is_file()


def test_the_model_reads_numeric_keys_only():
    implementation = {key.name for key in KEYS if not key.numeric}
    assert implementation
    readers = [name for name in SOURCES if name.startswith("softstream.sim.golden")]
    for module in [
        *readers,
        "softstream.hw.numerics",
        "softstream.hw.tables",
        "softstream.hw.log_tables",
        "softstream.hw.differences",
        "softstream.hw.composition",
        "softstream.hw.floor_numerics",
        "softstream.hw.smoothing_tables",
        "softstream.hw.sampling",
        "softstream.hw.sigmoid_tables",
        "softstream.hw.bound",
    ]:
        tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
        read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not read & implementation, module


TEXT = files(".py", ".toml", ".md", ".txt", ".json", ".sh", ".v", ".gtkw", "")
# Spelled in two halves, so that this file passes its own test.
PLACES = re.compile(
    r"(?<![\w.])/(?:" + "work|root|home|tmp" + r")/\w|" + r"pypi" + r"\.org|python" + r"hosted|index" + r"-url"
)


@pytest.mark.parametrize("path", TEXT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_names_a_place(path):
    found = PLACES.search(path.read_text(encoding="utf-8"))
    assert not found, found


def test_the_top_level_holds_nothing_else():
    known = {"pyproject.toml", "hw", "sim", "tests", "boards", "scripts", "README.md", "Makefile", "LICENSE"}
    generated = {"build", "dist", "softstream.egg-info"}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert known <= present <= known | generated
