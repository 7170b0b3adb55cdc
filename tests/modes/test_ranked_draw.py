"""Draws among the best elements: the set is the one a full sort gives, the law is exact, and the hardware equals the model.

Both samplers draw from the same set. `make test` runs each kind of set, of list and of sampler once; `make test-long` runs every
configuration with either sampler.
"""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from support.draws import chi_square_probability
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers import ranked_draw as ranked_numbers
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.reference.law import draw_law, exact_set, model_set, softmax_law, total_variation
from softstream.sim.stimulus import corner_vectors

NORMALISERS = ("divider", "reciprocal", "logarithm")


def config_of(**changes: Any) -> Config:
    return Config(**{"mode": "sample", "draw_top_k": 4, "max_length": 16, **changes})


CONFIGS = {
    "k": config_of(),
    "one": config_of(draw_top_k=1, profile="fast"),
    "more than there are": config_of(draw_top_k=20, draw_top_p=0.5, draw_min_p=0.01),
    "min_p": config_of(draw_min_p=0.1, score_scale=0.02, profile="small"),
    "p": config_of(draw_top_p=0.8, normaliser="divider"),
    "p, min_p, masked lanes": config_of(draw_top_p=0.9, draw_min_p=0.05, mask=True, lanes=2, score_scale=0.03),
    "smallest": config_of(draw_top_p=0.7, select="smallest", normaliser="reciprocal", score_signed=False),
    "temperature": config_of(draw_top_k=6, draw_top_p=0.6, temperature_bits=6, temperature_fraction=4),
    "ensemble": config_of(draw_top_p=0.6, draw_min_p=0.02, ensemble=2),
    "bounds of the vector": config_of(draw_sideband=True, mask=True),
    "bounds at a temperature": config_of(draw_sideband=True, temperature_bits=4, per_vector="pipelined"),
    "int16": config_of(draw_top_k=3, draw_top_p=0.75, score_width=16, score_scale=2.0**-12, probability_width=16),
}


SAMPLERS = ("gumbel", "inverse_cdf")


def config_for(name: str, sampler: str) -> Config:
    """A configuration of `CONFIGS` with that sampler; a share of the sum is serial, and its scores span fewer octaves."""
    config = CONFIGS[name]
    if sampler == "gumbel":
        return config
    scale = config.score_scale / 4 if config.temperature_bits else config.score_scale
    return config.replace(sampler=sampler, per_vector="serial", score_scale=scale)


def often(chosen: set[tuple[str, str]]) -> list[Any]:
    """Every name of `CONFIGS` with either sampler, those that are not chosen for `make test-long`."""
    rows = [(name, sampler) for name in CONFIGS for sampler in SAMPLERS]
    return [pytest.param(*row, marks=[] if row in chosen else [pytest.mark.long]) for row in rows]


@pytest.mark.parametrize(
    ("name", "sampler"),
    often(
        {
            ("one", "gumbel"),
            ("p, min_p, masked lanes", "gumbel"),
            ("bounds at a temperature", "gumbel"),
            ("min_p", "inverse_cdf"),
            ("p, min_p, masked lanes", "inverse_cdf"),
            ("bounds at a temperature", "inverse_cdf"),
        }
    ),
)
def test_the_hardware_equals_the_model(name: str, sampler: str) -> None:
    config = config_for(name, sampler).replace(seed=7)
    vectors = corner_vectors(config, np.random.default_rng(4))[: 16 * config.ensemble]
    check_head(config, vectors, source="random", sink="random")


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("min_p", 3),
        *(
            pytest.param(*row, marks=pytest.mark.long)
            for row in [("k", 1), ("k", 16), ("p", 5), ("p", 16), ("int16", 4)]
        ),
    ],
)
def test_latency_and_interval(name: str, length: int, sampler: str) -> None:
    """The first draw of several in a row, and the steady distance of the last ones."""
    config = config_for(name, sampler)
    promised = plan(config)
    rows = list(np.random.default_rng(3).integers(0, 90, (9, length)))
    trace = check_head(config, rows)
    draws = trace.outputs["m_axis"]
    assert draws[0] - trace.inputs[0] == promised.first_output_cycle(length)
    assert promised.last_output_cycle(length) == promised.first_output_cycle(length)
    assert draws[-1] - draws[4] == (len(draws) - 5) * promised.interval_cycles(length)


