"""The golden model as a whole: against its definition in unbounded integers, and its answers to wrong input."""

import numpy as np
import pytest
from support.configurations import SOFTMAX, TWO_PASS, score_vectors

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.numbers.exponential import exponential_tables
from softstream.hw.numbers.reciprocal import GUARD
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.two_pass import differences
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.exact import EXACT, Vectors, errors_ulp, exact_values
from softstream.sim.reference.softmax import float64_slack_ulp
from softstream.sim.stimulus import random_sideband


def by_definition(config: Config, vector: list[int]) -> tuple[int, int, bool, list[int]]:
    """One vector, element by element, in Python's integers: an independent reading of the documents."""
    if config.accumulator == "two_pass":
        return relative_to_the_maximum(config, vector)
    w = numerics(config)
    overlong, vector = len(vector) > config.max_length, vector[: config.max_length]
    exponents, significands = (values.tolist() for values in w.tables.all_positions)
    elements = [
        (exponents[x - config.score_format.minimum], significands[x - config.score_format.minimum]) for x in vector
    ]
    reference, total = elements[0][0] // w.reference_step, 0
    for e, s in elements:
        coarse = e // w.reference_step
        total >>= w.reference_step * max(0, coarse - reference)
        reference = max(reference, coarse)
        term = s << (e % w.reference_step) << (w.accumulator_fraction - w.significand_fraction)
        total += term >> (w.reference_step * (reference - coarse))
    leading = total.bit_length() - 1
    n = w.reference_step * (0 if w.absolute else reference) + leading - w.accumulator_fraction
    m = total * 2**w.divisor_fraction // 2**leading
    codes = []
    if w.logarithms is not None:
        t, last = w.logarithms, len(w.antilogarithm) // 2  # 2^F entries of T, twice as many codes
        whole = n * 2 * last + int(t.logarithm[m * last // 2**w.divisor_fraction - last])
        whole += m * 2 * last // 2**w.divisor_fraction % 2
        for x in vector:
            z = whole - int(t.position[x - config.score_format.minimum]) - 1
            assert z >= 0
            codes.append(int(w.antilogarithm[(2 * last + z % (2 * last)) // 2 ** (z // (2 * last) + 1)]))
        elements = []
    for e, s in elements:
        if config.division == "divider":
            quotient = s * 2 ** (w.probability_width + 1 + w.divisor_fraction - w.significand_fraction) // m
        elif config.division == "reciprocal":
            r = min(2 ** (w.reciprocal_width + w.divisor_fraction) // m, 2**w.reciprocal_width - 1)
            if w.reciprocals is not None:
                chord, low = divmod(m - 2**w.divisor_fraction, 2**w.reciprocals.low_width)
                fall = int(w.reciprocals.slope[chord]) * low // 2**w.reciprocals.low_width
                r = (int(w.reciprocals.start[chord]) - fall) // 2**GUARD
            quotient = s * r // 2 ** (w.significand_fraction + w.reciprocal_width - w.probability_width - 1)
        else:
            quotient = s // 2 ** (w.significand_fraction - w.probability_width)
        code = (quotient + 2 ** (n - e)) // 2 ** (n - e + 1)
        codes.append(min(code, config.probability_maximum))
    best = max(vector)
    return vector.index(best), best, overlong, codes


def relative_to_the_maximum(config: Config, vector: list[int]) -> tuple[int, int, bool, list[int]]:
    """The same in two passes."""
    table = differences(config)
    overlong, vector = len(vector) > config.max_length, vector[: config.max_length]
    best = max(vector)
    terms = [table.entries[best - x] for x in vector]
    divisor = sum(terms) // 2**table.dropped
    halves = [2 * (e // 2**table.dropped) * 2**config.probability_width for e in terms]
    codes = [min((half + divisor) // (2 * divisor), config.probability_maximum) for half in halves]
    return vector.index(best), best, overlong, codes


@pytest.mark.parametrize("name", [*SOFTMAX, *TWO_PASS])
def test_equals_the_definition(name: str) -> None:
    config = {**SOFTMAX, **TWO_PASS}[name]
    vectors = score_vectors(config, seed=31)
    lengths = np.array([len(vector) for vector in vectors])
    scores = np.full((len(vectors), lengths.max()), config.score_format.minimum)
    for row, vector in zip(scores, vectors, strict=True):
        row[: len(vector)] = vector
    result = golden(config, scores, lengths)
    assert result.probabilities is not None
    for v, vector in enumerate(vectors):
        argmax, best, overlong, codes = by_definition(config, [int(x) for x in vector])
        assert (result.argmax[v], result.best[v], result.overlong[v]) == (argmax, best, overlong)
        assert result.probabilities[v].tolist() == codes + [0] * (scores.shape[1] - len(codes))


def test_implementation_keys_change_nothing() -> None:
    scores = np.random.default_rng(4).integers(-128, 128, (96, 30))  # whole ensembles
    for config in PRESETS.values():
        # Two passes exist in profile small only.
        if config.score_width == 8 and config.accumulator != "two_pass":
            cut = scores[:, : config.max_length]
            others = random_sideband(config, cut)
            fast, small = (golden(config.replace(profile=p), cut, sideband=others) for p in ("fast", "small"))
            assert set(fast) == set(small)
            assert all(np.array_equal(fast[name], small[name]) for name in fast)


def test_decision_comes_from_the_scores_where_probabilities_tie() -> None:
    """A thousand near-equal scores: every probability rounds to the same code, the winner is still the maximum."""
    scores = np.zeros((1, 1000), dtype=int)
    scores[0, 700] = 1
    result = golden(Config(), scores)
    assert result.probabilities is not None
    assert np.ptp(result.probabilities) == 0
    assert result.argmax[0] == 700


def test_blocks_do_not_show() -> None:
    scores = np.random.default_rng(6).integers(-128, 128, (300, 1000))
    whole = golden(Config(), scores)
    one = golden(Config(), scores[299:])
    assert whole.probabilities is not None
    assert one.probabilities is not None
    assert np.array_equal(whole.probabilities[299], one.probabilities[0])


def test_no_vectors() -> None:
    result = golden(Config(), np.zeros((0, 5), dtype=int))
    assert result.probabilities is not None
    assert result.probabilities.shape == (0, 5)
    assert len(result.argmax) == 0


@pytest.mark.parametrize(
    ("scores", "lengths", "message"),
    [
        (np.zeros(4, dtype=int), None, r"shape \(4,\); must be integer codes \[vectors, N\]"),
        (np.zeros((2, 0), dtype=int), None, r"shape \(2, 0\)"),
        (np.zeros((2, 2)), None, "float64"),
        (np.array([[0, 1], [0, 128]]), None, r"scores\[1, 1\] = 128: outside the score format, -128 to 127"),
        (np.array([[-129]]), None, r"clip it to -128"),
        (np.zeros((2, 3), dtype=int), np.array([1, 0]), r"lengths\[1\] = 0: must be from 1 to 3"),
        (np.zeros((2, 3), dtype=int), np.array([4, 1]), r"lengths\[0\] = 4"),
        (np.zeros((2, 3), dtype=int), np.array([1.0, 1.0]), "one per vector"),
        (np.zeros((2, 3), dtype=int), np.array([1]), "2 integers, one per vector"),
    ],
)
def test_wrong_input(scores: np.ndarray, lengths: np.ndarray | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        golden(Config(), scores, lengths)


SAMPLE = Config(mode="sample", max_length=4, score_scale=0.1)


@pytest.mark.parametrize("before", [-1, 1.5, 2**62, 2**64, "1", True, None, float("nan")])
def test_words_before_that_are_no_number_of_words(before):
    with pytest.raises(UserError, match=r"before = .*: must be an integer from 0 to 2\^62 − 1.*for example 0"):
        golden(SAMPLE, [[1, 2, 3]], before=before)


def test_words_before_at_the_limits():
    for before in (0, np.int64(3), 2**62 - 1):
        assert golden(SAMPLE, [[1, 2, 3]], before=before)["sample"].shape == (1,)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([[1, 2], [3]],), "scores"),
        (([[1, 2], [3, 4]], [[1], [1, 2]]), "lengths"),
        (([[1, 2], [3, 4]], None, {"mask": [[1, 2], [0]]}), "mask"),
    ],
)
def test_ragged_lists(arguments, name):
    with pytest.raises(UserError, match=f"^{name}: rows of unequal lengths; must be an array; [^\n]*$"):
        golden(Config(max_length=4, mask=True), *arguments)


def test_masked_arrays_are_refused_with_a_call_that_works():
    config, hidden = Config(max_length=4), [[False, True, False]]
    scores = np.ma.masked_array([[1, 9, 3]], hidden)
    with pytest.raises(
        UserError, match=r"^scores: a masked array with 1 masked elements.*scores\.filled\(0\)"
    ) as refusal:
        golden(config, scores)
    assert "\n" not in str(refusal.value)
    assert golden(config.replace(mask=True), scores.filled(0), sideband={"mask": scores.mask}).argmax == 2
    assert golden(config, np.ma.masked_array([[1, 9, 3]])).argmax == 1  # nothing is masked
    with pytest.raises(UserError, match=r"^lengths: a masked array"):
        golden(config, [[1, 9, 3]], np.ma.masked_array([2], [True]))


def test_the_former_name_of_the_sideband():
    config, mask = Config(max_length=4, mask=True), np.array([[0, 1, 0]])
    assert golden(config, [[1, 9, 3]], beside={"mask": mask}).argmax == 2
    with pytest.raises(UserError, match="beside: the former name of sideband"):
        golden(config, [[1, 9, 3]], sideband={"mask": mask}, beside={"mask": mask})


def widest(**keys: object) -> Config:
    """The configuration with the largest P + k, then the largest P, that has a plan."""
    pairs = [(p, k) for p in range(24, 1, -1) for k in range(8, 0, -1)]
    for p, k in sorted(pairs, key=lambda pair: (-sum(pair), -pair[0])):
        try:
            config = Config(probability_width=p, guard_bits=k, **keys)  # type: ignore[arg-type]
            plan(config)
        except UserError:
            continue
        return config
    raise AssertionError(keys)


WIDEST = {
    "divider": {"max_length": 64},
    "divider-UQ1": {"max_length": 64, "probability_format": "UQ1", "score_scale": 0.5},
    "divider-longest": {"max_length": 65536, "score_scale": 0.01},
    "divider-reference": {"max_length": 16, "accumulator": "reference", "score_scale": 1.0},
    "divider-split": {"max_length": 16, "score_width": 16, "score_scale": 0.5},
    "reciprocal": {"normaliser": "reciprocal", "max_length": 64},
    "reciprocal-UQ1": {"normaliser": "reciprocal", "max_length": 3, "probability_format": "UQ1", "score_scale": 0.3},
    "reciprocal-longest": {"normaliser": "reciprocal", "max_length": 65536, "score_scale": 0.01},
    "reciprocal-reference": {"normaliser": "reciprocal", "max_length": 16, "accumulator": "reference"},
    "reciprocal-split": {"normaliser": "reciprocal", "max_length": 16, "score_width": 16, "score_scale": 0.02},
    "logarithm": {"normaliser": "logarithm", "max_length": 64},
    "none": {"normaliser": "none", "max_length": 64},
    "none-split": {"normaliser": "none", "max_length": 16, "score_width": 13, "score_scale": 1.0},
    "two_pass": {"accumulator": "two_pass", "max_length": 64, "profile": "small"},
    "two_pass-longest": {"accumulator": "two_pass", "max_length": 65536, "profile": "small"},
}


def extreme_vectors(config: Config) -> list[list[int]]:
    """Equal largest scores, one largest among smallest ones, ramps, random scores near each other and anywhere."""
    low, high, n = config.score_format.minimum, config.score_format.maximum, min(config.max_length, 40)
    rng = np.random.default_rng(41)
    vectors = [[high], [low], [high] * n, [low] * n, [low] * (n - 1) + [high], [high - i for i in range(n)][::-1]]
    for spread in (3, 20, high - low):
        vectors += np.maximum(low, high - rng.integers(0, spread, (8, n))).tolist()
    return vectors


@pytest.mark.parametrize("name", WIDEST)
def test_the_widest_configurations_equal_the_definition(name: str) -> None:
    """NumPy's integers must neither overflow nor wrap in the configurations with the widest intermediate results."""
    config = widest(**WIDEST[name])
    for vector in extreme_vectors(config):
        result = golden(config, [vector])
        argmax, best, _, codes = by_definition(config, vector)
        assert (result.argmax[0], result.best[0], result["probabilities"][0].tolist()) == (argmax, best, codes)


def test_the_widest_split_exponentials_equal_their_definition() -> None:
    """X·(1 + δ) in Python's integers, where a factor has 35 bits and δ 34."""
    tables = exponential_tables(16, 0.5, 31)
    assert tables.delta_width == tables.work_fraction == 34
    exponents, significands = tables.all_positions
    for position in [*range(0, 1 << 16, 97), *range((1 << 16) - 70, 1 << 16)]:
        (high_exponent, factor), (low_exponent, delta) = tables.high[position >> 6], tables.low[position & 63]
        product = factor + (factor * delta >> 34)
        carry = product >> 35
        assert exponents[position] == high_exponent + low_exponent + carry
        assert significands[position] == product >> (3 + carry)


MODES_AT_THE_WIDEST = {
    "log_softmax": {"mode": "log_softmax", "max_length": 65536},
    "cross_entropy": {"mode": "cross_entropy", "max_length": 65536},
    "exponential": {"mode": "exponential", "max_length": 64},
    "exponential-split": {"mode": "exponential", "max_length": 64, "score_width": 16, "score_scale": 0.5},
    "exponential-mean": {"mode": "exponential", "max_length": 9, "ensemble": 16, "score_width": 12, "score_scale": 0.5},
    "sigmoid": {"mode": "sigmoid"},
    "softmax_top_k": {"mode": "softmax_top_k", "normaliser": "reciprocal", "max_length": 64},
    "floor": {"probability_floor": 0.01, "normaliser": "reciprocal", "max_length": 64},
    "gather": {"smoothing": (255,) * 15, "max_length": 64, "normaliser": "reciprocal"},
    "scatter": {"smoothing": (255,) * 15, "smoothing_edges": "scatter", "max_length": 64},
    "mean-of-probabilities": {"ensemble": 16, "ensemble_mean": "probabilities", "max_length": 64},
    "mean-of-logits": {"ensemble": 16, "max_length": 64, "score_width": 12, "normaliser": "reciprocal"},
    "temperature": {"temperature_bits": 8, "max_length": 64, "normaliser": "reciprocal"},
}


@pytest.mark.parametrize("name", MODES_AT_THE_WIDEST)
def test_the_widest_configurations_of_all_modes_are_within_their_bounds(name: str) -> None:
    config = widest(**MODES_AT_THE_WIDEST[name])
    rows = [np.array(vector) for vector in extreme_vectors(config) for _ in range(config.ensemble)]
    scores, lengths = pad_vectors(rows, config.score_format.minimum)
    sideband = random_sideband(config, scores)
    if "labels" in sideband:
        sideband["labels"] = sideband["labels"] % lengths
    with np.errstate(all="raise"):
        result = golden(config, scores, lengths, sideband)
    inputs, derived = Vectors(config, scores, lengths, sideband), plan(config)
    field = next(f for output in outputs(config) for f in output.fields if f.array in EXACT)
    codes = inputs.results(result)[field.array]
    errors, saturated = errors_ulp(config, field, codes, exact_values(field.array, inputs))
    compared = ~saturated
    if errors.ndim == 2 and errors.shape == inputs.head_inputs.valid.shape:
        compared &= inputs.head_inputs.valid
    limit = derived.bound_ulp + 2.0**-20 + float64_slack_ulp(config)
    assert np.abs(errors[compared]).max() <= limit


@pytest.mark.parametrize("sampler", ["gumbel", "inverse_cdf"])
def test_the_widest_sampling_draws_only_possible_elements(sampler: str) -> None:
    """The law of a draw has tests of its own: here no sum and no share may wrap round."""
    scale = 16.0 if sampler == "gumbel" else 0.1
    config = widest(mode="sample", sampler=sampler, score_scale=scale, max_length=64)
    with np.errstate(all="raise"):
        for vector in extreme_vectors(config):
            result = golden(config, [vector])
            drawn = vector[int(result["sample"][0])]
            assert drawn == result["score"][0]
            assert (max(vector) - drawn) * scale < 40
