"""Real scores in, real results out, by the functions of `import softstream`; scalars and arrays of NumPy in every argument."""

import inspect
from typing import Any

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import KEYS, Config
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.scripts import api
from softstream.scripts.verbs.compare import compare
from softstream.sim.reference.exact import EXACT, Vectors, exact_values

FLOATS = np.random.default_rng(5).normal(0, 1.5, (12, 6))
LABELS = FLOATS.argmax(axis=1)


@pytest.mark.parametrize("mode", MODES)
def test_results_are_codes_as_real_numbers(mode: str) -> None:
    """Every code within the bound of the real number that it stands for, of the quantised scores."""
    config = Config(mode=mode, max_length=6, top_k=3)
    sideband = {"labels": LABELS[:, None]} if mode == "cross_entropy" else None
    result = softstream.run(config, FLOATS, sideband=sideband)
    scores = softstream.quantise(config, FLOATS)
    codes = softstream.golden(config, scores.codes, scores.lengths, {} if sideband is None else {"labels": LABELS})
    assert list(result) == list(codes)
    bound = (plan(config).worst_ulp or 0.0) * 2.0**-config.probability_width
    vectors = Vectors(config, scores.codes, scores.lengths, {} if sideband is None else {"labels": LABELS})
    real = {field.array for output in outputs(config) for field in output.fields if field.form}
    for name, values in result.items():
        np.testing.assert_array_equal(result.codes[name], codes[name])
        assert getattr(result, name) is values
        if name in real:
            np.testing.assert_array_equal(values, codes[name] * 2.0**-config.probability_width)
        if name in (real & EXACT.keys()) - {"one_hot"}:
            assert np.abs(values - exact_values(name, vectors)).max() <= bound + 1e-12
        if name in ("best", "score", "top_scores"):
            np.testing.assert_allclose(values, codes[name] * config.score_scale, atol=1e-12)
    if "argmax" in result:
        np.testing.assert_array_equal(result.argmax, LABELS)
        assert np.abs(result.best - FLOATS.max(axis=1)).max() <= config.score_scale / 2


def test_shapes_and_shifts_are_those_of_the_scores() -> None:
    config = Config(mode="softmax_top_k", top_k=2, max_length=3)
    floats = np.array([[[100.0, 99.0, 0.0], [-300.0, -301.0, -302.5]], [[0.5, 0.25, 0.0], [1e5, 1e5 - 1, 1e5 - 2]]])
    result = softstream.run(config, floats.transpose(2, 0, 1), axis=0)
    assert result.top_scores.shape == (2, 2, 2)
    np.testing.assert_allclose(result.top_scores, -np.sort(-floats, axis=2)[:, :, :2].transpose(2, 0, 1), atol=1 / 32)
    assert result.codes.top_scores.shape == (4, 2)
    assert result.top_indices[:, 1, 1].tolist() == [0, 1]
    short = softstream.run(config, [[8.0, 7.0, 0.0]], [1])
    assert short.top_scores.tolist() == [[pytest.approx(8.0, abs=0.07), 0.0]]