def test_one_element_per_cycle_whatever_the_length() -> None:
    config = config_of(draw_min_p=0.1)
    vectors = [np.arange(n) for n in (1, 1, 1, 13, 2, 16, 1)]
    trace = check_head(config, vectors)
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + sum(map(len, vectors))))


def test_bounds_of_each_vector_cost_no_bubble() -> None:
    """Vectors of one element, the bounds of more than sixty of which wait at once."""
    config = CONFIGS["bounds at a temperature"]
    trace = check_head(config, [np.arange(n) for n in (*[1] * 90, 16, 2, *[1] * 9)])
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + len(trace.inputs)))


def test_bounds_of_the_vectors_are_those_of_a_configuration() -> None:
    """Each vector with the set of the fixed head whose bounds it brings, as real numbers; 0 counts as K = 1."""
    config = config_of(draw_top_k=6, draw_sideband=True, score_scale=0.03, temperature=1.5)
    scores = np.random.default_rng(8).integers(-128, 128, (40, 16))
    for count, share, least in (
        (6, 1.0, 0.0),
        (3, 0.7, 0.0),
        (1, 0.2, 0.5),
        (0, 1.0, 0.0),
        (5, 0.95, 0.03),
        (6, 0.6, 1e-300),
    ):
        keys = {"draw_top_k": max(count, 1), "draw_top_p": share, "draw_min_p": least}
        fixed = config.replace(draw_sideband=False, **keys)
        sideband = {
            "draw_top_ks": np.full(1, count),
            "draw_top_ps": ranked_numbers.share_codes(config, np.array([share])),
            "draw_min_ps": ranked_numbers.distance_codes(config, np.array([least])),
        }
        for row in scores:
            codes = {name: int(values[0]) for name, values in sideband.items()}
            assert np.array_equal(model_set(config, row, codes), model_set(fixed, row))
        result = golden(config, scores[:1], sideband={**sideband, "draw_top_ps": np.array([share])})
        assert result["truncated"].shape == (1,)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("draw_top_ps", 0.0, r"draw_top_ps\[0\] = 0: must be above 0, at most 1; for example 0\.9"),
        ("draw_min_ps", 1.0, r"draw_min_ps\[0\] = 1: must be from 0 to below 1; for example 0\.05"),
        ("draw_top_ks", 5, r"draw_top_ks\[0\] = 5: must be 0 to 4; for example 0"),
    ],
)
def test_bounds_out_of_range_are_refused(name: str, value: float, text: str) -> None:
    bounds = {"draw_top_ks": np.array([4]), "draw_top_ps": np.array([0.9]), "draw_min_ps": np.array([0.1])}
    with pytest.raises(UserError, match=text):
        golden(config_of(draw_sideband=True), np.zeros((1, 4), int), sideband={**bounds, name: np.array([value])})


