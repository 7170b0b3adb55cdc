"""`softstream new`: the answers decide, the best come first, the file is the configuration, and mistakes are one line."""

import itertools
import json
import os
import pty
import re
import sys
import tomllib

import click
import pytest

from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import Config, load_toml
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.scripts.measure.recorded import recorded
from softstream.scripts.verbs import new
from softstream.scripts.verbs.new import GOALS, NEEDS, Answers, candidates

ANSWERS = {"need": "probabilities", "bits": 8, "length": 100, "part": "ecp5-25k", "goal": "size"}


def options(**changes: object) -> list[str]:
    return [word for name, value in {**ANSWERS, **changes}.items() for word in (f"--{name}", str(value))]


@pytest.mark.parametrize(("need", "part"), list(itertools.product(NEEDS, PARTS)))
def test_every_offer_has_a_plan_fits_the_part_and_stands_in_order(need: str, part: str) -> None:
    for bits, length, goal in ((8, 64, "speed"), (8, 64, "size"), (4, 1, "speed"), (2, 3, "size"), (12, 10, "size")):
        try:
            rows = candidates(Answers(need, bits, length, part, goal))
        except UserError as error:
            remedy = str(error).rpartition("; ")[2].split()[1]
            assert candidates(Answers(need, bits, length, remedy, goal))
            continue
        assert 1 <= len(rows) <= 3
        for row in rows:
            assert row.preset in NEEDS[need]
            assert plan(row.config).config.max_length == length
            assert row.config.score_width == bits
            assert recorded()["presets"][row.preset][part]["fmax_mhz"] is not None
        costs = [(row.cells, row.mhz, plan(row.config).latency_text, plan(row.config).bound_ulp) for row in rows]
        assert len(set(costs)) == len(costs), "two offers are one circuit"
        values = [-row.throughput if goal == "speed" else row.logic for row in rows]
        assert values == sorted(values)


def test_the_file_holds_the_configuration_and_every_key_that_matters(cli, tmp_path) -> None:
    for need, bits in (("probabilities", 8), ("class", 12), ("top-k", 6), ("draw", 8)):
        path = tmp_path / f"{need}.toml"
        code, out, err = cli("new", *options(need=need, bits=bits, part="hx8k"), "-o", path, "--choice", 2, "--json")
        assert (code, err) == (0, "")
        config = Config.from_mapping(json.loads(out)["config"])
        text = path.read_text(encoding="utf-8")
        assert Config.from_mapping(load_toml(path)) == config
        # The defaults behind a # are what they say: the file means the same with them.
        everything = tomllib.loads(re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE))
        flat = {key: value for section in everything.values() for key, value in section.items()}
        assert set(flat) == set(config.relevant())
        assert Config.from_mapping(flat) == config
        assert all(len(line) <= 130 for line in text.splitlines())
        assert cli("describe", path)[0] == 0


def test_it_never_replaces_a_file(cli, tmp_path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    code, _, err = cli("new", *options(), "-o", path)
    assert code == 2
    assert err == f"error: -o {path}: exists; give another name, for example -o {tmp_path / 'config-2.toml'}\n"
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "no terminal to ask on, and no answer to need, bits, length, part, goal; for example softstream new --need",
        ),
        (["--bits", "4"], "no terminal to ask on, and no answer to need, length, part, goal; for example"),
        (options(part="hx9k"), "unknown part 'hx9k'"),
        (options(bits=16, part="hx8k"), "--part hx8k: no measured head with probabilities of 16-bit scores fits it"),
        ([*options(need="class"), "--choice", "3"], "--choice 3: must be from 1 to 2; for example --choice 1"),
        (options(bits=1), "Invalid value for '--bits'"),
        (options(need="speed"), "Invalid value for '--need'"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(cli, tmp_path, monkeypatch, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("new", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_error_works(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = cli("new", "--goal", "size")[2].partition("for example softstream ")[2].split()
    assert cli(*words)[0] == 0
    assert (tmp_path / "config.toml").is_file()


def test_a_person_is_asked_what_is_open(cli, tmp_path, monkeypatch) -> None:
    asked = []

    def prompt(question, type, default):
        asked.append(question)
        return {"Bits of a score": 6, "Which one": 2}.get(question, default)

    terminal = os.fdopen(pty.openpty()[1])
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(click, "prompt", prompt)
    path = tmp_path / "config.toml"
    assert cli("new", "--need", "class", "--part", "up5k", "-o", path)[0] == 0
    assert asked == ["Bits of a score", "Scores in the longest vector", "What matters more", "Which one"]
    config = Config.from_mapping(load_toml(path))
    assert (config.mode, config.score_width, config.profile) == ("argmax", 6, "small")
    assert set(new._QUESTIONS) == set(ANSWERS)
    assert GOALS == ("speed", "size")
