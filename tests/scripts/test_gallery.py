"""The gallery: every member within its bound of the exact values, a figure and a command for each, one self-contained page."""

import json
import shlex

import numpy as np
import pytest
from support.html_page import Page

from softstream.hw.config.config import KEYS, Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.modes import HEADS
from softstream.scripts.cli import main
from softstream.scripts.verbs import gallery


@pytest.mark.parametrize(("member", "values"), list(gallery.evaluated()), ids=lambda value: getattr(value, "title", ""))
def test_shown_values_are_within_the_bound_of_the_exact_values(member: gallery.Member, values: gallery.Values) -> None:
    assert len(values.model) == len(values.exact)
    assert np.abs(values.model - values.exact).max() <= values.bound + 1e-12


def test_every_mode_has_its_figure() -> None:
    # The plain winner needs none; Top-K shows its probabilities.
    assert {member.config.mode for member in gallery.MEMBERS} == set(HEADS) - {"argmax", "top_k"}


@pytest.mark.parametrize("member", gallery.MEMBERS, ids=lambda member: member.title)
def test_the_command_makes_the_head(member: gallery.Member) -> None:
    words = shlex.split(member.command)
    assert words[:4] == ["softstream", "generate", "--preset", member.preset]
    settings = dict(word.split("=") for word in words if "=" in word)
    assert set(settings) <= {key.name for key in KEYS}
    assert PRESETS[member.preset].replace(**dict(member.changes)) == Config.from_mapping(
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
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert str(path) in capsys.readouterr().out
