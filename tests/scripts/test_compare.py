"""Argmax alone against softmax: every number of the comparison, recomputed another way or on constructed vectors."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.placements import faked

from softstream.boards.tools import measure as toolchain
from softstream.boards.tools.measure import Job
from softstream.boards.tools.parts import CELLS_ONLY, PARTS
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import Mismatch, UserError
from softstream.hw.plan.derive import plan
from softstream.scripts.measure import heads
from softstream.scripts.measure.datasets import digits
from softstream.scripts.measure.recorded import recorded
from softstream.scripts.measure.score_range import score_range
from softstream.scripts.measure.statistics import reliability
from softstream.scripts.reports import compare_report
from softstream.scripts.scores import Scores, quantise
from softstream.scripts.verbs import compare as module
from softstream.scripts.verbs.compare import compare
from softstream.sim.golden import Result, golden
from softstream.sim.simulators import runner

SMALL = Config(max_length=16, score_scale=0.1467)
RNG = np.random.default_rng(7)
SCORES = RNG.integers(-128, 128, (40, 16))
LABELS = RNG.integers(0, 16, 40)


def texts(comparison, section, quantity):
    [row] = [row for row in comparison.rows() if row.section == section and row.quantity == quantity]
    return row.argmax, row.softmax, row.reference


@pytest.fixture(scope="module")
def of_digits():
    return compare(preset("digits-softmax"), place=False)


# Decisions


def test_on_the_digits_argmax_alone_decides_as_softmax_and_the_given_scores_do(of_digits):
    d = of_digits.decisions
    assert (d.head_flips, d.code_flips, d.argmax_flips, d.softmax_flips) == (0, 0, 0, 0)
    assert d.argmax_accuracy == d.softmax_accuracy == d.given_accuracy == d.code_accuracy
    assert d.argmax_accuracy > 0.9
    assert of_digits.answer.startswith("Argmax alone makes the same 1797 decisions as softmax and as the given floats.")


def test_the_argmax_of_quantised_probabilities_flips_where_they_tie():
    # 16 nearly equal scores: every probability is one step of UQ0.4, and the first of them wins instead of the eighth
    scores = np.zeros((3, 16), dtype=np.int64)
    scores[0, 7] = 1
    scores[1, 0] = 1
    comparison = compare(Config(max_length=16, probability_width=4), scores, np.array([7, 0, 0]), place=False)
    d = comparison.decisions
    assert (d.argmax_flips, d.softmax_flips, d.probability_flips) == (0, 0, 1)
    assert (d.argmax_accuracy, d.probability_accuracy) == (1.0, pytest.approx(2 / 3))
    assert texts(comparison, "Decision", "… if taken from the probabilities") == ("", "1", "")


def test_accuracies_are_the_fractions_that_a_count_gives():
    comparison = compare(SMALL, SCORES, LABELS, place=False)
    right = sum(int(row.argmax()) == label for row, label in zip(SCORES, LABELS, strict=True))
    assert comparison.decisions.argmax_accuracy == right / 40
    assert texts(comparison, "Decision", "accuracy")[0] == f"{100 * right / 40:.2f}"


def test_scores_without_labels_leave_accuracy_and_reliability_out():
    comparison = compare(SMALL, SCORES, place=False)
    assert comparison.decisions.argmax_accuracy is None
    assert comparison.probabilities.reliability == ()
    assert comparison.probabilities.calibration_error is None
    assert not any("labelled" in row.quantity or "calibration" in row.quantity for row in comparison.rows())


# The given floats


def truth(config, floats, labels):
    """(flips, largest error in ulp) of the head against the floats, by NumPy in long double and the arrays of the model alone."""
    result = golden(config, quantise(config, floats).codes)
    real = floats.astype(np.longdouble)
    weights = np.exp(real - real.max(axis=1, keepdims=True))
    exact = weights / weights.sum(axis=1, keepdims=True)
    flips = np.count_nonzero(result.argmax != floats.argmax(axis=1))
    return flips, np.abs(result.probabilities - 256 * exact).max(), np.mean(floats.argmax(axis=1) == labels)


KINDS = {
    "narrow": RNG.normal(0, 0.2, (200, 10)),
    "offset": RNG.normal(20, 6, (200, 10)),
    "wide": RNG.normal(0, 30, (200, 10)),
    "heavy tails": 3 * RNG.standard_cauchy((200, 10)),
    "one vector of 1e8": np.concatenate([RNG.normal(0, 3, (199, 10)), RNG.normal(1e8, 1, (1, 10))]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_flips_error_and_accuracy_are_against_the_given_floats(kind):
    config, floats = preset("digits-softmax"), KINDS[kind]
    labels = np.where(RNG.random(200) < 0.8, floats.argmax(axis=1), 0)
    flips, largest, accuracy = truth(config, floats, labels)
    comparison = compare(config, floats, labels, place=False)
    d, p = comparison.decisions, comparison.probabilities
    assert (d.code_flips, d.argmax_flips, d.softmax_flips) == (flips, flips, flips)
    assert d.given_accuracy == accuracy
    assert p.float_error.total.largest == pytest.approx(largest, rel=1e-6)
    # The parts add up, and the hardware's is within its bound.
    assert p.float_error.total.largest <= p.float_error.quantisation.largest + p.worst_error_ulp + 1e-9
    assert p.within_bound
    assert texts(comparison, "Decision", "differs from the given floats") == (
        f"{flips}",
        f"{flips}",
        f"by quantising {flips}",
    )
    assert comparison.answer.startswith(f"{flips} of 200 decisions" if flips else "Argmax alone makes the same 200")
    if comparison.scores.saturated:
        assert f"{comparison.scores.saturated} of 2000 scores (" in comparison.answer
    content = comparison.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_narrow_floats_flip_though_the_codes_do_not():
    """Two scores within a step become the same code: the first wins, and against the codes alone nothing would show."""
    floats = np.array([[0.02, 0.03], [0.03, 0.02]])
    comparison = compare(preset("digits-softmax"), floats, np.array([1, 0]), place=False)
    d = comparison.decisions
    assert (d.head_flips, d.argmax_flips, d.given_accuracy, d.code_accuracy, d.argmax_accuracy) == (0, 1, 1.0, 0.5, 0.5)
    assert comparison.answer.startswith(
        "1 of 2 decisions (50.00 %) differ from those of the given floats, and 50.00 % are right instead of 100.00 %."
    )


def test_excluded_scores_take_no_part():
    floats = RNG.normal(0, 3, (50, 16))
    floats[RNG.random(floats.shape) < 0.4] = -np.inf
    floats[3] = -np.inf
    comparison = compare(SMALL.replace(mask=True), floats, LABELS.repeat(2)[:50], place=False)
    assert comparison.scores.excluded == np.count_nonzero(floats == -np.inf)
    assert len(comparison.probabilities.given_exact) == comparison.scores.count == np.isfinite(floats).sum()
    assert comparison.decisions.given_accuracy == np.mean(floats.argmax(axis=1) == LABELS.repeat(2)[:50])
    assert comparison.probabilities.within_bound
    assert comparison.probabilities.sum_minimum > 0.9
    with pytest.raises(UserError, match=r"= -inf: excludes an element, and mask = false; for example --set mask=true"):
        compare(SMALL, floats, place=False)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), scale=st.floats(0.01, 1), dtype=st.sampled_from([np.float16, np.float32, np.float64, np.int8]))
def test_the_number_that_differs_is_numpys_for_random_shapes_scales_and_types(data, scale, dtype):
    vectors, columns = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    spread, offset = data.draw(st.sampled_from([0.01, 0.2, 3, 50])), data.draw(st.sampled_from([0, 20, -300]))
    values = rng.normal(offset, spread, (vectors, columns))
    scores = np.clip(np.rint(values), -8, 7).astype(dtype) if dtype == np.int8 else values.astype(dtype)
    config = Config(max_length=columns, score_width=4, score_scale=scale)
    d = compare(config, scores, place=False).decisions
    winners = golden(config, quantise(config, scores).codes).argmax
    flips = np.count_nonzero(winners != np.argmax(scores, axis=1))
    assert d.argmax_flips == d.softmax_flips == d.code_flips == flips
    assert not flips or dtype != np.int8  # codes are the given scores


def test_the_range_of_the_scores_stands_beside_that_of_the_codes():
    scores = quantise(SMALL, np.concatenate([RNG.normal(0, 2, (50, 16)), np.full((1, 16), -1e6)]), saturate=True)
    whole = score_range(SMALL, scores)
    assert sum(whole.counts) == whole.count == 51 * 16
    assert whole.saturated == 16 == whole.counts[0]
    first, last = whole.code_bins
    assert whole.edges[first] == pytest.approx(-128.5 * SMALL.score_scale)
    assert whole.edges[last] == pytest.approx(127.5 * SMALL.score_scale)
    assert whole.line.startswith("scores -1e+06 ")
    assert whole.line.count("[") == whole.line.count("]") == 1
    assert len(whole.line) <= 80
    assert whole.saturated_text == "16 of 816 scores (1.96 %) saturate, 1 of them the largest of their vector"


@pytest.mark.parametrize("scores", [None, SCORES])
def test_what_is_called_float64_is_of_the_given_scores(scores):
    comparison = compare(SMALL, scores, place=False)
    keys = re.findall(r'"(\w*)":', json.dumps(comparison.to_json()))
    assert not [key for key in keys if "float64" in key]
    text = comparison.answer + " ".join(str(row) for row in comparison.rows())
    assert "float64" not in text


# Probabilities


def test_errors_and_sums_are_those_of_a_plain_computation():
    config = SMALL.replace(max_length=5)
    scores = SCORES[:, :5]
    comparison = compare(config, scores, place=False)
    codes = golden(config, scores).probabilities
    errors, sums = [], []
    for row, out in zip(scores.tolist(), codes.tolist(), strict=True):
        weights = [math.exp((x - max(row)) * config.score_scale) for x in row]
        errors += [code - 256 * weight / math.fsum(weights) for code, weight in zip(out, weights, strict=True)]
        sums.append(sum(out) / 256)
    p = comparison.probabilities
    assert p.error_ulp == pytest.approx(errors, abs=1e-9)
    assert p.mean_error_ulp == pytest.approx(np.mean(np.abs(errors)))
    assert (p.sum_minimum, p.sum_maximum) == (min(sums), max(sums))
    assert p.saturated == sum(e < -0.5 - 1e-9 and code == 255 for e, code in zip(errors, codes.ravel(), strict=True))


@pytest.mark.parametrize("saturating", ["UQ0", "UQ1"])
def test_only_the_saturation_of_one_exceeds_the_bound_before_saturation(saturating):
    config = SMALL.replace(probability_format=saturating)
    p = compare(config, np.array([[127, -128], [0, 0]]), place=False).probabilities
    assert p.within_bound
    assert p.bound_ulp == plan(config).bound_ulp
    assert p.worst_ulp == plan(config).worst_ulp
    assert (p.saturated, p.worst_error_ulp > 0.99) == ((1, True) if saturating == "UQ0" else (0, False))
    assert (p.worst_error_ulp == p.maximum_error_ulp) == (saturating == "UQ1")


def test_an_error_beyond_the_bound_is_reported():
    comparison = compare(SMALL, SCORES, place=False)
    p = comparison.probabilities
    wrong = replace(comparison, probabilities=replace(p, maximum_error_ulp=2.0, worst_error_ulp=2.0))
    assert not wrong.probabilities.within_bound
    assert "2.000 ulp off (MORE than the bound of " in wrong.answer
    assert wrong.to_json()["probabilities"]["hardware"]["within_bound"] is False


def test_the_sweep_holds_every_pair_of_narrow_codes_and_every_difference_of_wide_ones():
    narrow = compare(SMALL, SCORES, place=False).probabilities.sweep
    assert narrow.exhaustive
    assert len(narrow.difference) == 511
    assert narrow.difference[[0, -1]] == pytest.approx([-255 * 0.1467, 255 * 0.1467])
    # At equal scores the probability is exactly one half.
    assert narrow.lowest[255] == narrow.highest[255] == 0
    wide = compare(SMALL.replace(score_width=9), SCORES, place=False).probabilities.sweep
    assert not wide.exhaustive
    assert len(wide.difference) == 1023
    assert np.isfinite(wide.lowest).all()
    assert np.isfinite(wide.highest).all()
    assert compare(SMALL.replace(max_length=1), SCORES[:, :1], place=False).probabilities.sweep is None


def test_reliability_bins_count_confidence_and_accuracy():
    bins, error = reliability(np.array([0.96, 0.94, 0.56, 0.54, 1.0]), np.array([True, True, True, False, True]))
    filled = {index: (b.count, round(b.confidence, 6), round(b.accuracy, 6)) for index, b in enumerate(bins) if b.count}
    assert filled == {5: (2, 0.55, 0.5), 9: (3, round(2.9 / 3, 6), 1.0)}
    assert error == pytest.approx((2 * 0.05 + 3 * (1 - 2.9 / 3)) / 5)
    assert [(b.low, b.high) for b in bins[:2]] == [(0.0, 0.1), (0.1, 0.2)]


def test_the_softmax_head_is_as_well_calibrated_as_the_given_scores_to_within_its_resolution(of_digits):
    p = of_digits.probabilities
    assert sum(b.count for b in p.reliability) == 1797
    # A confidence moves by at most 1 ulp; a vector on the edge of two bins may change sides.
    assert p.calibration_error == pytest.approx(p.given_calibration_error, abs=0.01)


# Cycles, lengths


def test_cycles_are_the_plans_at_the_longest_length():
    lengths = np.full(40, 3)
    lengths[5] = 7
    comparison = compare(SMALL, SCORES, lengths=lengths, place=False)
    head = plan(SMALL)
    assert comparison.length == 7
    assert comparison.to_json()["cycles"]["softmax"] == {
        "first_output_cycle": head.first_output_cycle(7),
        "last_output_cycle": head.last_output_cycle(7),
        "best_output_cycle": head.best_output_cycle(7),
        "interval_cycles": head.interval_cycles(7),
        "elements_per_cycle": 7 / head.interval_cycles(7),
    }
    alone = plan(SMALL.replace(mode="argmax"))
    assert texts(comparison, "Cycles at N = 7", "first input to last output")[:2] == (
        str(alone.last_output_cycle(7)),
        str(head.last_output_cycle(7)),
    )


def test_elements_beyond_the_end_of_a_vector_change_nothing():
    lengths = RNG.integers(1, 17, 40)
    used = np.arange(16) < lengths[:, None]
    labels = np.zeros(40, dtype=np.int64)
    one = compare(SMALL, np.where(used, SCORES, 127), labels, lengths=lengths, place=False)
    other = compare(SMALL, np.where(used, SCORES, -128), labels, lengths=lengths, place=False)
    assert one.to_json() == other.to_json()
    assert len(one.probabilities.exact) == lengths.sum()


# Scores


def test_the_digits_keep_their_codes_at_their_own_scale_and_are_quantised_at_another():
    config = preset("digits-softmax")
    stored, labels = digits(config)
    assert stored.codes.shape == (1797, 10)
    assert labels.shape == (1797,)
    finer, _ = digits(config.replace(score_width=16, score_scale=config.score_scale / 16))
    coarser, _ = digits(config.replace(score_width=5, score_scale=config.score_scale * 16))
    assert stored.saturated == finer.saturated == coarser.saturated == 0
    assert np.abs(finer.codes / 16 - stored.codes).max() <= 1 / 32
    assert np.abs(coarser.codes * 16 - stored.codes).max() <= 8
    narrow, _ = digits(config.replace(score_width=6))
    assert narrow.saturated == np.count_nonzero((stored.codes > 31) | (stored.codes < -32)) > 0
    unsigned, _ = digits(config.replace(score_signed=False, score_width=9))
    assert np.array_equal(unsigned.codes, stored.codes - stored.codes.min(axis=1, keepdims=True))


def test_real_scores_are_quantised_and_codes_with_their_count_stay_unchanged():
    scores = quantise(SMALL, SCORES * SMALL.score_scale * 1.3717, saturate=True)  # no ties to even
    real = compare(SMALL, scores, LABELS, place=False)
    steps = np.rint(SCORES * 1.3717).astype(np.int64)
    codes = np.clip(steps, -128, 127)
    saturated = int(np.count_nonzero(codes != steps))
    assert real.data.saturated == saturated > 0
    from_codes = compare(SMALL, Scores(codes, np.full(40, 16), True, saturated), LABELS, place=False)
    assert from_codes.data == real.data
    # The hardware is the same; what it is held against are the given floats, or the codes.
    one, other = (comparison.to_json()["probabilities"] for comparison in (from_codes, real))
    assert one["hardware"] == other["hardware"]
    assert one["given"] is None
    assert other["given"]["total"]["largest"] > other["hardware"]["worst_error_ulp"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": LABELS}, "labels without scores: give the scores that they belong to"),
        ({"lengths": LABELS}, "lengths without scores: give the scores that they belong to"),
        (
            {"scores": SCORES, "labels": LABELS[:39]},
            r"labels: an array of int64 with shape \(39,\); must be one .*\(40,\)",
        ),
        ({"scores": SCORES, "labels": LABELS * 1.0}, "labels: an array of float64"),
        ({"scores": SCORES, "labels": LABELS - 20}, r"labels\[0\] = -\d+: must be an index, 0 to 15; for example 15"),
        ({"scores": SCORES, "labels": LABELS + 16}, r"labels\[0\] = \d+: must be an index, 0 to 15"),
        ({"scores": SCORES + 200}, "outside the score format, -128 to 127"),
        ({"scores": SCORES, "lengths": LABELS[:3]}, "lengths: an array of int64"),
        ({"parts": ["hx8"]}, r"unknown part 'hx8' \(did you mean 'hx8k'\?\)"),
        ({"seeds": []}, "seeds: none given"),
    ],
)
def test_inputs_that_do_not_match_are_refused_before_anything_runs(monkeypatch, arguments, message):
    monkeypatch.setattr(module, "golden", None)
    monkeypatch.setattr(heads, "measure", None)
    with pytest.raises(UserError, match=message):
        compare(SMALL, **arguments)


# The simulated Verilog


def test_the_simulated_verilog_is_held_against_the_model(monkeypatch):
    asked = []

    def answers(config, codes, lengths, sideband):
        asked.append(config.mode)
        return golden(config, codes, lengths)

    monkeypatch.setattr(runner, "run_rtl", answers)
    comparison = compare(SMALL, SCORES, engine="rtl", place=False)
    assert asked == ["argmax", "softmax"]
    assert {**comparison.to_json(), "engine": "golden"} == compare(SMALL, SCORES, place=False).to_json()

    def errs(config, codes, lengths, sideband):
        result = golden(config, codes, lengths)
        return Result({**result, "best": result.best + 1})

    monkeypatch.setattr(runner, "run_rtl", errs)
    with pytest.raises(Mismatch, match=r"best\[0\]"):
        compare(SMALL, SCORES, engine="rtl", place=False)


# Resources


@pytest.fixture
def no_verilog(monkeypatch):
    monkeypatch.setattr(
        heads, "head_job", lambda config, part, seeds, title: Job(config.mode, part, tuple(seeds), title)
    )


@pytest.mark.usefixtures("no_verilog")
def test_cells_and_fmax_stand_side_by_side(monkeypatch):
    monkeypatch.setattr(heads, "measure", faked([200.0, 250.0, 100.0, 150.0]))
    seen = []
    comparison = compare(SMALL, SCORES, seeds=(3,), progress=lambda done, what: seen.append((done, what)))
    hx8k, ecp5 = (PARTS[name] for name in ("hx8k", "ecp5-25k"))
    assert texts(comparison, hx8k.title, hx8k.cell("logic").meaning) == ("100", "900", "part has 7680")
    assert texts(comparison, hx8k.title, "Fmax, register to register")[:2] == ("200.0", "100.0")
    assert texts(comparison, ecp5.title, "throughput at Fmax")[:2] == ("250.0", "150.0")
    microseconds = comparison.softmax.last_output_cycle / 150
    assert texts(comparison, ecp5.title, "first input to last output at Fmax")[1] == f"{microseconds:.3f}"
    assert "800 more LC on hx8k and 800 more COMB on ecp5-25k." in comparison.answer
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == 1.0
    assert any(what == "halfway" and 0.5 < done < 0.6 for done, what in seen)
    assert comparison.to_json()["seeds"] == [3]


@pytest.mark.usefixtures("no_verilog")
def test_several_seeds_give_the_median_with_its_range(monkeypatch):
    monkeypatch.setattr(heads, "measure", faked([[90.0, 110.5, 104.0], 250.0, [80.0, 81.0, 70.0], 150.0]))
    comparison = compare(SMALL, SCORES, parts=("hx8k",), seeds=(1, 2, 3))
    title = PARTS["hx8k"].title
    clocks = texts(comparison, title, "Fmax, register to register: minimum / median / maximum")
    assert clocks[:2] == ("90 / 104 / 110", "250 / 250 / 250")
    assert texts(comparison, title, "throughput at Fmax")[:2] == ("104.0", "250.0")  # of the median
    entry = comparison.to_json()["resources"]["hx8k"]["argmax"]
    assert entry["fmax_mhz"] == 104.0
    assert entry["fmax_mhz_range"] == {"minimum": 90.0, "median": 104.0, "maximum": 110.5}
    assert entry["fmax_mhz_by_seed"] == {"1": 90.0, "2": 110.5, "3": 104.0}
    assert "90 / 104 / 110" in compare_report.render(comparison)


@pytest.mark.usefixtures("no_verilog")
def test_a_clock_that_the_part_cannot_make_is_not_counted_on(monkeypatch):
    monkeypatch.setattr(heads, "measure", faked([300.0, 250.0, 100.0, 150.0]))
    comparison = compare(SMALL, SCORES)
    assert texts(comparison, PARTS["hx8k"].title, "Fmax, register to register")[::2] == (
        "300.0",
        "device limit 275",
    )
    assert texts(comparison, PARTS["hx8k"].title, "throughput at Fmax")[0] == "275.0"
    assert comparison.to_json()["resources"]["hx8k"]["argmax"]["megaelements_per_second"] == 275.0


@pytest.mark.usefixtures("no_verilog")
def test_a_head_that_does_not_fit_says_so(monkeypatch):
    monkeypatch.setattr(heads, "measure", faked([200.0] * 4, cells=(100, 9000)))
    comparison = compare(SMALL, SCORES)
    assert texts(comparison, PARTS["hx8k"].title, "Fmax, register to register")[:2] == ("200.0", "does not fit")
    assert texts(comparison, PARTS["hx8k"].title, "throughput at Fmax")[:2] == ("200.0", "")
    entry = comparison.to_json()["resources"]["hx8k"]["softmax"]
    assert (entry["fits"], entry["fmax_mhz"], entry["megaelements_per_second"]) == (False, None, None)


def test_a_part_without_a_clock_has_cells_and_says_why(monkeypatch):
    monkeypatch.setattr(heads, "measure", faked([200.0] * 4))
    row = CELLS_ONLY["xc7a35t"]
    real = heads.measure

    def unplaced(jobs, progress):
        return [replace(m, placements=(), available={}) for m in real(jobs, progress)]

    monkeypatch.setattr(heads, "measure", unplaced)
    comparison = compare(SMALL, SCORES, LABELS, parts=(row.name,))
    assert texts(comparison, row.title, row.cell("logic").meaning)[:2] == ("100", "100")
    assert texts(comparison, row.title, "Fmax, register to register") == ("no clock", "no clock", row.no_clock)
    assert not [line for line in comparison.rows() if "at Fmax" in line.quantity]
    entry = comparison.to_json()["resources"][row.name]["softmax"]
    assert (entry["fmax_mhz"], entry["limit_mhz"], entry["megaelements_per_second"]) == (None, None, None)
    assert f"no place and route, because {row.no_clock}" in compare_report.render(comparison)


def test_without_place_no_tool_is_needed(monkeypatch):
    monkeypatch.setattr(module, "tool_versions", None)
    monkeypatch.setattr(toolchain, "measure", None)
    comparison = compare(SMALL, SCORES, place=False)
    content = comparison.to_json()
    assert (content["resources"], content["tools"], content["seeds"]) == ({}, {}, [])
    assert not any(row.unit == "MHz" for row in comparison.rows())


def test_the_json_is_plain(of_digits):
    assert json.loads(json.dumps(of_digits.to_json(), allow_nan=False)) == of_digits.to_json()


@pytest.mark.long  # four syntheses and placements; test_resources has the cells of digits-argmax in make test
def test_the_digits_on_both_parts_have_the_recorded_cells_and_reach_the_recorded_floor():
    comparison = compare(preset("digits-softmax"))
    content = recorded()
    if {**content["tools"], **comparison.tools} != content["tools"]:
        pytest.skip(f"recorded with {content['tools']}, installed are {dict(comparison.tools)}")
    for side, name in ((comparison.argmax, "digits-argmax"), (comparison.softmax, "digits-softmax")):
        for row in ("hx8k", "ecp5-25k"):
            entry = content["presets"][name][row]
            assert dict(side.measurements[row].cells) == entry["cells"]
            assert side.measurements[row].fmax_mhz >= entry["floor_mhz"]
