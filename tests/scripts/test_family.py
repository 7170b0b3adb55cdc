"""Members of the family side by side: the notation, every number recomputed another way, and the page."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from support.html_page import Page
from support.placements import faked

from softstream.boards.tools.measure import Job
from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS, preset
from softstream.hw.errors import UserError
from softstream.hw.modes import HEADS
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.scripts.cli import main
from softstream.scripts.measure import heads as heads_module
from softstream.scripts.measure.statistics import RELIABILITY_BINS
from softstream.scripts.reports.family_report import render, write_html
from softstream.scripts.scale import best_scale
from softstream.scripts.scores import quantise
from softstream.scripts.verbs.compare import compare
from softstream.scripts.verbs.family import CONFIDENCES, DECISIONS, Family, entries, family
from softstream.sim.golden import golden
from softstream.sim.reference.exact import EXACT

BASE = preset("digits-softmax")
SMALL = Config(max_length=16, score_scale=0.1)
RNG = np.random.default_rng(11)
SCORES = RNG.integers(-128, 128, (60, 16))
LABELS = RNG.integers(0, 16, 60)
MASK = (RNG.random(SCORES.shape) < 0.4).astype(np.int64)


def judged(modes: str, **arguments) -> Family:
    return family(SMALL, entries(modes, SMALL), arguments.pop("scores", SCORES), place=False, **arguments)


@pytest.fixture(scope="module")
def of_digits() -> Family:
    return family(BASE, entries(",".join(HEADS), BASE), place=False)


# The notation


def test_an_entry_is_a_mode_or_a_preset_with_any_settings_behind_it():
    assert list(entries("log-softmax", BASE).values()) == list(entries("log_softmax", BASE).values())
    configs = entries("argmax, softmax:temperature=2:guard_bits=5,softmax-int16", BASE)
    assert list(configs) == ["argmax", "softmax:temperature=2:guard_bits=5", "softmax-int16"]
    assert configs["argmax"] == BASE.replace(mode="argmax")
    assert configs["softmax:temperature=2:guard_bits=5"] == BASE.replace(temperature=2, guard_bits=5)
    # A preset keeps its keys, but takes the scores of all.
    scores = {key: getattr(BASE, key) for key in ("max_length", "score_width", "score_signed", "score_scale")}
    assert configs["softmax-int16"] == PRESETS["softmax-int16"].replace(**scores)
    assert configs["softmax-int16"].probability_width == 16


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        (
            "softmx",
            "--modes softmx: no mode or preset of that name (did you mean 'softmax'?); the modes are argmax, softmax,",
        ),
        ("sofmax-int8", "(did you mean 'softmax-int8'?)"),
        ("argmax,,softmax", "an entry is empty; for example --modes argmax,softmax"),
        ("argmax,argmax", "--modes argmax: given twice; once would do"),
        ("softmax:score_signed=false", "--modes softmax:score_signed=false: all entries share score_signed"),
        (
            "softmax:mode=argmax",
            "--modes softmax:mode=argmax: the entry names its mode already; for example --modes argmax",
        ),
        ("softmax:guard_bits=9", "--modes softmax:guard_bits=9: guard_bits = 9: must be an integer from 0 to 8"),
        ("softmax:guard_bit=3", "unknown configuration key 'guard_bit' (did you mean 'guard_bits'?)"),
        ("softmax:temperature", "--set 'temperature': must be key=value"),
        ("softmax:smoothing=[1,2,1]:lanes=2", ":lanes=2: smoothing with lanes = 2"),
    ],
)
def test_unknown_entries_are_refused(modes, message):
    with pytest.raises(UserError) as refused:
        entries(modes, BASE)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("modes", "arguments", "message"),
    [
        ("argmax,cross_entropy", {}, "--modes cross_entropy: takes the sideband input labels, label: index"),
        ("softmax:mask=true", {}, "--modes softmax:mask=true: takes the sideband input mask"),
        ("softmax", {"sideband": {"mask": MASK}}, "--sideband mask: none of softmax takes it; leave it out"),
        ("softmax:mask=true", {"sideband": {"mask": MASK[:3]}}, "mask: an array of int64 with shape (3, 16)"),
        (
            "softmax:ensemble=7",
            {},
            "--modes softmax:ensemble=7: takes 7 vectors for each result, and there are 60 vectors",
        ),
        (
            "softmax:ensemble=2",
            {"labels": LABELS},
            "vectors 0 to 1 are the members of one result, and their labels are",
        ),
        (
            "argmax:ensemble=2:ensemble_mean=probabilities",
            {},
            "ensemble_mean=probabilities: ensemble_mean with mode",
        ),
        ("softmax:max_length=8", {}, "all entries share max_length"),
        (
            "argmax,softmax:score_scale=0.5",
            {},
            "--modes softmax:score_scale=0.5: the scores are codes, whose score_scale is 0.1 for all entries; for example floats",
        ),
    ],
)
def test_members_that_the_scores_cannot_serve_are_refused_before_anything_runs(monkeypatch, modes, arguments, message):
    monkeypatch.setattr("softstream.scripts.verbs.family.golden", None)
    with pytest.raises(UserError) as refused:
        judged(modes, **arguments)
    assert message in str(refused.value)


# Every member


def test_every_array_of_every_mode_is_decided_on_or_measured():
    known = {*DECISIONS, *CONFIDENCES, *EXACT, "best", "top_scores", "score", "sums"}
    assert {f.array for mode in HEADS for o in outputs(SMALL.replace(mode=mode)) for f in o.fields} <= known


@pytest.mark.parametrize("mode", HEADS)
def test_every_mode_on_the_digits(of_digits, mode):
    [member] = [member for member in of_digits.members if member.title == mode]
    derived = plan(BASE.replace(mode=mode))
    assert member.plan == derived
    if derived.bound_ulp is not None:
        assert member.error.bound == derived.bound_ulp
        assert 0 < member.error.mean < member.error.largest
        assert member.error.within_bound
    else:
        assert (member.error is None) == (derived.distance is None)
    # All but a draw, and a sigmoid whose codes tie, name the class of the largest score; a loss names none.
    assert (member.decision is None) == (mode in ("cross_entropy", "log_sum_exp"))
    if mode not in ("cross_entropy", "log_sum_exp", "sample", "sigmoid"):
        assert member.decision.flips == 0
        assert member.decision.accuracy == of_digits.given_accuracy
    assert (member.calibration is not None) == (mode in ("softmax", "log_softmax", "sigmoid", "softmax_top_k"))


def test_softmax_equals_the_plain_comparison(of_digits):
    plain = compare(BASE, place=False)
    [member] = [member for member in of_digits.members if member.title == "softmax"]
    d, p = plain.decisions, plain.probabilities
    assert (member.decision.accuracy, member.decision.flips) == (d.softmax_accuracy, d.softmax_flips)
    assert (member.error.mean, member.calibration.error) == (p.mean_error_ulp, p.calibration_error)
    assert member.calibration.bins == p.reliability
    assert of_digits.given_calibration.error == p.given_calibration_error
    # The plain comparison's largest error is also over a sweep of its own.
    assert member.error.largest <= p.maximum_error_ulp


def test_the_calibration_error_by_a_count():
    [member] = judged("softmax_top_k", labels=LABELS).members
    result = golden(SMALL.replace(mode="softmax_top_k"), SCORES)
    bins: dict[int, list[tuple[float, bool]]] = {}
    for code, index, label in zip(result["top_probabilities"][:, 0], result["top_indices"][:, 0], LABELS, strict=True):
        bins.setdefault(-(-int(code) * RELIABILITY_BINS // 256), []).append((code / 256, index == label))
    gaps = [abs(sum(right for _, right in b) - sum(sure for sure, _ in b)) for b in bins.values()]
    assert member.calibration.error == pytest.approx(sum(gaps) / len(LABELS))


def test_flips_and_accuracy_of_ties_by_a_count():
    scores = np.full((3, 16), 120)  # so sure that every code of the sigmoid is the largest
    scores[1, 7] = scores[2, 0] = 121
    [member] = judged("sigmoid", scores=scores, labels=np.array([0, 7, 0])).members
    assert (member.decision.flips, member.decision.accuracy) == (1, pytest.approx(2 / 3))


def test_masked_elements_never_count():
    masked, plain = judged("softmax:mask=true,softmax", labels=LABELS, sideband={"mask": MASK}).members
    assert masked.decision.flips == 0
    assert masked.error.within_bound
    assert masked.error.count == np.count_nonzero(MASK == 0)
    assert plain.error.count == SCORES.size
    by_hand = np.where(MASK == 0, SCORES, -999).argmax(axis=1)
    assert masked.decision.accuracy == np.mean(by_hand == LABELS)


@pytest.mark.parametrize("mode", HEADS)
def test_every_mode_with_a_mask(mode):
    """One vector of which nothing is left among them."""
    mask = MASK.copy()
    mask[3] = 1
    [member] = judged(f"{mode}:mask=true", labels=LABELS, sideband={"mask": mask}).members
    assert member.error is None or (member.error.within_bound and member.error.largest > 0)
    if mode not in ("cross_entropy", "log_sum_exp", "sample", "sigmoid"):
        assert member.decision.flips == 0


@pytest.mark.parametrize("mode", [name for name, traits in MODES.items() if traits.groups])
def test_every_mode_of_groups(mode):
    """Packets of several lengths, the last group of some of them short: each group is a vector by itself."""
    lengths = RNG.integers(1, 17, 60)
    count = sum(2 * (n // 8) + (n % 8 > 0) + (n % 8 > 3) for n in lengths)
    [member] = judged(f"{mode}:groups=[3,5]", labels=LABELS % lengths, lengths=lengths).members
    assert member.plan.config.max_length == 5
    assert member.error is None or (member.error.within_bound and member.error.largest > 0)
    if member.error is not None and member.error.unit == "ulp":
        assert member.error.count == (count if mode in ("log_sum_exp", "entropy") else lengths.sum())
    if mode == "log_sum_exp":
        assert member.decision is None
        return
    # A label is of a packet.
    assert (member.decision.accuracy, member.calibration) == (None, None)
    assert member.decision.count == count
    if mode != "sample":
        assert member.decision.flips == 0


@pytest.mark.parametrize(
    "options",
    [
        "probability_floor=0.01",
        "clip_minimum=-20:clip_maximum=40",
        "smoothing=[1,3,2]:smoothing_edges=scatter",
        "temperature=3",
        "normaliser=none",
    ],
)
def test_options_behind_the_softmax_are_compared_with_their_own_exact_values(options):
    """Lengths vary; the winner stays that of the scores."""
    lengths = RNG.integers(1, 17, 60)
    [member] = judged(f"softmax:{options}", labels=LABELS % lengths, lengths=lengths).members
    assert member.error.within_bound
    assert member.error.largest > 0.3
    assert member.decision.flips == 0


def test_a_temperature_for_each_vector():
    temperatures = RNG.integers(0, 256, 60)
    flat, member = judged(
        "softmax,softmax:temperature_bits=8", labels=LABELS, sideband={"temperatures": temperatures}
    ).members
    assert member.error.within_bound
    assert member.decision == flat.decision
    assert member.error.mean != flat.error.mean


def test_a_preset_of_groups_keeps_its_sizes():
    assert entries("softmax-int8-groups", BASE)["softmax-int8-groups"].groups == (8,)
    with pytest.raises(UserError, match="--modes sigmoid:groups="):
        entries("sigmoid:groups=[5]", BASE)


# The sums of an entropy have no room for the range of the members (`tests/modes/test_entropy.py` has narrower ones).
ENSEMBLES = [f"{mode}:ensemble=3" for mode in HEADS if mode not in ("cdf", "entropy")] + [
    "softmax:ensemble=3:ensemble_mean=probabilities:smoothing=[1,2,1]",
    "cdf:ensemble=3:probability_width=5",  # an exact sum has room for the members' range with shorter exponentials
]


@pytest.mark.parametrize("entry", ENSEMBLES)
def test_every_mode_of_an_ensemble(entry):
    """Members of several lengths; labels are those of a whole ensemble."""
    labels = np.repeat(LABELS[:20], 3)
    lengths = np.repeat(RNG.integers(1, 17, 20), 3) if "cross_entropy" not in entry else np.full(60, 16)
    [member] = judged(entry, labels=labels % lengths, lengths=lengths).members
    assert member.error is None or (member.error.within_bound and member.error.largest > 0)
    if member.decision is None:
        return
    assert member.decision.count == 20
    if not entry.startswith(("sample", "sigmoid")):
        assert member.decision.flips == 0
        means = [SCORES[row : row + 3, : lengths[row]].mean(axis=0) for row in range(0, 60, 3)]
        if "probabilities" not in entry:
            right = [
                int(np.argmax(mean)) == label for mean, label in zip(means, LABELS[:20] % lengths[::3], strict=True)
            ]
            assert member.decision.accuracy == np.mean(right)


def test_an_ensemble_takes_the_scores_of_three_classifiers():
    report = family(BASE, entries("argmax,argmax:ensemble=3", BASE), place=False)
    assert (report.data.vectors, report.data.labelled) == (3 * 1797, True)
    alone, together = report.members
    assert (alone.decision.count, together.decision.count) == (3 * 1797, 1797)
    assert together.decision.accuracy > alone.decision.accuracy + 0.03
    assert (together.interval, together.elements_per_cycle) == (30, 1)
    assert together.decision.flips_of(report.data.vectors) == "0 of 1797"


@pytest.mark.parametrize("sampler", ["gumbel", "inverse_cdf"])
def test_a_draw_has_the_distance_of_its_law(sampler):
    [member] = judged(f"sample:sampler={sampler}").members
    assert member.error.unit == "total variation"
    assert 0 < member.error.mean <= member.error.largest < member.error.bound == plan(member.plan.config).distance


def test_lengths_limit_the_count():
    lengths = RNG.integers(1, 17, 60)
    used = np.arange(16) < lengths[:, None]
    modes = "softmax,sigmoid,softmax_top_k,log_softmax,sample,hardmax"
    one, other = (judged(modes, scores=np.where(used, SCORES, fill), lengths=lengths) for fill in (127, -128))
    assert one.to_json() == other.to_json()
    assert one.members[0].error.count == lengths.sum()
    assert one.members[2].error.count == np.minimum(lengths, 5).sum()


def test_an_error_beyond_the_bound_is_reported(of_digits):
    member = of_digits.members[1]
    wrong = replace(of_digits, members=(replace(member, error=replace(member.error, largest=0.6)),))
    assert "softmax: error ABOVE the proved bound" in wrong.answer
    assert "An error exceeds its bound" in render(wrong)
    assert wrong.to_json()["members"][0]["error"]["within_bound"] is False
    assert "MORE" not in of_digits.answer


# The given floats

FLOATS = RNG.normal(3, 4, (60, 16))


def test_each_entry_quantises_the_floats_with_its_own_scale_width_precision_and_temperature():
    text = "softmax,softmax:score_scale=0.5,softmax:score_width=5:score_scale=0.8:probability_width=6,softmax:temperature=2"
    result = judged(text, scores=FLOATS, labels=LABELS)
    for member in result.members:
        config = member.plan.config
        scores = quantise(config, FLOATS)
        codes = golden(config, scores.codes)
        weights = np.exp((FLOATS - FLOATS.max(axis=1, keepdims=True)) / config.temperature)
        exact = weights / weights.sum(axis=1, keepdims=True)
        error = np.abs(codes.probabilities - exact * 2**config.probability_width)
        assert member.error.float_error.total.largest == pytest.approx(error.max())
        assert member.error.float_error.total.mean == pytest.approx(error.mean())
        assert (
            member.decision.flips
            == member.decision.code_flips
            == np.count_nonzero(codes.argmax != FLOATS.argmax(axis=1))
        )
        assert member.scores.saturated == scores.saturated
        assert member.error.within_bound
    assert len({member.decision.flips for member in result.members}) == 3
    worst = max(result.members, key=lambda member: member.decision.flips)
    share = f"{100 * worst.decision.flips / 60:.2f} %"
    assert result.answer.startswith(
        f"Up to {worst.decision.flips} of 60 decisions ({share}, {worst.title}) differ from those of the given floats; results "
    )
    assert result.given_accuracy == np.mean(FLOATS.argmax(axis=1) == LABELS)
    page = Page(render(result))
    assert page.text.count("Range of the scores and of the code: ") == 3
    for heading in ("against the floats", "by quantising", "by the hardware"):
        assert heading in page.text


def test_an_entry_has_its_zero_point():
    shifted, plain = judged("sigmoid:score_zero_point=-60,sigmoid", scores=FLOATS, saturate=True).members
    exact = 1 / (1 + np.exp(-FLOATS))
    for member in (shifted, plain):
        config = member.plan.config
        codes = golden(config, quantise(config, FLOATS, saturate=True).codes)["probabilities"]
        assert member.error.float_error.total.largest == pytest.approx(np.abs(codes - 256 * exact).max())
    assert shifted.scores.code_maximum == pytest.approx(plain.scores.code_maximum + 6)
    with pytest.raises(UserError, match="the scores are codes, whose score_zero_point is 0 for all entries"):
        judged("sigmoid:score_zero_point=-60")


def test_an_entry_takes_the_scale_that_suits_the_floats(tmp_path, capsys):
    np.save(tmp_path / "F.npy", FLOATS)
    arguments = [
        "--set",
        "max_length=16",
        "--no-place",
        "--json",
        "--modes",
        "softmax,softmax:score_width=6:score_scale=auto",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["compare", *arguments, "--scores", str(tmp_path / "F.npy")])
    assert not ended.value.code
    coarse, own = (member["config"] for member in json.loads(capsys.readouterr().out)["members"])
    assert coarse["score_scale"] == BASE.score_scale
    assert own["score_scale"] == best_scale(BASE.replace(max_length=16, score_width=6), FLOATS).scale
    with pytest.raises(SystemExit) as ended:
        main(["compare", *arguments])
    assert ended.value.code == 2
    assert "score_scale = auto: is chosen from float scores, and there are none" in capsys.readouterr().err


@pytest.mark.parametrize("mode", HEADS)
def test_every_mode_splits_its_error_against_the_floats(mode):
    result = judged(f"{mode}:score_width=6:score_scale=0.4", scores=FLOATS, labels=LABELS, saturate=True)
    [member] = result.members
    e = member.error
    if e is None:
        assert member.plan.bound_ulp is None
        return
    assert e.within_bound
    assert e.float_error.quantisation.largest > 0
    assert e.float_error.total.largest <= e.float_error.quantisation.largest + e.worst + 1e-9
    assert e.float_error.total.largest >= e.float_error.quantisation.largest - e.worst - 1e-9


def test_the_scores_exclude_elements_by_themselves():
    floats = np.where(MASK == 0, FLOATS, -np.inf)
    by_scores = family(
        SMALL.replace(mask=True), entries("softmax,sample", SMALL.replace(mask=True)), floats, place=False
    )
    by_sideband = judged("softmax:mask=true,sample:mask=true", scores=FLOATS, sideband={"mask": MASK})
    for one, other in zip(by_scores.members, by_sideband.members, strict=True):
        assert one.error.float_error.total.largest == pytest.approx(other.error.float_error.total.largest)
        assert one.decision == other.decision


def test_nothing_is_called_float64_in_the_results(of_digits):
    content = json.dumps(
        {**of_digits.to_json(), "members": [{**m, "digest": ""} for m in of_digits.to_json()["members"]]}
    )
    assert "float64" not in content + of_digits.answer + str(of_digits.table())
    assert of_digits.to_json()["format"] == 2
    # The page says once of what the values in float64 are.
    assert re.findall(r"[^.\n]*float64", Page(render(of_digits)).text) == [
        "The error against the exact result of the given floats, in float64"
    ]


# What is printed


def test_resources_stand_side_by_side(monkeypatch):
    monkeypatch.setattr(
        heads_module, "head_job", lambda config, part, seeds, title: Job(config.mode, part, tuple(seeds), title)
    )
    monkeypatch.setattr(heads_module, "measure", faked([200.0, 250.0, 100.0, 150.0]))
    report = family(SMALL, entries("argmax,log_softmax", SMALL), SCORES)
    columns, rows, _ = report.table()
    cells = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [(row["hx8k: cells"], row["hx8k: MHz"], row["ecp5-25k: MHz"]) for row in cells] == [
        ("100 LC", "200.0", "250.0"),
        ("900 LC", "100.0", "150.0"),
    ]
    content = report.to_json()["members"][1]["resources"]["ecp5-25k"]
    per_cycle = 16 / plan(SMALL.replace(mode="log_softmax")).interval_cycles(16)
    assert (content["cells"]["COMB"], content["fmax_mhz"], content["megaelements_per_second"]) == (
        900,
        150.0,
        150 * per_cycle,
    )
    page = Page(render(report))
    assert page.tags["svg"] == 4  # range, error, two parts; no labels, so no calibration
    for text in ("900", "150.0", "Fmax, MHz", "out of context"):
        assert text in page.text


def test_several_seeds_give_the_median_with_its_range(monkeypatch):
    monkeypatch.setattr(
        heads_module, "head_job", lambda config, part, seeds, title: Job(config.mode, part, tuple(seeds), title)
    )
    monkeypatch.setattr(heads_module, "measure", faked([[90.0, 110.5, 104.0], 200.0]))
    report = family(SMALL, entries("argmax,log_softmax", SMALL), SCORES, parts=("hx8k",), seeds=(1, 2, 3))
    columns, rows, _ = report.table()
    assert [row[columns.index("hx8k: MHz")] for row in rows] == ["90 / 104 / 110", "200 / 200 / 200"]
    entry = report.to_json()["members"][0]["resources"]["hx8k"]
    assert entry["fmax_mhz_range"] == {"minimum": 90.0, "median": 104.0, "maximum": 110.5}
    text = Page(render(report)).text
    assert "90 / 104 / 110" in text
    assert "Fmax is minimum / median / maximum over them" in text


def test_the_page_states_every_number_and_stands_alone(of_digits, tmp_path):
    write_html(of_digits, tmp_path / "family.html")
    text = (tmp_path / "family.html").read_text(encoding="utf-8")
    page = Page(text)
    assert of_digits.answer in page.text
    for member in of_digits.members:
        assert member.title in page.text
        assert member.plan.config.digest[:12] in page.text
    for phrase in (
        "expected calibration error: Σ_b",
        "10 bins of equal width",
        "Guo et al.",
        "1797 vectors, N = 10, with labels",
    ):
        assert phrase.lower() in page.text.lower()
    assert page.tags["svg"] == 4
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert text == render(of_digits)


def test_the_json_is_plain_and_the_table_has_a_row_for_each(of_digits):
    assert json.loads(json.dumps(of_digits.to_json(), allow_nan=False)) == of_digits.to_json()
    columns, rows, numbers = of_digits.table()
    assert [row[0] for row in rows] == ["given floats", *HEADS]
    assert {len(row) for row in rows} == {len(columns)}
    assert set(numbers) <= set(columns)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--modes", "argmx"), "--modes argmx: no mode or preset of that name (did you mean 'argmax'?)"),
        (("--sideband", "mask=M.npy", "--scores", "F.npy"), "--sideband mask=M.npy: needs a member that takes it"),
        (("--modes", "softmax:temperature_bits=8"), "takes the sideband input temperatures"),
        (("--modes", "argmax", "--set", "max_length=5"), "vectors of 10 elements"),
    ],
)
def test_mistakes_end_with_2_and_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--no-place", "--quiet", *arguments])
    output = capsys.readouterr()
    assert (ended.value.code, output.err.count("\n")) == (2, 1)
    assert message in output.err


def test_the_command(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--no-place", "--modes", "argmax,hardmax", "--json", "-o", str(tmp_path / "r.html")])
    content = json.loads(capsys.readouterr().out)
    assert not ended.value.code
    assert [member["member"] for member in content["members"]] == ["argmax", "hardmax"]
    assert content["calibration"]["bins"] == 10
    assert (tmp_path / "r.html").is_file()
