"""The plan: its rows name real stages, its formulas agree with its numbers, its table sizes with the tables."""

import json
import re
from pathlib import Path

import pytest
from amaranth.back import rtlil
from support.configurations import MEMBERS, SOFTMAX, TWO_PASS
from support.long_cases import mostly_long

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.plan.derive import plan
from softstream.hw.plan.options.null_beats import LATENCY as NULL_BEATS_LATENCY
from softstream.hw.plan.schedule import schedule

ROOT = Path(__file__).resolve().parents[2]
ALL = {
    **PRESETS,
    **SOFTMAX,
    **MEMBERS,
    **TWO_PASS,
    "small-argmax": Config(mode="argmax", profile="small"),
    "argmax-4": Config(mode="argmax", lanes=4),
    "softmax-8": Config(lanes=8),
    "small-2": Config(profile="small", lanes=2),
    "hardmax-4": Config(mode="hardmax", lanes=4),
    "hardmax-small": Config(mode="hardmax", profile="small"),
    "top-k-3": Config(mode="top_k", top_k=3),
    "top-k-lanes-4": Config(mode="top_k", lanes=4),
    "softmax-top-k-lanes-2": Config(mode="softmax_top_k", lanes=2, normaliser="logarithm"),
    "softmax-top-k-lanes-8": Config(mode="softmax_top_k", lanes=8, normaliser="logarithm"),
    "softmax-top-k-lanes-4-small": Config(mode="softmax_top_k", top_k=3, lanes=4, profile="small"),
    "softmax-top-k-16": Config(mode="softmax_top_k", top_k=16, normaliser="logarithm"),
    "softmax-top-k-small": Config(mode="softmax_top_k", top_k=3, profile="small"),
}


def evaluate(formula: str, length: int) -> int:
    """A printed formula at N = length."""
    terms = re.sub(r"⌈N/(\d+)⌉", r"(-(-N//\1))", formula)
    terms = re.sub(r"(\d+)([N(m])", r"\1*\2", terms).replace("−", "-")
    return int(eval(terms, {"N": length, "max": max, "min": min}))


@pytest.mark.parametrize("name", ALL)
def test_formulas_evaluate_to_the_numbers(name: str) -> None:
    figures = plan(ALL[name])
    figures = figures.vectors or figures  # formulas are those of a group
    for length in (1, 2, 7, 100):
        assert evaluate(figures.latency_formula, length) == figures.first_output_cycle(length)
        assert evaluate(figures.last_output_formula, length) == figures.last_output_cycle(length)
        assert evaluate(figures.interval_formula, length) == figures.interval_cycles(length)


@pytest.mark.parametrize("name", ALL)
def test_every_row_is_a_stage_with_a_file(name: str) -> None:
    for stage in plan(ALL[name]).stages:
        stem = stage.name
        known = [path.relative_to(ROOT / "hw") for path in (ROOT / "hw").glob(f"*/{stem}.py")]
        known = [path for path in known if path.parts[0] in ("stages", "normalisers", "modes", "options")]
        assert known or stem == "skid"
        if known and stem not in ("replay", "ranked_store"):  # a memory computes nothing
            assert any((ROOT / "sim" / "golden" / path).exists() for path in known)


@pytest.mark.parametrize("name", ALL)
def test_shares_sum_to_the_bound(name: str) -> None:
    figures = plan(ALL[name])
    if figures.bound_ulp is None:
        assert ALL[name].mode in ("argmax", "hardmax", "top_k", "sample")
        return
    assert sum(stage.bound_share_ulp for stage in figures.stages) == pytest.approx(figures.bound_ulp, abs=1e-12)
    assert figures.worst_ulp is not None
    # Codes that are differences of two roundings have twice the bound of one.
    assert figures.bound_ulp <= figures.worst_ulp <= 1 + (ALL[name].sum == "exact")


@pytest.mark.parametrize("name", ALL)
def test_path_latency_is_the_sum_of_its_rows(name: str) -> None:
    """The rows on the path of an element, the winner's aside, add up to the printed latency."""
    config = ALL[name]
    figures = plan(config)
    winners = {mode: {"maximum"} for mode in ("softmax", "log_softmax", "exponential", "cdf", "entropy")}
    off_path = {**winners, "softmax_top_k": {"insertion"}}.get(config.mode, set())
    if config.draws_share:
        # The probabilities, for which the list waits, are on the path of its elements.
        off_path = {"insertion"}
    rows = sum(stage.latency_cycles for stage in figures.stages if stage.name not in off_path)
    # Where elements leave as they come, no last beat is waited for.
    assert rows - (figures.passes > 0) == figures.fixed_latency_cycles


# One head for each kind of table.
TABLES = (
    *("default", "reciprocal", "logarithm", "chords", "split-windows", "two-pass", "smoothed-small"),
    *("log_softmax", "exponential-split-2", "sample-inverse-cdf"),
)


@pytest.mark.parametrize("name", mostly_long([*SOFTMAX, *TWO_PASS, *MEMBERS], TABLES))
def test_table_bits_are_those_of_the_hardware(name: str) -> None:
    """Every memory of the head that has contents."""
    bits = 0
    for cell in re.findall(r"cell \$meminit_v2 .*?end\n", rtlil.convert(Head(ALL[name])), re.DOTALL):
        if "1" in re.search(r"\\DATA \d+'([01]*)", cell)[1]:  # type: ignore[index]
            width, words = (int(re.search(rf"\\{word} (\d+)", cell)[1]) for word in ("WIDTH", "WORDS"))  # type: ignore[index]
            bits += width * words
    assert bits == plan(ALL[name]).table_bits > 0