def positions_of(config: Config) -> list[np.ndarray]:
    """Ties, one ahead, a staircase, normal scores of several widths, random ones, short vectors."""
    rng, top, length = np.random.default_rng(5), (1 << config.score_width) - 1, config.max_length
    one_ahead = np.zeros(length, dtype=np.int64)
    one_ahead[length // 2] = round(min(top, 2 / config.effective_scale))
    rows = [np.zeros(length, dtype=np.int64), one_ahead, np.arange(length) * top // length]
    for nats in (0.3, 1, 2, 3):
        rows += list(np.clip(np.round(rng.normal(top / 2, nats / config.effective_scale, (12, length))), 0, top))
    rows += [rng.integers(0, top + 1, n) for n in (1, 2, 3, length)]
    return [row.astype(np.int64) for row in rows]


SETS: dict[str, dict[str, float]] = {
    "k": {},
    "min_p": {"draw_min_p": 0.1},
    "p": {"draw_top_p": 0.7},
    "p, min_p": {"draw_top_p": 0.95, "draw_min_p": 0.02},
}
LAWS = [(name, normaliser, sampler) for name in SETS for normaliser in NORMALISERS for sampler in SAMPLERS]
OFTEN = {
    ("k", "divider", "gumbel"),
    ("min_p", "divider", "inverse_cdf"),
    ("p", "reciprocal", "inverse_cdf"),
    ("p, min_p", "logarithm", "gumbel"),
}


@pytest.mark.parametrize(
    ("name", "normaliser", "sampler"),
    [pytest.param(*row, marks=[] if row in OFTEN else [pytest.mark.long]) for row in LAWS],
)
def test_the_law_is_softmax_over_the_exact_set(name: str, normaliser: str, sampler: str) -> None:
    """K and m are exact. The set of p is the exact one of a p within `share_error`; so are all sets between its two ends."""
    keys = SETS[name]
    config = config_of(draw_top_k=8, max_length=20, normaliser=normaliser, sampler=sampler, **keys)
    numbers = ranked_draw(config)
    distance = plan(config).distance
    assert distance is not None
    error, equal = float(numbers.share_error), 0
    for positions in positions_of(config):
        law = draw_law(config, config.code(positions))
        among, exact = law > 0, exact_set(config, positions)
        least, most = exact_set(config, positions, -error), exact_set(config, positions, error)
        assert (least <= among).all()
        assert (among <= most).all()
        equal += bool((among == exact).all())
        over_set = np.where(among, softmax_law(config.effective_scale, positions), 0)
        over_set /= over_set.sum()
        assert total_variation(law, over_set) <= distance
        if config.inverse_cdf:
            honoured = over_set >= float(numbers.law.smallest)
            assert np.abs(law[honoured] / over_set[honoured] - 1).max() <= float(numbers.law.class_error)
    rows = len(positions_of(config))
    assert equal >= (rows if "draw_top_p" not in keys else 2 * rows // 3)


def test_the_bound_on_p_is_that_of_the_codes() -> None:
    config = config_of(draw_top_p=0.8, normaliser="divider", max_length=100)
    inner = ranked_draw(config).ranked
    ulp = plan(inner).bound_ulp
    assert ulp is not None
    assert float(ranked_draw(config).share_error) == pytest.approx(4 * ulp / 256, rel=1e-12)
    assert ranked_draw(config_of()).share_error == 0


@pytest.mark.parametrize("name", ["k", "more than there are", "min_p", "p", "int16"])
def test_truncated_tells_whether_a_full_sort_has_a_larger_set(name: str) -> None:
    """The exact set with K unbounded; with p, either answer is right between the two ends of its error."""
    config = CONFIGS[name]
    error, seen = float(ranked_draw(config).share_error), set()
    for positions in positions_of(config):
        sizes = [
            np.count_nonzero(exact_set(config.replace(draw_top_k=min(64, len(positions))), positions, shift))
            for shift in (-error, error)
        ]
        result = golden(config, config.code(positions)[None])
        if "truncated" not in result:
            assert name in ("k", "more than there are")
            continue
        flag = bool(result["truncated"][0])
        assert flag in {size > config.draw_top_k for size in sizes}
        seen.add(flag)
    assert seen in ({True, False}, set())


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"draw_min_p": 0.2},
        {"draw_top_p": 0.8},
        {"draw_sideband": True},
        {"draw_top_p": 0.9, "draw_min_p": 0.1, "temperature_bits": 5},
    ],
)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_counts_follow_the_law(keys: dict[str, Any], sampler: str) -> None:
    config = config_of(draw_top_k=6, score_width=8, score_scale=0.05, seed=3, sampler=sampler, **keys)
    scores = np.array([3, -20, 25, 0, 41, 38, 10, 41, 12, -90, 30, 5])
    count = 60_000
    bounds = {"temperatures": 20} if config.temperature_bits else {}
    if config.draw_sideband:
        bounds = {"draw_top_ks": 5, "draw_top_ps": 220, "draw_min_ps": 30}
    sideband = {name: np.full(count, code) for name, code in bounds.items()}
    drawn = golden(config, np.tile(scores, (count, 1)), sideband=sideband)["sample"]
    law, counts = draw_law(config, scores, bounds), np.bincount(drawn, minlength=len(scores))
    assert not counts[law == 0].any()
    assert chi_square_probability(counts, law) > 1e-6
    # The test distinguishes: the law of softmax over all classes is refused.
    whole = softmax_law(config.effective_scale, config.position(scores))
    assert chi_square_probability(counts, whole) < 1e-9


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_improbable_class_of_the_set_is_drawn_as_often_as_softmax_says(sampler: str) -> None:
    """The last class of the list, of 5·10^-4: a test of its count alone, which likely classes do not hide."""
    config = config_of(draw_top_k=4, score_scale=0.05, seed=11, sampler=sampler)
    scores, count = np.array([-30, 120, 100, 110, -80, 100 - 128]), 200_000
    law = draw_law(config, scores)
    (improbable,) = np.flatnonzero((law > 0) & (law < 1e-3))
    drawn = golden(config, np.tile(scores, (count, 1)))["sample"]
    seen, due = np.count_nonzero(drawn == improbable), law[improbable] * count
    assert 50 < due < 200
    assert min(stats.poisson.sf(seen - 1, due), stats.poisson.cdf(seen, due)) > 1e-6


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_best_of_a_vocabulary(sampler: str) -> None:
    """2^18 classes: the list is as long as for ten, and the index is 18 bits wide."""
    config = config_of(
        draw_top_k=50, draw_top_p=0.9, max_length=1 << 18, probability_width=16, score_scale=0.1, sampler=sampler
    )
    assert config.index_width == 18
    scores = np.random.default_rng(6).normal(-60, 12, (1, 1 << 18)).round().clip(-128, 127).astype(np.int64)
    scores[0, [200_000, 7, 262_143]] = 100, 102, 99
    result = golden(config, np.repeat(scores, 3, axis=0))
    assert set(result["sample"]) <= {200_000, 7, 262_143}
    assert not result["truncated"].any()
    promised = plan(config)
    assert promised.interval_cycles(1 << 18) == 1 << 18
    assert promised.memory_bits < 1 << 13


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"draw_top_k": 0, "draw_top_p": 0.9}, r"draw_top_p = 0\.9 with draw_top_k = 0: .*; draw_top_k = 16 would do"),
        ({"draw_top_k": 0, "draw_min_p": 0.1}, r"draw_min_p = 0\.1 with draw_top_k = 0: .*; draw_top_k = 16 would do"),
        (
            {"sampler": "inverse_cdf", "per_vector": "pipelined"},
            r"per_vector = 'pipelined' with sampler = 'inverse_cdf': .*; per_vector = 'serial' would do",
        ),
        ({"groups": [16]}, r"draw_top_k = 4 with groups = \[16\]: .*; groups = \[\] would do"),
        ({"draw_top_k": 64, "draw_top_p": 0.9, "max_length": 99}, r"draw_top_k = 64 .*; draw_top_k = 63 would do"),
        ({"draw_top_p": 0.9, "normaliser": "none"}, r"draw_top_p = 0\.9 with normaliser = 'none': .*'auto' would do"),
        (
            {"draw_top_p": 0.9, "normaliser": "logarithm", "temperature_bits": 4},
            r"normaliser = 'logarithm' with score_width = 12: .*; normaliser = 'reciprocal' would do",
        ),
        (
            {"draw_top_p": 0.9, "lanes": 2, "accumulator": "reference"},
            r"lanes = 2 with accumulator = 'reference': .*; lanes = 1 would do",
        ),
        (
            {"draw_sideband": True, "draw_min_p": 0.1},
            r"draw_min_p = 0\.1 with draw_sideband = true: .*; draw_min_p = 0\.0 would do, or draw_sideband = false",
        ),
        (
            {"draw_sideband": True, "ensemble": 2},
            r"draw_sideband = true with ensemble = 2: .*; draw_sideband = false would do",
        ),
        ({"draw_top_k": 0, "draw_sideband": True}, r"draw_sideband = true .*16 would do, or draw_sideband = false"),
        ({"draw_top_p": 0}, r"draw_top_p = 0: must be a number above 0, at most 1; for example 1\.0"),
        ({"draw_top_p": 1.5}, r"draw_top_p = 1\.5: must be a number above 0, at most 1; for example 1\.0"),
        ({"draw_min_p": 1.0}, r"draw_min_p = 1\.0: must be a number from 0 to below 1; for example 0\.0"),
    ],
)  # fmt: skip
def test_refusals(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        config_of(**keys)
