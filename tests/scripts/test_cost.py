"""Cells and clock of one configuration: from the checked-in tables, from an earlier exploration, or how to measure them."""

import json
import re
import shlex
import statistics
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest

from softstream.boards.flow.capacity import room_of_part
from softstream.boards.tools.parts import BENCH_PARTS, head_on, part
from softstream.hw.config.config import Config, parse_setting
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.numbers.softmax import exact_scale, numerics
from softstream.hw.plan.profiles import resolve
from softstream.scripts.cli import main
from softstream.scripts.console import configuration_words
from softstream.scripts.measure.recorded import recorded, recorded_bench
from softstream.scripts.measure.variants import CURVES, Curve
from softstream.scripts.verbs import bench, explore, generate
from softstream.scripts.verbs.cost import cost_json, cost_text, misfit_text, scale_text

UNMEASURED = Config(max_length=7, groups=[7, 3], score_scale=0.05, mask=True)


def clock_words(fmax: dict[str, float]) -> str:
    return f"{fmax['median']:.0f} MHz, {fmax['minimum']:.0f} to {fmax['maximum']:.0f}"


def test_a_measured_configuration_shows_its_own_figures() -> None:
    entry = bench.recorded()["variants"]["softmax-int8"]["parts"]["ecp5-25k"]
    text = cost_text(Config(), "ecp5-25k")
    assert text.startswith(f"ecp5-25k: {entry['cells']['COMB']} COMB, {entry['cells']['FF']} FF, ")
    assert text.endswith(
        f"; {clock_words(entry['fmax_mhz'])} (checked in, median and range of {len(entry['fmax_mhz_by_seed'])} seeds)"
    )
    assert cost_text(Config(normaliser="logarithm", guard_bits=5), "ecp5-25k") == text  # what auto chooses, by name
    assert "MHz (checked in, median of 1 seed)" in cost_text(head_on(PRESETS["argmax-int8"], part("up5k")), "up5k")


def pairs() -> list[tuple[Config, str, bool]]:
    """(configuration, part, whether it fits) of every row of the records."""
    rows = []
    for name, entries in recorded()["presets"].items():
        for place, entry in entries.items():
            config = PRESETS[name].replace(profile=entry["profile"])
            rows.append((config, place, entry["fmax_mhz"] is not None))
    for variant in recorded_bench()["variants"].values():
        config = Config.from_mapping(variant["config"])
        rows += [(config, place, entry["fits"]) for place, entry in variant["parts"].items()]
    return rows


def test_every_head_that_is_recorded_as_too_large_is_called_so_with_a_part_that_it_fits() -> None:
    fitting = {(config, place) for config, place, fits in pairs() if fits}
    misfits = 0
    for config, place, fits in pairs():
        text, document = cost_text(config, place), cost_json(config, place)
        assert document["fits"] is fits, (config, place)
        assert misfit_text(config, place) == ("" if fits else text)
        if fits:
            assert "does not fit" not in text
            assert " MHz" in text
            continue
        misfits += 1
        [(used, available)] = re.findall(r"; does not fit: takes (\d+) of (\d+) \w+ \(checked in\)", text)
        assert int(used) > int(available)
        larger = {
            other.name
            for other in BENCH_PARTS.values()
            if other.name != place
            and {(config, other.name), (config.replace(profile=other.profile), other.name)} & fitting
        }
        assert set(document["recorded_to_fit"]) == larger
        named = re.fullmatch(r".*; recorded to fit: (.*)", text)
        assert {words.split()[0] for words in named[1].split(" or ")} == larger if named else not larger
    assert misfits


