"""The wheel holds all of softstream and nothing else, and works alone, outside the tree."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.requirements import FOLDER, LAYERS, SAMPLES, blocks, hashed_pins, name_of, normalised

import softstream

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEVELOPMENT = ("dev", "boards", "cluster", "onnx", "reports", "serve", "sim")
REQUIRED = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]
ROOMS = ("hw", "sim", "boards", "scripts")
# What the repository needs and an installed softstream does not: among others the pages and their pictures.
TREE_ONLY = {"scripts/constraints.txt", "scripts/constraints-torch.txt", "scripts/venv.sh"}
TREE_ONLY |= {f"scripts/requirements/{file.name}.txt" for file in (*LAYERS, *SAMPLES)}
TREE_ONLY_SUFFIXES = {".md", ".svg", ".png", ".ipynb"}


def copied_tree(tree):
    """A copy of this tree at the path `tree`: a build leaves files behind that the next one would pack."""
    tree.mkdir()
    for name in ROOMS:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree."""
    place = tmp_path_factory.mktemp("wheel")
    tree = place / "tree"
    copied_tree(tree)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(place), str(tree)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    [path] = place.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment of a process that sees the wheel, its requirements, and not the tree."""
    place = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    # The finder of the editable install comes before every path, so the process would see the tree.
    (place / "sitecustomize.py").write_text(
        "import sys\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if not finder.__module__.startswith('__editable__')]\n",
        encoding="utf-8",
    )
    return {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}, place


def editable_wheel(tree, place, backend, backend_path):
    """The contents of the editable wheel that a build backend makes of a tree, below `place`."""
    place.mkdir()
    hook = f"import sys; sys.path[:0] = {backend_path!r}; import {backend} as backend; backend.build_editable({str(place)!r})"
    subprocess.run([sys.executable, "-c", hook], cwd=tree, check=True, capture_output=True, text=True)
    [path] = place.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(place)
    return place


@pytest.mark.parametrize("setuptools_alone", [False, True])
def test_an_editable_install_is_found_in_the_folder_of_a_clone(tmp_path, setuptools_alone):
    """The folder of the clone, `softstream`, does not hide the package. With the backend of setuptools it does."""
    tree = tmp_path / "softstream"
    copied_tree(tree)
    system = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    backend, path = system["build-backend"], system["backend-path"]
    if setuptools_alone:
        backend, path = "setuptools.build_meta", []
    site = editable_wheel(tree, tmp_path / "site", backend, path)
    code = (
        f"import site; site.addsitedir({str(site)!r}); site.addsitedir({str(site)!r}); import softstream; "
        "print(softstream.__file__); print(softstream.UserError.__module__)"
    )
    # -S leaves out the editable install that runs this test.
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    if setuptools_alone:
        assert "module 'softstream' has no attribute 'UserError'" in done.stderr
        return
    assert done.stderr == ""
    assert done.stdout.split() == [str(tree / "scripts" / "softstream" / "__init__.py"), "softstream.hw.errors"]
    [record] = site.glob("*.dist-info/RECORD")
    [pth] = site.glob("*.pth")
    digest = base64.urlsafe_b64encode(hashlib.sha256(pth.read_bytes()).digest()).rstrip(b"=").decode()
    assert f"{pth.name},sha256={digest},{pth.stat().st_size}" in record.read_text().splitlines()


def tree_only(name):
    return name in TREE_ONLY or Path(name).suffix in TREE_ONLY_SUFFIXES


def tree_files():
    files = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and not tree_only(name):
                files.add("softstream/" + name.removeprefix("scripts/softstream/"))
    return files


def test_the_wheel_holds_the_tree_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == tree_files()


def test_the_wheel_brings_the_licence_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [entry_points] = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        assert "softstream = softstream.__main__:run" in archive.read(entry_points).decode()
        [licence] = [name for name in names if name.endswith("/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert wheel.name == f"softstream-{softstream.__version__}-py3-none-any.whl"


def test_the_wheel_works_alone(installed, tmp_path):
    environment, place = installed

    def python(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    everything = (
        "import importlib, pkgutil, softstream\n"
        "for module in pkgutil.walk_packages(softstream.__path__, 'softstream.'):\n"
        "    if not {'__main__', 'torch', 'twin'} & set(module.name.split('.')):\n"
        "        print(importlib.import_module(module.name).__file__)\n"
    )
    origins = python("-c", everything).split()
    assert len(origins) > 20
    assert all(Path(origin).is_relative_to(place) for origin in origins)
    run = ["-m", "softstream"]
    python(*run, "generate", "digits-softmax", "--name", "head", "-o", "generated")
    assert "module head" in (tmp_path / "generated" / "head.v").read_text()
    compared = json.loads(python(*run, "compare", "--no-place", "--json", "-o", "report.html"))
    assert compared["decisions"]["head_flips"] == 0
    assert (tmp_path / "report.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


PINS = [
    line
    for name in ("constraints.txt", "constraints-torch.txt")
    for line in (ROOT / "scripts" / name).read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("line", PINS)
def test_constraints_are_versions_and_nothing_else(line):
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)


def test_constraints_cover_every_requirement():
    pinned = {normalised(line.partition("==")[0]) for line in PINS}
    assert len(pinned) == len(PINS)
    assert {name_of(text) for text in REQUIRED} - {"softstream"} <= pinned


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_pins_every_requirement_of_its_extras_with_hashes(layer):
    """pip refuses a package without a hash, so each is there, with the version that the constraints have."""
    pins = hashed_pins(layer)
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}", lines) for lines in pins.values())
    extras = PROJECT["optional-dependencies"]
    names = [name for name in layer.extras if name != "dev"] + (list(DEVELOPMENT) if "dev" in layer.extras else [])
    needed = [*PROJECT["dependencies"], "setuptools", *(text for name in names for text in extras[name])]
    assert {name_of(text) for text in needed} - {"softstream"} <= {name_of(pin) for pin in pins}
    if layer.name != "torch":
        assert {pin.lower() for pin in pins} <= {pin.lower() for pin in PINS}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_has_no_address_and_no_option_but_the_layer_below(layer):
    text = (FOLDER / f"{layer.name}.txt").read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert options == ([f"-r {layer.below}.txt"] if layer.below else [])
    assert "://" not in text
    assert " @ " not in text


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_for_every_python_pins_its_packages_with_hashes(sample):
    text = sample.file.read_text(encoding="utf-8")
    pins = blocks(text)
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}", lines) for lines in pins.values())
    assert not re.search(r"^-|://| @ ", text, re.MULTILINE)
    if sample.lowest:
        assert all(any(f"{pin}.".startswith(f"{text}.") for pin in pins) for text in sample.requirements)
    else:
        assert {name_of(text) for text in sample.requirements} <= {name_of(pin) for pin in pins}
        assert {pin.lower() for pin in pins} <= {pin.lower() for pin in PINS}


def test_a_block_is_a_pin_with_its_hashes():
    first = "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n"
    second = "b==2 ; python_version < '3.12' \\\n    --hash=sha256:02\n"
    assert blocks(f"# title\n-r below.txt\n{first}{second}") == {"a==1": first, "b==2": second}


def test_every_requirement_states_its_purpose():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for requirement in REQUIRED:
        assert re.search(re.escape(f'"{requirement}",') + r"\s+# \w", text), requirement


def test_the_venv_script_refuses_in_one_line(tmp_path):
    target = tmp_path / "venv"
    done = subprocess.run(
        ["sh", ROOT / "scripts" / "venv.sh", target, "no-such-python"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == (
        "error: there is no 'no-such-python'; softstream needs Python 3.11 or later, for example make PYTHON=python3.12\n"
    )
    assert not target.exists()


def test_the_development_extra_holds_every_other_that_tests_need():
    """Those of the site, of other people's tools, of rare parts and of PyTorch do not count: their targets install them."""
    extras = PROJECT["optional-dependencies"]
    runtime = set(extras) - {"dev", "docs", "interop", "supply"}
    elsewhere = {"gatemate", "machxo", "nexus", "torch"}
    assert runtime == {"boards", "cluster", "onnx", "reports", "serve", "sim", *elsewhere}
    assert f"softstream[{','.join(sorted(runtime - elsewhere))}]" in extras["dev"]
    assert not {*extras["docs"], *extras["interop"], *extras["supply"], *extras["torch"]} & set(extras["dev"])
