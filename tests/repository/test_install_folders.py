"""What is generated does not depend on where softstream is installed, or on where it runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("hw", "sim", "boards", "scripts")
# Removes the finder of the editable install, which would come before every path.
ALONE = "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if not f.__module__.startswith('__editable__')]\n"
FORMS = {
    "build": ("build", "--board", "icestick", "--plan-only", "-o", "out"),
    "generate": ("generate", "digits-softmax", "-o", "out"),
}


def installed(place):
    """softstream as a wheel lays it out, below `place`."""
    package = place / "softstream"
    ignore = shutil.ignore_patterns("__pycache__", "*.md", "*.png", "*.svg", "softstream")
    for room in ROOMS:
        shutil.copytree(ROOT / room, package / room, ignore=ignore)
    shutil.copytree(
        ROOT / "scripts" / "softstream", package, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    (place / "sitecustomize.py").write_text(ALONE, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("installed")
    return [installed(place / "one"), installed(place / "another folder" / "deeper" / "and-with-a-longer-name")]


def files(install, verb):
    """Path → bytes of what a verb writes, with softstream from `install`, in a folder beside it."""
    work = install / "work"
    work.mkdir(exist_ok=True)
    shutil.rmtree(work / "out", ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(install), "PYTHONDONTWRITEBYTECODE": "1"}
    where = [sys.executable, "-c", "import softstream; print(softstream.__file__)"]
    run = [sys.executable, "-m", "softstream", *FORMS[verb]]
    place, _ = (
        subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True, text=True).stdout
        for command in (where, run)
    )
    assert Path(place.strip()).is_relative_to(install)
    return {
        path.relative_to(work).as_posix(): path.read_bytes() for path in (work / "out").rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("verb", FORMS)
def test_two_installs_write_the_same_bytes(folders, verb):
    """Among them the digest of the plan of a board, and the archive that a vendor's tool gets."""
    one, another = (files(folder, verb) for folder in folders)
    assert len(one) >= 2
    assert one == another
    for name, content in one.items():
        assert not any(str(folder).encode() in content for folder in folders), name
