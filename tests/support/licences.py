"""`make licences`: the licence of every package that an environment of the Makefile installs, as a table of a page.

pip-licenses reads what each package declares. A test compares the names with the pins, so a new dependency needs a new table,
and refuses copyleft in what users install.
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable

from packaging.requirements import Requirement
from support.requirements import ROOT, name_of, normalised

from softstream.hw.extras import EXTRAS

__all__ = ["COPYLEFT", "FOR_DEVELOPERS", "PAGE", "brought_by", "rows"]

PAGE = ROOT / "scripts" / "licences.md"
COPYLEFT = re.compile(r"\b(A|L)?GPL|General Public")
"""Licences of software that no extra for users brings."""
FOR_DEVELOPERS = "development"
_DECLARED_ELSEWHERE = {"amaranth-boards": "BSD-2-Clause", "cocotb-bus": "BSD-3-Clause"}
"""Packages whose metadata name no licence; these are those of their licence files."""
_HEAD = """# Licences

What the environments of the Makefile install, but PyTorch, and the licence that each package declares. softstream itself is under
the BSD-2-Clause licence. A package of the base install or of an extra is what users install, and none of those is under the GPL.
`make licences` writes this table anew, and `build/sbom.json`, a bill of materials in the format of CycloneDX.

| package | licence | comes with |
| --- | --- | --- |
"""


def _requirements(package: str) -> Iterable[str]:
    """Packages that a package needs on this system, without those of its extras, but of amaranth its built-in Yosys."""
    extra = "builtin-yosys" if package == "amaranth" else ""
    try:
        requirements = importlib.metadata.requires(package) or ()
    except importlib.metadata.PackageNotFoundError:  # make test does without the extras of rare parts
        requirements = ()
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement.name


def _closure(packages: Iterable[str]) -> set[str]:
    waiting, closure = list(packages), set()
    while waiting:
        package = normalised(waiting.pop())
        if package not in closure:
            closure.add(package)
            waiting += _requirements(package)
    return closure


def brought_by() -> dict[str, str]:
    """Package → `base` or the extras that bring it, for all that users install but PyTorch."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = _closure(map(name_of, project["dependencies"]))
    extras: dict[str, list[str]] = {}
    for extra, packages in EXTRAS.items():
        if extra != "torch":
            for package in _closure(packages) - base:
                extras.setdefault(package, []).append(extra)
    return dict.fromkeys(base, "base") | {package: ", ".join(names) for package, names in extras.items()}


def rows() -> dict[str, tuple[str, str]]:
    """Package → its licence and what it comes with, as the page has them."""
    lines = re.findall(r"^\| ([a-z0-9-]+) \| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        package: (licence, extra) for package, licence, extra in lines if package != "package" and "---" not in licence
    }


def main() -> int:
    """Writes the page."""
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--with-system"]
    entries = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    brought = brought_by()
    table = []
    for entry in sorted(entries, key=lambda entry: normalised(entry["Name"])):
        name = normalised(entry["Name"])
        if name not in ("softstream", "pip"):
            licence = _DECLARED_ELSEWHERE.get(name, entry["License"]).replace("|", "/")
            if len(licence) > 100 or licence == "UNKNOWN":
                raise SystemExit(
                    f"error: {name}: declares no licence; read its licence file, and add it to _DECLARED_ELSEWHERE"
                )
            table.append(f"| {name} | {licence} | {brought.get(name, FOR_DEVELOPERS)} |\n")
    PAGE.write_text(_HEAD + "".join(table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
