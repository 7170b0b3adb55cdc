"""Rules of the test suite: each file of the hardware has a test of its stem, and no test leans on another or on a plugin."""

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FOLDERS = ("numbers", "streams", "stages", "normalisers", "modes", "options")

TESTED_ELSEWHERE = {
    "numbers/composition": "options/test_composed",
    "numbers/entropy": "modes/test_entropy",
    "numbers/random_words": "stages/test_random_words",
    "numbers/sink": "modes/test_sink",
    "numbers/ranked_draw": "modes/test_ranked_draw",
    "streams/layouts": "modes/test_head",
    "streams/registers": "streams/test_flow",
    "stages/admission": "modes/test_head",
    "stages/entropy_code": "modes/test_entropy",
    "stages/draw_set": "modes/test_ranked_draw",
    "stages/exponential_sum": "modes/test_softmax",
    "stages/ranked_store": "modes/test_top_k",
    "normalisers/divider": "normalisers/test_normalisers",
    "normalisers/exact_sum": "modes/test_exact_softmax",
    "normalisers/interface": "normalisers/test_normalisers",
    "normalisers/power_of_two": "normalisers/test_normalisers",
    "normalisers/reciprocal": "normalisers/test_normalisers",
    "modes/interface": "modes/test_head",
    "modes/vector_logarithm": "modes/test_cross_entropy",
    "numbers/state_merge": "stages/test_state_merge",
    "streams/probes": "sim/proofs/test_stores",
    "options/no_winner": "options/test_output_streams",
    "options/vector_flags": "options/test_mean_probabilities",
}
"""Files without behaviour of their own, and rows of a registry → the test that covers them."""

MARKERS = {"parametrize", "skipif", "skip", "usefixtures", "xfail", "filterwarnings"}
"""Markers of pytest itself."""


def stems(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / "hw" / folder).glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_has_a_test_of_its_stem_in_its_folder(folder: str) -> None:
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / folder).glob("test_*.py")}
    missing = {f"{folder}/{stem}" for stem in stems(folder) - tested} - set(TESTED_ELSEWHERE)
    assert not missing, "write a test of the same stem"


@pytest.mark.parametrize("test", sorted(set(TESTED_ELSEWHERE.values())))
def test_the_test_that_covers_another_file_exists(test: str) -> None:
    assert (ROOT / "tests" / f"{test}.py").is_file()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (alias.name for alias in node.names if node.level)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_test_imports_from_a_test(path: Path) -> None:
    for name in imported(path):
        assert not name.startswith("."), name
        assert not any(part.startswith("test_") or part == "tests" for part in name.split(".")), name


def settings() -> dict[str, list[str] | str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]


def test_every_marker_is_registered_without_a_plugin() -> None:
    """With --strict-markers a marker that only pytest-xdist registers would stop the collection where it is missing."""
    registered = {row.partition(":")[0].partition("(")[0] for row in settings()["markers"]}
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark":
                assert node.attr in MARKERS | registered, f"{path.name}: {node.attr}"


def test_options_of_plugins_stand_in_the_makefile_alone() -> None:
    words = str(settings()["addopts"]).split()
    assert not [word for word in words if word.startswith(("-n", "--dist"))]


def bindings(tree: ast.Module) -> dict[str, ast.ImportFrom | ast.Import]:
    """The names that a file imports from softstream, and the statement of each."""
    rows: dict[str, ast.ImportFrom | ast.Import] = {}
    for node in ast.walk(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(module.split(".")[0] == "softstream" for module in modules):
            rows |= {alias.asname or alias.name: node for alias in node.names}
    return rows


def module_named(name: str) -> ModuleType | None:
    """A module, or None where an extra that it needs is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def imported_object(node: ast.ImportFrom | ast.Import, name: str) -> object:
    """What an import binds to a name: a module, or one of its attributes."""
    alias = next(alias for alias in node.names if name in (alias.asname, alias.name))
    if isinstance(node, ast.Import):
        return module_named(alias.name)
    module = module_named(node.module or "")
    return getattr(module, alias.name, None) or module_named(f"{node.module}.{alias.name}")


def patched_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The object and the attribute of each `setattr` with a constant name, and the module and attribute of a dotted one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            first, second = node.args[0], node.args[1]
            if isinstance(first, ast.Name) and isinstance(second, ast.Constant):
                yield first.id, str(second.value)
            elif isinstance(first, ast.Constant) and str(first.value).startswith("softstream."):
                yield str(first.value).rpartition(".")[0], str(first.value).rpartition(".")[2]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_name_that_a_test_patches_exists(path: Path) -> None:
    """A private name that was renamed would stop a long test only when the long tests run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = bindings(tree)
    for owner, name in patched_names(tree):
        if owner in imports:
            target = imported_object(imports[owner], owner)
        elif owner.startswith("softstream."):
            target = module_named(owner)
        else:
            continue
        if isinstance(target, (ModuleType, type)):
            assert hasattr(target, name), f"{owner} has no attribute {name}"


def test_a_run_with_a_limit_skips_what_would_start_behind_it() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/repository/test_tests.py",
        "-k",
        "stand_in",
    ]
    for limit, outcome in (("-1", "1 skipped"), ("600", "1 passed")):
        done = subprocess.run([*command, "--limit", limit], cwd=ROOT, capture_output=True, text=True, check=True)
        assert outcome in done.stdout.splitlines()[-1]