@pytest.mark.parametrize("name", SOFTMAX)
def test_no_bubble_from_the_vector_interval_on(name: str) -> None:
    config = SOFTMAX[name]
    figures, least = plan(config), schedule(config).vector_interval
    spacing = figures.output_spacing
    assert [figures.interval_cycles(n) for n in range(1, 40)] == [max(spacing * n, least) for n in range(1, 40)]
    assert figures.interval_formula == f"max({'' if spacing == 1 else spacing}N, {least})"
    assert spacing == 1 or (config.profile, config.division) == ("small", "divider")


def rows_of(normaliser: str) -> list[tuple[str, str, str]]:
    """Name, text and interval of the rows that belong to a normaliser, with P = 8, k = 4 and int8 scores."""
    stages = plan(Config(max_length=16, normaliser=normaliser)).stages
    return [(stage.name, stage.computes, stage.interval) for stage in stages[4:]]


def test_rows_describe_the_computation() -> None:
    leading_one = "leading one: Σ = 2^n·m"
    exponential = ("exponential", "2^(βx): one table of 256 entries", "1 element/cycle")
    rounding = ("round", "shift by n − E, round half up, saturate", "1 element/cycle")
    per_vector = {
        "divider": [],
        "reciprocal": [("reciprocal", "r = 1/m, one bit a step", "14 cycles/vector")],
        "logarithm": [("logarithm", "log2 m, one table of 1024 entries", "1 vector/cycle")],
        "none": [],
    }
    per_element = {
        "divider": [exponential, ("divider", "M / m, one bit a step", "1 element/cycle"), rounding],
        "reciprocal": [exponential, ("reciprocal", "M · r, one multiplier", "1 element/cycle"), rounding],
        "logarithm": [("logarithm", "2^-(log2 Σ − βx), tables of 256 and 2048 entries", "1 element/cycle")],
        "none": [exponential, ("power_of_two", "M / 2: over a power of two, no divider", "1 element/cycle"), rounding],
    }
    for normaliser in per_element:
        config = Config(max_length=16, normaliser=normaliser)
        cycles = schedule(config)
        assert rows_of(normaliser) == [
            ("leading_one", leading_one, f"{cycles.normalise_interval} cycles/vector"),
            *per_vector[normaliser],
            ("replay", f"raw scores again, {cycles.replay_entries(16)} entries", "1 element/cycle"),
            *per_element[normaliser],
        ]


def test_json_is_plain() -> None:
    for config in ALL.values():
        text = json.dumps(plan(config).to_json(), allow_nan=False)
        assert json.loads(text)["digest"] == config.digest


def test_long_vectors_with_short_codes_are_warned_of() -> None:
    assert any("would keep them apart" in text for text in plan(Config()).warnings)
    assert plan(Config(max_length=64)).warnings == ()
    assert any("check the scale" in text for text in plan(Config(max_length=4, score_scale=1e-9)).warnings)


def test_several_lanes_need_a_sum_without_an_order() -> None:
    with pytest.raises(
        UserError,
        match=r"^lanes = 2 with accumulator = 'reference': the sum .*; lanes = 1 would do, or",
    ):
        plan(Config(lanes=2, accumulator="reference"))
    assert plan(Config(lanes=2, accumulator="reference", mode="argmax")).bound is None


def test_lanes_shorten_the_way_by_beats() -> None:
    one, four = plan(Config(mode="argmax", profile="small")), plan(Config(mode="argmax", profile="small", lanes=4))
    # Two levels of the tree over the lanes, and the stage that drops null beats with its registers on both sides.
    assert four.latency_formula == f"⌈N/4⌉ + {one.fixed_latency_cycles + 2 + NULL_BEATS_LATENCY}"
    assert [four.interval_cycles(length) for length in (1, 4, 5, 1024)] == [1, 1, 2, 256]


def test_the_fast_argmax_spends_a_cycle_per_bit_of_a_score() -> None:
    assert plan(Config(mode="argmax", profile="small")).latency_formula == "N + 1"
    assert plan(Config(mode="argmax")).latency_formula == "N + 10"
    assert plan(Config(mode="argmax", score_width=16, lanes=4)).latency_formula == "⌈N/4⌉ + 23"


def test_two_passes_take_one_vector_after_the_other() -> None:
    figures = plan(TWO_PASS["two-pass"])
    assert (figures.latency_formula, figures.best_formula) == ("2N + 15", "N + 0")
    assert (figures.last_output_formula, figures.interval_formula) == ("11N + 6", "11N + 8")
    assert plan(TWO_PASS["two-pass-fast"]).latency_formula == "2N + 15"
    # An element of five cycles leaves no time for registers behind the memories.
    shortest = TWO_PASS["two-pass-tiny"]
    assert plan(shortest).latency_formula == plan(shortest.replace(profile="fast")).latency_formula
    with pytest.raises(UserError, match=r"^lanes = 2 with accumulator = 'two_pass': .*; lanes = 1 would do"):
        plan(TWO_PASS["two-pass"].replace(lanes=2))
    assert plan(Config(accumulator="two_pass", mode="argmax")) != plan(TWO_PASS["two-pass"])


def test_a_configuration_that_breaks_the_bound_is_refused() -> None:
    with pytest.raises(UserError, match="at most 1 ulp is allowed"):
        plan(Config(guard_bits=1))


def test_lanes_with_a_running_reference_are_refused_with_a_remedy() -> None:
    with pytest.raises(UserError, match=r"; lanes = 1 would do, or accumulator = 'auto'$"):
        Config(lanes=4, accumulator="reference")
    assert plan(Config(lanes=4)).config.lanes == plan(Config(accumulator="reference")).config.lanes * 4
    with pytest.raises(
        UserError, match=r"; lanes = 1 would do, or a smaller score_scale with the absolute accumulator$"
    ):
        plan(Config(lanes=4, score_scale=30.0))
