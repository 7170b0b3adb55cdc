"""`make test-pythons`: the bytes of all presets, and a sample of the tests, under every supported Python of this machine.

Each Python gets a small environment in `build/pythons`. One more has the lowest versions of the dependencies that
`pyproject.toml` allows. The interpreters are `python3.N` on PATH, and those that pyenv installed.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.requirements import SAMPLES, Sample

__all__ = ["Environment", "interpreters", "supported"]

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "pythons"
SAMPLE = (
    "tests/streams",
    "tests/normalisers/test_round.py",
    "tests/numbers/test_exponential.py",
    "tests/modes/test_argmax.py",
    "tests/repository/test_verilog_hashes.py",
    "tests/faults/test_output.py",
)


@dataclass(frozen=True)
class Environment:
    """An environment: its name, the interpreter that it is made with, and its packages with their hashes."""

    name: str
    interpreter: str
    sample: Sample

    @property
    def folder(self) -> Path:
        return PLACE / self.name

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def install(self) -> None:
        """Makes the environment, unless one of the same content is there."""
        content = repr(self) + self.sample.file.read_text(encoding="utf-8")
        stamp, digest = self.folder / "stamp", hashlib.sha256(content.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text() == digest:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes"]
        subprocess.run([self.interpreter, "-m", "venv", str(self.folder)], check=True)
        subprocess.run([self.python, "-m", "pip", "install", *options, "-r", str(self.sample.file)], check=True)
        stamp.write_text(digest)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs its Python on the tree, with the layout of the package that build/types has."""
        path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "build/types"))
        variables = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [self.python, *arguments],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def supported() -> list[str]:
    """The versions of Python that the package promises: 3.11, …"""
    labels = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", text) for text in _project()["classifiers"])
    return [label[1] for label in labels if label]


def interpreters(version: str) -> Iterator[str]:
    """Programs that may be this version of Python: on PATH, then those of pyenv."""
    program = shutil.which(f"python{version}")
    if program is not None:
        yield program
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(map(str, root.glob(f"versions/{version}.*/bin/python3")), reverse=True)


def _working(version: str) -> str | None:
    """The first of them that runs: a shim of pyenv may stand for a version that is not chosen."""
    for program in interpreters(version):
        question = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([program, "-c", question], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return program
    return None


def environments() -> Iterator[Environment]:
    """One for each Python of this machine, and one with the lowest versions under the oldest of them."""
    versions, (newest, lowest) = supported(), SAMPLES
    programs = {version: program for version in versions if (program := _working(version)) is not None}
    for version in versions:
        if version not in programs:
            print(f"Python {version}: not on this machine")
            continue
        yield Environment(version, programs[version], newest)
    if versions[0] in programs:
        yield Environment(f"{versions[0]}-lowest", programs[versions[0]], lowest)
    else:
        print(f"lowest versions of the dependencies: not tested, because they need Python {versions[0]}")


def main() -> int:
    """Runs everything; 1 where a test fails, or where two environments write different bytes."""
    failed = False
    hashes: dict[str, dict[str, str]] = {}
    for environment in environments():
        begin = time.monotonic()
        environment.install()
        generated = environment.run("-m", "support.verilog_hashes")
        tests = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *SAMPLE)
        summary = tests.stdout.strip().splitlines()[-1]
        print(f"Python {environment.name}: {summary}; with installation {time.monotonic() - begin:.0f} s", flush=True)
        for done in (generated, tests):
            if done.returncode:
                print(done.stdout)
                failed = True
        if generated.returncode == 0:
            hashes[environment.name] = json.loads(generated.stdout)
    reference = next(iter(hashes.values()), {})
    for name, values in hashes.items():
        different = [preset for preset in reference if values[preset] != reference[preset]]
        if different:
            print(f"Python {name} writes other bytes for {', '.join(different)}")
            failed = True
    print(f"{len(reference)} presets, {len(hashes)} environments: {'see above' if failed else 'the same bytes'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