@pytest.mark.parametrize("preset", PRESETS)
def test_both_verbs_say_of_every_preset_and_part_what_the_record_says(
    preset: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The Verilog is left out, because it takes a second for each."""
    monkeypatch.setattr(generate, "generated_text", lambda *rest, **options: SimpleNamespace(verilog="", files={}))
    for place, entry in recorded()["presets"][preset].items():
        expected = cost_text(PRESETS[preset].replace(profile=entry["profile"]), place)
        assert "(checked in" in expected
        assert ("does not fit" in expected) == (entry["fmax_mhz"] is None)
        for words in (["describe"], ["generate", "-o", str(tmp_path / place)]):
            with pytest.raises(SystemExit) as ended:
                main([*words, preset, "--part", place])
            assert not ended.value.code
            text = " ".join(capsys.readouterr().out.split())
            said = words[0] == "describe" or entry["fmax_mhz"] is None
            assert (expected in text) == said
            assert ("does not fit" in text) == ("does not fit" in expected)


def test_the_document_says_so_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["describe"], ["generate", "-o", str(tmp_path / "head")]):
        for part_name, fits in (("ice40up5k", False), ("ecp5-25k", True), ("ecp5-45k", None)):
            with pytest.raises(SystemExit):
                main([*words, "softmax-int16", "--part", part_name, "--json"])
            known = json.loads(capsys.readouterr().out)["cost"]
            assert known["fits"] is fits
            assert known["recorded_to_fit"] == (["ecp5-25k"] if fits is False else [])
            assert (known["measured"] is None) == (fits is None)


def test_another_configuration_shows_the_command_that_measures_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = cost_text(UNMEASURED, "up5k")
    assert text.startswith("up5k: not measured with these keys; softstream explore softmax-int8 --set ")
    command = text.partition("softstream explore ")[2].removesuffix(" measures them")
    with pytest.raises(SystemExit):
        main(["describe", "--json", *shlex.split(command)])
    assert Config.from_mapping(json.loads(capsys.readouterr().out)["config"]) == UNMEASURED
    with pytest.raises(UserError, match="unknown part 'up5'"):
        cost_text(UNMEASURED, "up5")


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.key)
def test_each_point_of_the_curves_shows_its_own_figures(curve: Curve) -> None:
    record = next(row for row in bench.recorded()["curves"] if row["key"] == curve.key)
    for config, cells, fmax in zip(curve.configs(), record["cells"], record["fmax_mhz"], strict=True):
        text = cost_text(config, curve.part)
        assert text.startswith(f"{curve.part}: {cells['COMB']} COMB, {cells['FF']} FF, ")
        if config != Config():  # of which the benchmark has more seeds
            seeds = f"median and range of {len(record['seeds'])} seeds"
            assert text.endswith(f"; {clock_words(fmax)} (checked in, {seeds})")


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


def test_without_a_measured_point_nothing_is_generated_to_look_for_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(explore, "cache_root", lambda: tmp_path)
    monkeypatch.setattr(explore, "_signature", lambda *rest: pytest.fail("the signature takes as long as a head"))
    assert "not measured" in cost_text(UNMEASURED, "hx8k")
    assert misfit_text(UNMEASURED, "hx8k") == ""


def test_what_explore_measured_is_shown_from_then_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(explore, "cache_root", lambda: tmp_path)
    mhz = [55.4, 57.0, 60.6, 52.0, 58.0]

    def evaluated(task: explore._Task) -> explore.Outcome:
        cells = {"LC": 700, "LUT4": 650, "RAM4K": 3}
        speeds = {str(seed): mhz[seed - 1] for seed in task.seeds}
        median = statistics.median(speeds.values()) if speeds else None
        known = {"fmax_mhz": median, "fmax_mhz_by_seed": speeds, "seeds": list(task.seeds)}
        return {"cells": cells, "fits": True, "over": [], **known}

    monkeypatch.setattr(explore, "_locally", lambda tasks, jobs: enumerate([evaluated(task) for task in tasks]))

    def measured(*seeds: int) -> str:
        explore.explore(explore.sweep(UNMEASURED.to_mapping(), []), "hx8k", seeds)
        return cost_text(UNMEASURED, "hx8k")

    assert measured().startswith(
        "hx8k: 700 LC, 3 RAM4K (measured here); the clock is not measured; softstream explore "
    )
    assert measured(1) == "hx8k: 700 LC, 3 RAM4K; 55 MHz (measured here, median of 1 seed)"
    several = "hx8k: 700 LC, 3 RAM4K; 57 MHz, 52 to 61 (measured here, median and range of 5 seeds)"
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
