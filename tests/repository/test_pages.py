"""The pages say what is true today: tables are current, links lead somewhere, commands exist, Python runs."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from softstream.boards.registry import board
from softstream.hw.config.config import Config, load_toml
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.scripts.cli import _softstream
from softstream.scripts.generated_tables import FILES, ROOT, SECTIONS, pages, rewritten

Cli = Callable[..., tuple[int, str, str]]
PAGES = [page.relative_to(ROOT).as_posix() for page in pages()]


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Contents of the fenced blocks of a language, in the order of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def shown_commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    return sorted({line for line in lines if line})


COMMANDS = [line for line in shown_commands() if line.startswith("softstream")]
QUICK = ("describe", "presets", "keys", "generate", "run", "boards", "help", "completion")


def test_every_folder_that_people_open_has_its_page() -> None:
    folders = ["hw", *(f"hw/{name}" for name in ("config", "numbers", "plan", "modes", "options"))]
    folders += ["sim", "tests", "boards", "boards/link", "boards/measured", "scripts", "scripts/twin"]
    expected = {f"{folder}/README.md" for folder in folders} | {"scripts/licences.md"}
    expected |= {"scripts/twin/experiments.md", "scripts/twin/mnist.md"}
    expected |= {
        "README.md",
        *(f".github/{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "PULL_REQUEST_TEMPLATE")),
    }
    assert expected == set(PAGES)


def test_the_readme_is_short_and_names_every_page() -> None:
    text = text_of("README.md")
    assert len(text.splitlines()) <= 150
    glossary = text.partition("\n## Glossary\n")[2].partition("\n## ")[0]
    assert 10 <= len([line for line in glossary.splitlines() if line.startswith("|")]) - 2 <= 20
    for page in set(PAGES) - {"README.md", ".github/PULL_REQUEST_TEMPLATE.md"}:
        assert f"]({page})" in text, page


@pytest.mark.parametrize("page", PAGES)
def test_generated_sections_are_current(page: str) -> None:
    assert rewritten(page, text_of(page)) == text_of(page), "make tables"
    marked = set(re.findall(r"<!-- begin (\w+): make tables -->", text_of(page)))
    assert marked == {name for name, section in SECTIONS.items() if section.page == page}


@pytest.mark.parametrize("name", FILES)
def test_generated_pictures_are_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name](), "make tables"


def anchors(page: str) -> set[str]:
    """Names of the headings of a page, as forges derive them."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(file.relative_to(ROOT).as_posix()), target


@pytest.mark.parametrize("page", sorted(set(PAGES) - {".github/CHANGELOG.md"}))
def test_named_files_exist(page: str) -> None:
    """A path in backquotes is one from the root, or from the folder of the page. The changelog may name removed files."""
    for name in re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|md|json|svg|v|toml|txt|npy|npz))`", text_of(page)):
        assert (
            name.startswith("build/")
            or "NAME" in name
            or (ROOT / name).exists()
            or ((ROOT / page).parent / name).exists()
        ), name


def test_every_verb_is_shown() -> None:
    assert {shlex.split(line)[1] for line in COMMANDS} == set(_softstream.commands)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick commands run as they are shown. For slow ones, --help behind them checks verb and options."""
    words = shlex.split(line)[1:]
    if words[0] not in QUICK or "rtl" in words:
        words.append("--help")
    (tmp_path / "sim").symlink_to(ROOT / "sim")
    (tmp_path / "build").mkdir()
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*words)
    assert code == 0, err


def test_the_demo_prints_the_lines_that_the_readme_shows(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick commands run. What a simulation prints is held against the plan, the data and the board."""
    error, scores, passed, answer, core, vectors = blocks("README.md", "text")[0].splitlines()
    monkeypatch.chdir(ROOT)
    _, described, _ = cli("describe", "digits-softmax")
    assert error in described.splitlines()
    data = [f"--{name}=sim/data/digits_{name}.npy" for name in ("scores", "labels")]
    _, compared, _ = cli("compare", "digits-softmax", "--no-place", *data)
    assert answer in " ".join(compared.split())
    assert scores.split() == ["scores.scores", "pass", str(len(np.load(ROOT / "sim/data/digits_scores.npy")))]
    row = board("icestick")
    cycles = plan(PRESETS[row.preset]).first_output_cycle(10)
    microseconds = f"{cycles / row.oscillator_hz * 1e6:.2f}"
    first = f"in the core: {cycles} cycles ({microseconds} µs) from the first of 10 scores to the first result"
    assert core == f"{first}; plan: {cycles}"
    for line in (passed, vectors):
        code, _, err = cli(*shlex.split(line.partition("next: softstream ")[2]), "--help")
        assert code == 0, err


def test_the_page_of_the_commands_shows_what_they_print(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_path, histogram = blocks("scripts/README.md", "text")
    monkeypatch.chdir(tmp_path)
    _, described, _ = cli("describe", "softmax-int8", "--set", "max_length=64")
    assert data_path in described
    _, compared, _ = cli("compare", "digits-softmax", "--no-place")
    assert histogram.strip() in compared.splitlines()


def test_shown_configurations_are_read(tmp_path: Path) -> None:
    shown = [block for page in PAGES for block in blocks(page, "toml")]
    assert shown
    for block in shown:
        file = tmp_path / "config.toml"
        file.write_text(block, encoding="utf-8")
        Config(**load_toml(file))


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    prose = "\n".join(text_of(page) for page in PAGES if page != ".github/CHANGELOG.md")
    shown = set(re.findall(r"`make ([\w-]+)`", prose)) | {
        line.split()[1] for line in shown_commands() if line.startswith("make ")
    }
    assert {"demo", "docs", "test"} <= shown
    for target in shown:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


WITH_TORCH = "scripts/twin/README.md"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.torch] if page == WITH_TORCH else [])
        for page in PAGES
        if blocks(page, "python")
    ],
)
def test_python(page: str, tmp_path: Path) -> None:
    """The Python blocks of a page, one after the other, are a program that runs."""
    program = tmp_path / "page.py"
    program.write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if page == "scripts/README.md":
        assert re.search(r"^error bound: 0\.[5-9]\d* ulp for every input", done.stdout, re.MULTILINE)
        assert "Pareto front of area, speed, flips and error: " in done.stdout
    if page == "hw/options/README.md":
        assert done.stdout == "the hardware equals the model\n"


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_short(page: str) -> None:
    """Prose wraps at 130 columns; tables, commands and generated sections cannot."""
    prose = re.sub(r"^<!-- begin .*?^<!-- end", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    for line in prose.splitlines():
        assert len(line) <= 130 or line.startswith(("|", "softstream ")), line


SOURCES = [
    path.relative_to(ROOT).as_posix() for room in ("scripts", "sim", "boards") for path in (ROOT / room).rglob("*.py")
]


@pytest.mark.parametrize("file", sorted([*PAGES, *SOURCES]))
def test_float64_is_an_arithmetic_and_no_reference(file: str) -> None:
    """A reference is called by what it is of: the given floats, or the codes. "In float64" is how it is computed."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"\b(against|with|from|beside|than|next to|as) float64\b|float64's|\bfloat64 softmax", text)
