"""The gallery: every member within its bound of the exact values, a figure and a command for each, one self-contained page."""

import json
import shlex

import numpy as np
import pytest
from support.html_page import Page

from softstream.boards.tools.measure import head_job, measure, tool_versions
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import KEYS, Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.modes import HEADS
from softstream.scripts.cli import main
from softstream.scripts.measure.recorded import recorded_gallery
from softstream.scripts.reports.mathml import mathml
from softstream.scripts.verbs import gallery


def test_shown_values_are_within_the_bound_of_the_exact_values() -> None:
    figures = list(gallery.evaluated())
    assert [member for member, _ in figures] == list(gallery.MEMBERS)
    for member, values in figures:
        assert len(values.model) == len(values.exact), member.title
        assert np.abs(values.model - values.exact).max() <= values.bound + 1e-12, member.title


def test_every_mode_has_its_figure() -> None:
    # The plain winner needs none; Top-K shows its probabilities.
    assert {member.config.mode for member in gallery.MEMBERS} == set(HEADS) - {"argmax", "top_k"}


@pytest.mark.parametrize("member", gallery.MEMBERS, ids=lambda member: member.title)
def test_the_command_makes_the_head(member: gallery.Member) -> None:
    words = shlex.split(member.command)
    assert words[:4] == ["softstream", "generate", "--preset", member.preset]
    settings = dict(word.split("=") for word in words if "=" in word)
    assert set(settings) <= {key.name for key in KEYS}
    assert member.config == Config.from_mapping(
        {**PRESETS[member.preset].to_mapping(), **{key: json.loads(value) for key, value in settings.items()}}
    )


def test_the_page_opens_from_disk(tmp_path, capsys) -> None:
    path = tmp_path / "gallery.html"
    with pytest.raises(SystemExit) as ended:
        main(["gallery", "-o", str(path)])
    assert not ended.value.code
    text = path.read_text(encoding="utf-8")
    assert text.count("<figure>") == len(gallery.MEMBERS)
    page = Page(text)
    for member in gallery.MEMBERS:
        assert member.command in page.text
    assert page.tags["math"] == sum(bool(member.formula) for member in gallery.MEMBERS)
    assert not page.tags.keys() & {"script", "link", "img"}
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert str(path) in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("member", gallery.MEMBERS, ids=lambda member: member.title)
def test_the_recorded_cells_are_those_of_todays_verilog(member: gallery.Member) -> None:
    rows = [PARTS[name] for name in gallery.SHOWN_PARTS]
    if tool_versions(rows) != recorded_gallery()["tools"]:
        pytest.skip("recorded with other tools")
    parts = gallery.recorded_parts()[member.title]
    results = measure([head_job(member.config, row, (), member.title) for row in rows], workers=1)
    assert {row.name: dict(result.cells) for row, result in zip(rows, results, strict=True)} == {
        name: entry["cells"] for name, entry in parts.items()
    }


def test_the_record_is_of_the_circuits_that_are_shown() -> None:
    parts = gallery.recorded_parts()
    assert set(parts) == {member.title for member in gallery.MEMBERS}
    assert all(set(entries) == set(gallery.SHOWN_PARTS) for entries in parts.values())


def test_cells_of_another_configuration_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"tools": {}, "members": [{"member": "Softmax", "settings": {"guard_bits": 1}, "parts": {}}]}
    monkeypatch.setattr(gallery, "recorded_gallery", lambda: record)
    assert gallery.recorded_parts() == {}


@pytest.mark.parametrize(
    ("formula", "markup"),
    [
        ("x_i", "<msub><mi>x</mi><mi>i</mi></msub>"),
        ("e^−x_i", "<msup><mi>e</mi><mrow><mo>−</mo><msub><mi>x</mi><mi>i</mi></msub></mrow></msup>"),
        ("(a + b) / 2", "<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>"),
        (
            "(a)·b / c",
            "<mfrac><mrow><mrow><mo>(</mo><mi>a</mi><mo>)</mo></mrow><mo>·</mo><mi>b</mi></mrow><mi>c</mi></mfrac>",
        ),
        ("max(x, 0.5)", "<mrow><mi>max</mi><mrow><mo>(</mo><mi>x</mi><mo>,</mo><mn>0.5</mn><mo>)</mo></mrow></mrow>"),
        ("a > Σ_j b", "<mi>a</mi><mo>&gt;</mo><mrow><msub><mo>∑</mo><mi>j</mi></msub><mi>b</mi></mrow>"),
    ],
)
def test_a_formula_is_typeset(formula: str, markup: str) -> None:
    assert f"<mrow>{markup}</mrow></math>" in mathml(formula)


@pytest.mark.parametrize("formula", ["(a", "a)", "a_", "a / ", "^2"])
def test_a_formula_of_another_form_is_an_error(formula: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mathml(formula)
