"""The sources of the site: links of the pages lead to pages, docstrings or copied files; docstrings become its markup."""

import re
from pathlib import Path

import pytest

from softstream.scripts.generated_tables import ROOT
from softstream.scripts.site import assemble, restructured


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "source"
    assemble(folder)
    return folder


def test_links_stay_inside_the_sources(source: Path) -> None:
    pages = sorted(source.rglob("*.md"))
    assert len(pages) > 30
    for page in pages:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            assert target.startswith("https://") or (page.parent / target).resolve().is_relative_to(source), target
            assert target.startswith("https://") or (page.parent / target).is_file(), (page, target)


def test_every_module_is_documented(source: Path) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (source / "api").glob("*.md"))
    documented = set(re.findall(r"automodule:: (\S+)", text))
    for room in ("hw", "sim", "boards", "scripts"):
        for path in (ROOT / room).rglob("*.py"):
            name = path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")
            assert name.startswith("scripts.softstream") or f"softstream.{name}" in documented, name


def test_every_page_is_in_the_navigation(source: Path) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in source.rglob("*.md"))
    toctrees = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)).split()
    for page in source.rglob("*.md"):
        name = page.relative_to(source).with_suffix("").as_posix()
        assert name == "index" or name.removeprefix("api/") in toctrees or name in toctrees, name


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("`a` and `b_c`s of x_i", r"``a`` and ``b_c``\ s of x\_i"),
        ("|p| <= 2*e", r"\|p\| <= 2\*e"),
        ("*Sum.* of all", "*Sum.* of all"),
        ("`two\nlines`", "``two\nlines``"),
        ("A picture:\n\n    a ─► b_c\n\nText", "A picture:\n\n::\n\n    a ─► b_c\n\nText"),
        ("Two:\n* a_b\n* c", "Two:\n\n* a\\_b\n* c"),
        ("1. One:\n   * a\n   * b\n2. Two", "1. One:\n\n   * a\n   * b\n\n2. Two"),
        ("====\na_b\n====\n\nx_y", "====\na_b\n====\n\nx\\_y"),
    ],
)
def test_docstrings_become_restructured_text(docstring: str, expected: str) -> None:
    assert "\n".join(restructured(docstring.split("\n"))) == expected
