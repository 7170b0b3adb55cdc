"""Figures of measurements in prose: they are those of the records, and none stands outside of a sentence that is checked."""

import io
import re
import tokenize
from pathlib import Path

import pytest

from softstream.scripts.generated_tables import ROOT, pages
from softstream.scripts.reports import bench_report
from softstream.scripts.sentences import SENTENCES, Sentence

KINDS = r"(?:MHz|LC|COMB|FF|RAMW|RAM4K|DP16KD|MULT18|MAC16|block RAMs|logic cells|flip-flops|multipliers)\b"
FIGURE = re.compile(
    rf"\b\d[\d.,]*(?: to \d[\d.,]*| of (?:the )?\d+)?\s+{KINDS}"
    r"|\b\d[\d.]*(?: to \d[\d.]*)?(?:\s%)?\s+(?:of the clock|of the cells|as fast|times as (?:fast|large|small))"
    r"|\b(?:half|twice|two thirds|a third|a quarter|three quarters) (?:of )?the (?:logic cells|cells|clock|flip-flops|block RAMs)"
)
"""Cells, a clock, or a ratio of them."""

HISTORY = ".github/CHANGELOG.md"
"""What a change did at its time."""

NO_MEASUREMENT = {
    "boards/gateware/clock.py": "ranges of PLLs, from data sheets",
    "boards/registry.py": "a clock that a programmer makes",
    "boards/tools/parts.py": "limits of data sheets",
    "scripts/reports/bench_report.py": "what a part has",
}
"""Python file → what the figures in its strings and comments are, where they are those of no head."""


def prose_of(text: str) -> str:
    """A page without its generated sections, tables and code blocks, all of which other tests hold."""
    for block in (r"^<!-- begin .*?^<!-- end", r"^```.*?^```$"):
        text = re.sub(block, "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)


def unbacked(page: str, text: str) -> list[str]:
    """The figures of a page that no sentence writes."""
    for sentence in SENTENCES:
        if sentence.page == page:
            text = sentence.pattern.sub("", text)
    return FIGURE.findall(text)


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: f"{sentence.page}: {sentence.text[:40]}")
def test_a_sentence_is_on_its_page_with_the_figures_of_the_records_and_true(sentence: Sentence) -> None:
    text = (ROOT / sentence.page).read_text(encoding="utf-8")
    assert sentence.rewritten(text) == text, "make tables"
    assert sentence.holds()


def test_other_figures_are_written_anew_and_nothing_else() -> None:
    sentence = Sentence("a.md", "takes {} COMB at {} MHz.", lambda: [432, "238.5"])
    assert sentence.rewritten("It\ntakes 9.5 COMB\nat 1 MHz. End.") == "It\ntakes 432 COMB\nat 238.5 MHz. End."
    for text in ("", "takes 1 COMB at 2 MHz. takes 1 COMB at 2 MHz."):
        with pytest.raises(ValueError, match=r"a.md: \d places have the sentence"):
            sentence.rewritten(text)


@pytest.mark.parametrize(
    "page", [name for page in pages() if (name := page.relative_to(ROOT).as_posix()) not in (HISTORY,)]
)
def test_every_figure_of_cells_and_clocks_in_prose_is_one_of_a_sentence(page: str) -> None:
    assert unbacked(page, prose_of((ROOT / page).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "words",
    [
        "at 0.5 to 0.6 of the clock",
        "limits the clock: 128 instead of 192 MHz",
        "costs up to 40 % of the clock",
        "half the logic cells of the divider",
        "897 COMB, 1244 FF",
        "38 of 32 RAM4K",
    ],
)
def test_such_figures_are_found(words: str) -> None:
    assert FIGURE.search(words)


SOURCES = [path for room in ("hw", "sim", "boards", "scripts") for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_comments_and_help_state_no_measurement(path: Path) -> None:
    """No record is behind them. An example in backquotes states none; the sentences are held against their records."""
    name = path.relative_to(ROOT).as_posix()
    if name == "scripts/sentences.py":
        return
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    words = [token.string for token in tokens if token.type in (tokenize.STRING, tokenize.COMMENT)]
    figures = [figure for text in words for figure in FIGURE.findall(re.sub(r"`[^`]*`", "", text))]
    assert bool(figures) == (name in NO_MEASUREMENT), figures


def test_the_plot_weighs_blocks_as_the_page_says() -> None:
    [sentence] = [row for row in SENTENCES if row.text.startswith("A block RAM counts as")]
    assert list(sentence.figures())[:2] == list(bench_report._BLOCK_CELLS.values())
