"""Cells and clock of one configuration: from the checked-in tables, from an earlier exploration, or how to measure them."""

import json
import shlex
from importlib import resources
from pathlib import Path

import pytest

from softstream.boards.flow.capacity import room_of_part
from softstream.boards.tools.parts import head_on, part
from softstream.hw.config.config import Config, parse_setting
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.numbers.softmax import exact_scale, numerics
from softstream.hw.plan.profiles import resolve
from softstream.scripts.cli import main
from softstream.scripts.console import configuration_words
from softstream.scripts.measure.variants import CURVES, Curve
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


@pytest.mark.parametrize("name", ["hx8k", "up5k", "ecp5-25k"])
@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_shows_the_figures_of_the_table_on_each_part(
    preset: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["describe", preset, "--part", name, "--json"])
    config = Config.from_mapping(json.loads(capsys.readouterr().out)["config"])
    assert "(checked in" in cost_text(config, name)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.key)
def test_each_point_of_the_curves_shows_its_own_figures(curve: Curve) -> None:
    record = next(row for row in bench.recorded()["curves"] if row["key"] == curve.key)
    for config, cells, fmax in zip(curve.configs(), record["cells"], record["fmax_mhz"], strict=True):
        text = cost_text(config, curve.part)
        assert text.startswith(f"{curve.part}: {cells['COMB']} COMB, {cells['FF']} FF, ")
        if config != Config():  # of which the benchmark has more seeds
            assert text.endswith(f"; {fmax['median']:.0f} MHz (checked in, median of {len(record['seeds'])} seeds)")


def test_a_part_picks_the_profile_of_a_preset_that_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    def profile(*words: str) -> str:
        with pytest.raises(SystemExit):
            main(["describe", "--json", *words])
        return str(json.loads(capsys.readouterr().out)["config"]["profile"])

    assert profile("softmax-int8") == profile("softmax-int8", "--part", "ecp5-25k") == "fastest"
    assert profile("softmax-int8", "--part", "hx8k") == profile("--part", "hx8k") == "fast"
    assert profile("softmax-int8", "--set", "profile=fastest", "--part", "hx8k") == "fastest"
    assert profile("--set", "profile=small", "--preset", "softmax-int8", "--part", "hx8k") == "fast"
    assert profile("softmax-int8-log", "--part", "ecp5-25k") == "fast"


@pytest.mark.parametrize("keys", [{}, {"profile": "fast"}, {"probability_width": 16}, {"normaliser": "divider"}])
def test_a_command_for_a_part_means_the_same_configuration_there(keys: dict[str, str | int]) -> None:
    config = Config(**keys)  # type: ignore[arg-type]
    for name in ("hx8k", "up5k", "ecp5-25k"):
        room = room_of_part(name)
        _, *words = shlex.split(configuration_words(config, "softmax-int8", room))
        values = dict(parse_setting(word) for word in words if word != "--set")
        unnamed = {key: value for key, value in Config().to_mapping().items() if key != "profile"}
        picked, _ = resolve({**unnamed, **values}, room)
        assert (picked.profile, picked.division) == (config.profile, config.division)


def test_what_explore_measured_is_shown_from_then_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(explore, "cache_root", lambda: tmp_path)
    mhz = {(): None, (1,): 55.4, (1, 2, 3, 4, 5): 57.0}

    def evaluated(task: explore._Task) -> explore.Outcome:
        cells = {"LC": 700, "LUT4": 650, "RAM4K": 3}
        return {"cells": cells, "fits": True, "fmax_mhz": mhz[task.seeds], "seeds": list(task.seeds)}

    monkeypatch.setattr(explore, "_locally", lambda tasks, jobs: enumerate([evaluated(task) for task in tasks]))

    def measured(*seeds: int) -> str:
        explore.explore(explore.sweep(UNMEASURED.to_mapping(), []), "hx8k", seeds)
        return cost_text(UNMEASURED, "hx8k")

    assert measured().startswith(
        "hx8k: 700 LC, 3 RAM4K (measured here); the clock is not measured; softstream explore "
    )
    assert measured(1) == "hx8k: 700 LC, 3 RAM4K; 55 MHz (measured here, median of 1 seed)"
    several = "hx8k: 700 LC, 3 RAM4K; 57 MHz (measured here, median of 5 seeds)"
    assert measured(1, 2, 3, 4, 5) == several
    assert measured(1) == several  # fewer seeds later take nothing away
    named = UNMEASURED.replace(normaliser=UNMEASURED.division, guard_bits=UNMEASURED.guard_width)
    assert named != UNMEASURED
    assert cost_text(named, "hx8k") == several  # the same head, with the choices of auto by name


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
        True: "two windows of octaves, with more cells and a lower clock",
        False: "a running reference, with a longer critical path and a lower clock",
    }
    text = f"has {sums[numerics(running).windows]}; up to score_scale = {fits:.2g} it is exact"
    assert scale_text(running).endswith(text)


def test_the_page_of_the_benchmark_names_the_largest_scale_with_an_exact_sum() -> None:
    page = (resources.files("softstream.boards.measured") / "README.md").read_text(encoding="utf-8")
    assert f"up to {exact_scale(Config()):.2g} the sum of the exponentials is exact" in page


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.key)
def test_no_point_of_the_curves_takes_a_multiplier_as_the_page_says(curve: Curve) -> None:
    record = next(row for row in bench.recorded()["curves"] if row["key"] == curve.key)
    assert {cells["MULT18"] for cells in record["cells"]} == {0}
    if curve.key == "probability_width":
        assert [config.division for config in curve.configs()] == ["logarithm"] * 2 + ["divider"] * 2
        assert [Config(probability_width=width).division for width in (10, 11)] == ["logarithm", "divider"]


def test_where_the_scale_decides_nothing_there_is_no_text() -> None:
    for keys in ({"mode": "argmax"}, {"mode": "log_softmax"}, {"accumulator": "reference"}):
        assert scale_text(Config(**keys)) == ""  # type: ignore[arg-type]
