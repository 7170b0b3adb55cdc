"""`make constraints`: the versions and the hashes of every package, from what pyproject.toml allows.

`scripts/constraints.txt` has the versions. `scripts/requirements` has them with the SHA-256 of every file of a release, one file
for each layer, which begins with the layer below; `pip install --require-hashes` then takes no other file. No address is in
them, because the hashes say which files are meant, wherever they come from.
"""

import itertools
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LAYERS", "SAMPLES", "Layer", "Sample", "blocks", "hashed_pins", "lowest_versions", "name_of", "normalised"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scripts" / "requirements"
CONSTRAINTS = ROOT / "scripts" / "constraints.txt"
TORCH = ROOT / "scripts" / "constraints-torch.txt"


@dataclass(frozen=True)
class Layer:
    """A file of requirements: the extras that it adds to those of the layer `below`, and the oldest Python that it is for."""

    name: str
    extras: tuple[str, ...]
    below: str | None
    python: str = "3.11"


LAYERS = (
    Layer("runtime", ("boards", "reports", "sim"), None),
    Layer("dev", ("dev",), "runtime"),
    Layer("interop", ("dev", "gatemate", "interop", "machxo", "nexus"), "dev"),
    Layer("docs", ("boards", "docs", "reports", "sim"), "runtime", "3.11.5"),
    Layer("supply", ("supply",), None, "3.11.5"),
    Layer("torch", ("dev", "torch"), "dev"),
)
"""The environments of the Makefile. A package of the site needs Python 3.11.5."""


@dataclass(frozen=True)
class Sample:
    """A file of requirements for the environments of `make test-pythons`: what its sample of the tests imports."""

    name: str
    lowest: bool
    """Whether it has the lowest versions that pyproject.toml allows, for the oldest Python, in place of the newest."""

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.txt"

    @property
    def requirements(self) -> tuple[str, ...]:
        """The packages, and pytest."""
        return lowest_versions() if self.lowest else (*SAMPLE_PACKAGES, "pytest")


SAMPLE_PACKAGES = ("amaranth", "amaranth-boards", "click", "cobs", "numpy", "platformdirs", "rich", "tomli-w")
"""Simulators, synthesis and plots are far larger, and the bytes of the Verilog need none of them."""
SAMPLES = (Sample("pythons", lowest=False), Sample("pythons-lowest", lowest=True))


def lowest_versions() -> tuple[str, ...]:
    """`name==version` for each of `SAMPLE_PACKAGES`, and for pytest: the lowest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds: dict[str, str] = {}
    for requirement in [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]:
        match = re.match(r"([\w-]+)(?:\[.*?\])?>=([\d.]+)", requirement)
        if match is not None:  # one without a bound is softstream itself, with the extras that tests need
            bounds.setdefault(match[1], match[2])
    return tuple(f"{name}=={bounds[name]}" for name in (*SAMPLE_PACKAGES, "pytest"))


def normalised(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The normalised name of a requirement, without extras and versions: `amaranth[builtin-yosys]>=0.5.8` → `amaranth`."""
    match = re.match(r"[\w.-]+", requirement)
    if match is None:
        raise ValueError(f"{requirement!r} is no requirement")
    return normalised(match[0])


def blocks(text: str) -> dict[str, str]:
    """`name==version` → its lines in a file of requirements, hashes included. Comments and lines with options are left out."""
    entries: dict[str, str] = {}
    for lines in re.findall(r"^[A-Za-z0-9](?:.*\\\n)*.*\n", text, re.MULTILINE):
        entries[lines.split()[0]] = lines
    return entries


def hashed_pins(layer: Layer) -> dict[str, str]:
    """`name==version` → its lines, of a layer and those below."""
    below = next((hashed_pins(other) for other in LAYERS if other.name == layer.below), {})
    return below | blocks((FOLDER / f"{layer.name}.txt").read_text(encoding="utf-8"))


def _resolved(uv: str, extras: Iterable[str], python: str, *options: str) -> dict[str, str]:
    """What uv resolves for some extras, under every Python and machine that is supported."""
    extra_options = [option for extra in extras for option in ("--extra", extra)]
    backend = ["setuptools>=77"]  # the build backend, which pip would fetch unchecked otherwise
    return _compiled(uv, backend, "pyproject.toml", "--python-version", python, *extra_options, *options)


def _sample(uv: str, sample: Sample, constraints: str) -> dict[str, str]:
    """What uv resolves for a sample. The newest versions are those of the constraints."""
    options = ["--python-version", "3.11", "--generate-hashes", *(() if sample.lowest else ("-c", constraints))]
    return _compiled(uv, sample.requirements, *options)


def _compiled(uv: str, requirements: Iterable[str], *options: str) -> dict[str, str]:
    command = [uv, "pip", "compile", "-", "--universal", "--quiet", "--no-header", "--no-annotate", *options]
    text = "".join(f"{requirement}\n" for requirement in requirements)
    done = subprocess.run(command, cwd=ROOT, input=text, stdout=subprocess.PIPE, text=True, check=True)
    [everywhere] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["environments"]
    return blocks(done.stdout.replace(f" ; {everywhere}", ""))


def _write(path: Path, title: str, *lines: str) -> None:
    path.write_text(f"# {title} Written by: make constraints\n{''.join(lines)}", encoding="utf-8")


def main(uv: str) -> int:
    """Writes the files of all layers, and the constraints, from the newest versions that go together."""
    extras = dict.fromkeys(extra for layer in LAYERS for extra in layer.extras)
    entries: dict[str, dict[str, str]] = {}
    FOLDER.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.writelines(_resolved(uv, extras, max(layer.python for layer in LAYERS), "--upgrade").values())
        pins.flush()
        for layer in LAYERS:
            entries[layer.name] = _resolved(uv, layer.extras, layer.python, "--generate-hashes", "-c", pins.name)
        for sample in SAMPLES:
            _write(
                sample.file,
                "Versions and hashes of what make test-pythons installs.",
                *_sample(uv, sample, pins.name).values(),
            )
    for layer in LAYERS:
        below = entries.get(layer.below or "", {})
        _write(
            FOLDER / f"{layer.name}.txt",
            "Versions and hashes of what an environment of the Makefile installs.",
            f"-r {layer.below}.txt\n" if layer.below else "",
            *(lines for pin, lines in entries[layer.name].items() if pin not in below),
        )
    torch = {pin for pin in entries["torch"] if name_of(pin) == "torch"}
    others = {pin for name, resolved in entries.items() if name != "torch" for pin in resolved}
    title = "What softstream is measured with, runtime, development and documentation packages."
    _write(CONSTRAINTS, title, *(f"{pin}\n" for pin in sorted(others)))
    _write(TORCH, "What the twin is tested with: make test-torch.", *(f"{pin}\n" for pin in torch))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
