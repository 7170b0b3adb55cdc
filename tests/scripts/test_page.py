"""Tables of the pages: alignment, keyboard, print; and sentences that a missing operator would cut."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest
from support.html_page import Page

import softstream.boards
import softstream.hw
import softstream.scripts
import softstream.sim
from softstream.scripts.page import page, table
from softstream.scripts.reports import bench_report, plan_report
from softstream.scripts.verbs import bench

ROOTS = [Path(room.__file__).parent for room in (softstream.hw, softstream.sim, softstream.boards, softstream.scripts)]


def lost_strings(source: str) -> list[int]:
    """Lines of strings that are statements and document nothing: the rest of a sentence that was not joined to it."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for before, statement in pairwise(body) if isinstance(body, list) else ():
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant | ast.JoinedStr)
            if text and not isinstance(before, ast.Assign | ast.AnnAssign):
                lines.append(statement.lineno)
    return lines


def test_a_cut_sentence_is_found() -> None:
    assert lost_strings('def f():\n    yield f"one "\n    "two"\n') == [3]
    assert lost_strings('X = 1\n"""What X is."""\n\n\ndef f():\n    """Docstring."""\n') == []


@pytest.mark.parametrize(
    "path", sorted((Path(softstream.scripts.__file__).parent / "reports").glob("*.py")), ids=lambda path: path.stem
)
def test_no_caption_names_a_colour_that_the_dark_scheme_inverts(path: Path) -> None:
    texts = [
        node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant)
    ]
    assert not [
        text for text in texts if isinstance(text, str) and re.search(r"\b(black|white)\b", text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_no_sentence_is_cut(root: Path) -> None:
    strings = {str(path): lost_strings(path.read_text(encoding="utf-8")) for path in root.rglob("*.py")}
    assert {path: lines for path, lines in strings.items() if lines} == {}


def test_numbers_stand_at_the_right_and_text_at_the_left() -> None:
    text = table(("name", "cycles", "what", "rest"), [("a", "N + 3", "first", "–"), ("b", "12", "3rd", "")])
    assert re.findall(r"<t[hd]( [^>]*)?>", text) == [
        *(' scope="col"', ' scope="col" class="number"', ' scope="col"', ' scope="col"'),
        *(' scope="row"', ' class="number"', "", "", ' scope="row"', ' class="number"', "", ""),
    ]


def test_a_table_is_reached_by_keyboard_and_has_a_name() -> None:
    parsed = Page(page("t", table(("name", "bits"), [("a", "1")])))
    assert {("div", "tabindex", "0"), ("div", "role", "region"), ("div", "aria-label", "Table: name, bits")} <= set(
        parsed.attributes
    )


def test_print_is_light_and_shows_every_column() -> None:
    style = page("t", "")
    printed = style[style.index("@media print") :]
    assert "--paper: #fcfcfb" in printed
    assert ".scroll { overflow: visible" in printed


def test_the_benchmark_says_how_it_was_placed() -> None:
    text = Page(bench_report.render(bench.recorded())).text
    assert "out of context, with a register behind each port." in text


def test_a_default_is_named_only_where_the_value_differs() -> None:
    from softstream.hw.config.config import Config

    rows = list(plan_report._keys(Config(guard_bits=3)))
    assert [(name, value) for name, value, default in rows if default] == [("guard_bits", "3")]
