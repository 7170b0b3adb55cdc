"""Cells and clock of one configuration: from the checked-in tables, from an earlier exploration, or how to measure them."""

import json
import shlex
from pathlib import Path

import pytest

from softstream.boards.tools.parts import head_on, part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.numbers.softmax import exact_scale, numerics
from softstream.scripts.cli import main
from softstream.scripts.verbs import bench, explore
from softstream.scripts.verbs.cost import cost_text, scale_text

UNMEASURED = Config(max_length=7, groups=[7, 3], score_scale=0.05, mask=True)


def test_a_measured_configuration_shows_its_own_figures() -> None:
    entry = bench.recorded()["variants"]["softmax-int8"]["parts"]["ecp5-25k"]
    text = cost_text(Config(), "ecp5-25k")
    assert text.startswith(f"ecp5-25k: {entry['cells']['COMB']} COMB, {entry['cells']['FF']} FF, ")
    assert text.endswith(
        f"; {entry['fmax_mhz']['median']:.0f} MHz (checked in, median of {len(entry['fmax_mhz_by_seed'])} seeds)"
    )
    assert cost_text(Config(normaliser="logarithm", guard_bits=5), "ecp5-25k") == text  # what auto chooses, by name
    assert "MHz (checked in, median of 1 seed)" in cost_text(head_on(PRESETS["argmax-int8"], part("up5k")), "up5k")
    assert cost_text(head_on(PRESETS["softmax-int16"], part("up5k")), "up5k").endswith("; does not fit (checked in)")


def test_another_configuration_shows_the_command_that_measures_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = cost_text(UNMEASURED, "up5k")
    assert text.startswith("up5k: not measured with these keys; softstream explore softmax-int8 --set ")
    command = text.partition("softstream explore ")[2].removesuffix(" measures them")
    with pytest.raises(SystemExit):
        main(["describe", "--json", *shlex.split(command)])
    assert Config.from_mapping(json.loads(capsys.readouterr().out)["config"]) == UNMEASURED
    with pytest.raises(UserError, match="unknown part 'up5'"):
        cost_text(UNMEASURED, "up5")


def test_what_explore_measured_is_shown_from_then_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(explore, "cache_root", lambda: tmp_path)
    outcome = {"cells": {"LC": 700, "LUT4": 650, "RAM4K": 3}, "fits": True, "fmax_mhz": 55.4}
    monkeypatch.setattr(explore, "_evaluate", lambda task: outcome)
    monkeypatch.setattr(explore, "_locally", lambda tasks, jobs: enumerate([explore._evaluate(task) for task in tasks]))
    explore.explore(explore.sweep(UNMEASURED.to_mapping(), []), "hx8k", (1,))
    assert explore.stored_outcome(UNMEASURED, part("hx8k"), (1,)) == outcome
    assert cost_text(UNMEASURED, "hx8k") == "hx8k: 700 LC, 3 RAM4K; 55 MHz (measured here, median of 1 seed)"
    assert explore.stored_outcome(UNMEASURED, part("hx8k"), (1, 2)) is None


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"probability_width": 6, "max_length": 64},
        {"temperature": 2.0},
        {"score_width": 12, "normaliser": "divider"},
    ],
)
def test_the_scale_decides_the_accumulator_and_the_text_says_so(keys: dict[str, float]) -> None:
    fits = exact_scale(Config(**keys))
    exact, running = (Config(**keys, score_scale=scale) for scale in (fits, 2 * fits))
    assert (numerics(exact).absolute, numerics(running).absolute) == (True, False)
    assert scale_text(exact).endswith(f"so the sum is exact, in {numerics(exact).accumulator_width} bits")
    sums = {
        True: "two windows of octaves, with more flip-flops and the same clock",
        False: "a running reference, with a longer critical path and a lower clock",
    }
    text = f"has {sums[numerics(running).windows]}; up to score_scale = {fits:.2g} it is exact"
    assert scale_text(running).endswith(text)


def test_where_the_scale_decides_nothing_there_is_no_text() -> None:
    for keys in ({"mode": "argmax"}, {"mode": "log_softmax"}, {"accumulator": "reference"}):
        assert scale_text(Config(**keys)) == ""  # type: ignore[arg-type]