def test_scores_of_ensembles_and_groups_are_real() -> None:
    mean = softstream.run(Config(max_length=2, ensemble=2), [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert mean.best.tolist() == [1.5, 1.0]
    groups = softstream.run(Config(max_length=3, groups=[2, 3]), [[1.0, 0.0, 50.0, 2.0, 49.0]])
    np.testing.assert_allclose(groups.best, [[1.0, 50.0]])


def test_codes_in_other_steps_and_with_a_zero_point_are_real() -> None:
    config = Config(max_length=6, output_levels=255, output_zero_point=-128)
    result = softstream.run(config, FLOATS, np.full(12, 4))
    exact = np.exp(FLOATS[:, :4]) / np.exp(FLOATS[:, :4]).sum(axis=1, keepdims=True)
    assert np.abs(result.probabilities[:, :4] - exact).max() < 1.5 / 255 + config.score_scale / 4
    assert not result.probabilities[:, 4:].any()
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=4 / 255)


def test_masked_scores_go_to_the_mask() -> None:
    config = Config(max_length=3, mask=True)
    excluded = softstream.run(config, [[1.0, -np.inf, 0.0]])
    masked = softstream.run(config, np.ma.array([[1.0, 9.0, 0.0]], mask=[[False, True, False]]))
    given = softstream.run(config, [[1.0, 9.0, 0.0]], sideband={"mask": [[0, 1, 0]]})
    for result in (excluded, masked, given):
        assert result.probabilities[0, 1] == 0
        assert result.argmax.tolist() == [0]
    with pytest.raises(UserError, match="mask"):
        softstream.run(Config(max_length=3), [[1.0, 9.0, 0.0]], sideband={"mask": [[0, 1, 0]]})


def test_results_show_what_they_are() -> None:
    result = softstream.run(Config(max_length=6), FLOATS)
    assert repr(result).startswith("RunResult(probabilities float64 [12, 6], overlong bool [12], ")
    assert repr(result).endswith("; 72 floats quantised in steps of 0.0625; 0 saturated)")
    page = result._repr_html_()
    assert page.count("<svg") == 10
    assert page.count("<rect") == 60
    assert "… of 12" in page
    assert softstream.run(Config(mode="argmax", max_length=6), FLOATS)._repr_html_().count("<svg") == 0
    with pytest.raises(AttributeError, match="its arrays are probabilities, overlong, argmax, best"):
        result.probability  # noqa: B018


def test_compare_is_the_verb_without_place_and_route() -> None:
    config = Config(max_length=6)
    comparison = softstream.compare(config, FLOATS.tolist(), LABELS.tolist())
    assert comparison.to_json() == compare(config, FLOATS, LABELS, place=False).to_json()
    header, rows, _ = comparison.table()
    assert repr(comparison).splitlines()[0] == comparison.answer
    assert len(repr(comparison).splitlines()) == 2 + len(rows)
    assert all(f">{name}<" in comparison._repr_html_() for name in header)


def test_explore_without_cells() -> None:
    config, sweep = Config(max_length=6), {"score_scale": np.array([0.05, 3.0]), "probability_width": [np.int8(4), 8]}
    exploration = softstream.explore(config, sweep, FLOATS, LABELS, max_flips=20)
    assert exploration.grid.keys == ("score_scale", "probability_width")
    assert [(p.config.score_scale, p.config.probability_width) for p in exploration.points] == [
        (0.05, 4),
        (0.05, 8),
        (3.0, 4),
        (3.0, 8),
    ]
    assert [point.fidelity.flips > 0 for point in exploration.points] == [False, False, True, True]
    assert exploration.best in exploration.front
    assert exploration.answer in repr(exploration)
    assert exploration._repr_html_().count("<tr>") == 5
    with pytest.raises(UserError, match="labels without scores"):
        softstream.explore(config, sweep, labels=LABELS)


def test_explore_counts_cells_in_this_process() -> None:
    exploration = softstream.explore(
        Config(mode="argmax", max_length=4, score_width=2), {"score_width": [2]}, synthesise=True
    )
    assert [point.logic > 0 for point in exploration.points] == [True]


# NumPy's scalars and arrays -------------------------------------------------------------------------------------------


def numpy_forms(value: Any) -> list[Any]:
    """A value of a key as every type of NumPy that holds it exactly."""
    if isinstance(value, bool):
        return [np.bool_(value)]
    if isinstance(value, str):
        return [np.str_(value)]
    if isinstance(value, tuple):
        return [np.array(value or [], dtype=kind) for kind in (np.int64, np.uint8)] + [list(map(np.int16, value))]
    kinds = (
        (np.float16, np.float32, np.float64) if isinstance(value, float) else (np.int8, np.int16, np.int64, np.uint32)
    )
    limits = [None if isinstance(value, float) else np.iinfo(kind) for kind in kinds]
    return [
        kind(value)
        for kind, limit in zip(kinds, limits, strict=True)
        if (limit.min <= value <= limit.max if limit else kind(value) == value)
    ]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_takes_scalars_of_numpy(key: Any) -> None:
    base = Config(max_length=8)
    value = getattr(base, key.name)
    forms = numpy_forms(value)
    assert forms
    for form in forms:
        config = base.replace(**{key.name: form})
        assert config == base
        assert config.digest == base.digest
        assert type(getattr(config, key.name)) is type(value)


def test_functions_take_scalars_of_numpy() -> None:
    config = Config(max_length=np.int64(6), score_scale=np.float32(0.0625))
    derived = plan(Config(max_length=200, lanes=np.int8(4)))
    for cycles in (
        derived.first_output_cycle,
        derived.last_output_cycle,
        derived.best_output_cycle,
        derived.interval_cycles,
    ):
        assert cycles(np.uint8(200)) == cycles(np.int16(200)) == cycles(200)
    codes = np.arange(12, dtype=np.uint8).reshape(2, 6)
    sample = config.replace(mode="sample")
    np.testing.assert_array_equal(
        softstream.golden(sample, codes, before=np.int32(4)).sample, softstream.golden(sample, codes, before=4).sample
    )
    result = softstream.run(config, FLOATS.astype(np.float16), np.full(12, 6, dtype=np.uint8), axis=np.int8(-1))
    assert result.argmax.shape == (12,)


def test_the_public_functions_document_their_arguments() -> None:
    for function in (api.run, api.compare, api.explore):
        text = str(function.__doc__)
        for name in inspect.signature(function).parameters:
            documented = name in ("config", "lengths", "seeds") or f"`{name}`" in text
            assert documented or name.startswith(("max_", "min_", "fmax")), (function, name)


@pytest.mark.parametrize("call", ["plan", "verilog", "golden", "quantise", "best_scale", "run", "compare", "explore"])
def test_the_name_of_a_preset_is_no_configuration(call: str) -> None:
    arguments: dict[str, tuple[Any, ...]] = {"plan": (), "verilog": (), "compare": (), "explore": ({"top_k": [1]},)}
    message = r"^config = 'softmax-int8': must be a Config; softstream\.preset\('softmax-int8'\) would do$"
    with pytest.raises(softstream.UserError, match=message):
        getattr(softstream, call)("softmax-int8", *arguments.get(call, (np.zeros((2, 3)),)))
    with pytest.raises(softstream.UserError, match=r"must be a Config; softstream\.Config\(\) would do$"):
        softstream.plan(None)
    softstream.plan(softstream.preset("softmax-int8"))
