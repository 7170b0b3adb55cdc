"""The HTML report: complete, self-contained, well-formed, and the same bytes from the same comparison."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from support.html_page import Page

from softstream.boards.tools.measure import CriticalPath, Measurement, Placement
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError
from softstream.hw.plan.texts import decimals
from softstream.scripts.reports import compare_report as report
from softstream.scripts.reports.compare_report import render, write_html
from softstream.scripts.verbs.compare import Comparison, compare

CONFIG = Config(max_length=16, score_scale=0.1467)
SCORES = np.random.default_rng(5).integers(-128, 128, (30, 16))


def with_parts(comparison: Comparison, *names: str, logic: int = 900) -> Comparison:
    """The comparison as if its heads had been placed."""
    parts = tuple(PARTS[name] for name in names)

    def results(side, logic, mhz):
        path = CriticalPath("a.O", "b.I", 3.0, 2.0, ())
        by_part = {}
        for part in parts:
            cells = {cell.name: 0 for cell in part.cells} | {part.cell("logic").name: logic}
            by_part[part.name] = Measurement(
                part.name, cells, {part.cell("logic").name: 7680}, (Placement(1, mhz, path),)
            )
            if by_part[part.name].over:
                by_part[part.name] = replace(by_part[part.name], placements=())
        return replace(side, measurements=by_part)

    return replace(
        comparison,
        argmax=results(comparison.argmax, 100, 200.0),
        softmax=results(comparison.softmax, logic, 120.5),
        parts=parts,
        seeds=(1,),
        tools={"pyosys": "0.70"},
    )


@pytest.fixture(scope="module")
def of_digits() -> Comparison:
    return with_parts(compare(preset("digits-softmax"), place=False), "hx8k", "ecp5-25k")


@pytest.fixture(scope="module")
def text(of_digits) -> str:
    return render(of_digits)


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_the_page_tells_every_number_of_the_table_and_the_answer(of_digits, page):
    assert of_digits.answer in page.text
    for row in of_digits.rows():
        assert row.quantity in page.text
        for value in (row.argmax, row.softmax, row.reference):
            assert value in page.text


def test_the_page_states_the_sources_of_its_numbers(of_digits, page):
    for phrase in (
        of_digits.config.digest,
        of_digits.argmax.plan.config.digest,
        f"score_scale={of_digits.config.score_scale} ",
        "score_signed=true",
        "1797 vectors, N = 10, with labels",
        f"synth_ice40 -device hx; nextpnr-ice40 --hx8k --package ct256 --freq {PARTS['hx8k'].target_mhz}",
        "pyosys 0.70",
        "register to register, out of context",
        "over 10 bins of equal width on (0, 1]",
    ):
        assert phrase in page.text


def test_the_page_lists_the_keys_that_have_an_effect_and_no_others(of_digits, page):
    settings = page.text.rpartition("Both heads")[2].partition("Digest, argmax")[0]
    names = [setting.partition("=")[0] for setting in settings.split()]
    assert set(names) == set(of_digits.softmax.plan.config.relevant()) - {"mode"}


def test_the_page_has_every_plot_with_a_name_for_who_cannot_see_it(page):
    assert page.tags["svg"] == 6
    assert sum(name == "aria-label" for tag, name, _ in page.attributes if tag == "svg") == 6
    for label in (
        "score, nats",
        "probability of the given floats",
        "probability of the codes",
        "first score − second score, nats",
        "confidence: probability of the winner",
        "Fmax, MHz",
    ):
        assert label in page.text
    assert "bound 0." in page.text


def test_the_page_needs_nothing_but_itself(page, text):
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object", "image", "foreignobject"}
    targets = {value for _, name, value in page.attributes if name in ("href", "xlink:href", "src", "srcset")}
    assert all(target.startswith("#") for target in targets)
    assert set(re.findall(r"https?://[^\s\"<]*", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "@import" not in text
    assert "@font-face" not in text


def test_ids_are_unique_and_references_lead_to_them(page, text):
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert max(ids.values()) == 1
    assert set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text)) <= ids.keys()


def test_plots_take_the_colours_and_fonts_of_the_page(text):
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]", text)
    assert "DejaVu" not in text
    svgs = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.search(r"(fill|stroke): #", svgs)
    assert "var(--softmax)" in svgs


def test_the_same_comparison_gives_the_same_bytes():
    # In a process of its own: the hash seed, at random here, and the order of imports must not show.
    code = (
        "import hashlib; from softstream.hw.config.presets import preset; from softstream.scripts.verbs.compare import compare; "
        "from softstream.scripts.reports.compare_report import render; "
        "print(hashlib.sha256(render(compare(preset('digits-softmax'), place=False)).encode()).hexdigest())"
    )
    other_digest = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = render(compare(preset("digits-softmax"), place=False))
    assert other_digest == hashlib.sha256(here.encode()).hexdigest()


def test_many_scores_make_no_large_page():
    scores = np.random.default_rng(1).integers(-128, 128, (3000, 100))
    assert len(render(compare(Config(max_length=100), scores, place=False))) < 1_000_000


def test_omitted_parts_are_named_or_absent():
    bare = compare(CONFIG, SCORES, place=False)
    page = Page(render(bare))
    assert "Place and route was left out of this run" in page.text
    assert "Reliability" not in page.text
    assert "without labels" in page.text
    assert page.tags["svg"] == 3  # range, error, two scores
    single = Page(render(compare(CONFIG.replace(max_length=1), SCORES[:, :1], place=False)))
    assert "two scores" not in single.text
    assert single.tags["svg"] == 2


def test_the_page_opens_with_what_the_given_floats_lose():
    floats = np.random.default_rng(3).normal(0, 9, (400, 16))
    comparison = compare(CONFIG, floats, floats.argmax(axis=1), place=False)
    page = Page(render(comparison))
    opening, _, rest = page.text.partition("The probabilities")
    assert f"{comparison.decisions.argmax_flips} of 400 decisions" in opening
    assert f"{comparison.scores.saturated} of 6400 scores" in opening
    assert f"{comparison.probabilities.float_error.total.largest:.4f} ulp" in opening
    assert "The hardware adds at most" in opening
    assert "Range of the scores and of the code" in opening
    assert "the softmax of the given floats, in float64" in rest


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0.0, 4, "0.0000"),
        (3.2e-5, 4, "3.2e-05"),
        (6e-5, 4, "0.0001"),
        (1e-13, 4, "<1e-9"),
        (0.5, 4, "0.5000"),
        (0.004, 2, "0.004"),
        (7, 2, "7.00"),
    ],
)
def test_a_value_below_the_resolution_has_digits_that_count(value, places, text):
    assert decimals(value, places) == text


def test_no_error_that_is_not_0_is_told_as_0():
    """Floats that lie a little beside the codes: quantising them costs less than the last place of an error."""
    random = np.random.default_rng(3)
    codes = random.integers(-90, 90, (60, 16)) + 1e-6 * random.random((60, 16))
    comparison = compare(CONFIG, codes * CONFIG.score_scale, place=False)
    costs = comparison.probabilities.float_error.quantisation
    assert 1e-9 < costs.mean < costs.largest < 5e-5
    text = Page(render(comparison)).text + str(comparison.table()[1])
    assert f"{costs.largest:.2g}" in text
    assert f"{costs.mean:.2g}" in text
    assert "0.0000" not in text


def test_beyond_the_code_the_histogram_has_the_colour_of_the_bound():
    def figure(scale):
        text = render(compare(CONFIG, np.random.default_rng(3).normal(0, scale, (50, 16)), place=False))
        return text.partition('aria-label="Histogram')[2].partition("</svg>")[0]

    assert "fill: var(--bound)" in figure(30)
    assert "fill: var(--bound)" not in figure(1)


def test_a_head_that_does_not_fit_is_drawn_and_reported():
    page = Page(render(with_parts(compare(CONFIG, SCORES, place=False), "hx8k", logic=9000)))
    assert "does not fit" in page.text
    assert "9000" in page.text


def test_an_error_beyond_the_bound_is_reported_in_the_text():
    comparison = compare(CONFIG, SCORES, place=False)
    assert "exceeds the bound" not in render(comparison)
    wrong = replace(
        comparison, probabilities=replace(comparison.probabilities, maximum_error_ulp=3.0, worst_error_ulp=3.0)
    )
    assert "An error exceeds the bound" in render(wrong)


def test_text_is_escaped():
    comparison = compare(CONFIG, SCORES, place=False)
    page = Page(render(replace(comparison, data=replace(comparison.data, source="<script>1 < 2 & 3</script>"))))
    assert "<script>1 < 2 & 3</script>" in page.text
    assert not page.tags["script"]


def test_the_file_is_complete_or_absent(tmp_path, monkeypatch):
    comparison = compare(CONFIG, SCORES, place=False)
    path = tmp_path / "report.html"
    write_html(comparison, path)
    assert path.read_text(encoding="utf-8") == render(comparison)
    monkeypatch.setattr(report, "render", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_html(comparison, path)
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8") == render(comparison)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(UserError, match="is a directory"):
        write_html(comparison, tmp_path)
