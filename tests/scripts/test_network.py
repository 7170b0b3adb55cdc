"""The network with softmax inside: its script reproduces its data, and a plain computation gives the same decisions."""

import json
import math
import tomllib

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError
from softstream.scripts.cli import main
from softstream.scripts.verbs import network as module
from softstream.scripts.verbs.network import evaluate, heads
from softstream.sim.data import DIGITS_NETWORK, NETWORK_DESCRIPTION
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64

BASE = preset("digits-softmax")
DESCRIPTION = tomllib.loads(NETWORK_DESCRIPTION.read_text(encoding="utf-8"))
with np.load(DIGITS_NETWORK, allow_pickle=False) as _file:
    STORED = {name: _file[name] for name in _file.files}


def test_the_script_makes_this_data():
    pytest.importorskip("sklearn")
    from softstream.scripts.training.network import train

    trained_network = train()
    for name, array in trained_network.weights.items():
        # Another linear algebra library rounds otherwise: by far less than a tenth of an int8 step.
        assert np.abs(array - STORED[name]).max() < np.abs(array).max() / 127 / 10
    assert (trained_network.pixels == STORED["pixels"]).all()
    assert (trained_network.labels == STORED["labels"]).all()
    described = (DESCRIPTION["hidden_scale"], DESCRIPTION["output_scale"], DESCRIPTION["accuracy_float"])
    assert (trained_network.hidden_scale, trained_network.output_scale, round(trained_network.accuracy, 6)) == described


def test_the_data_are_small_and_as_described():
    assert DIGITS_NETWORK.stat().st_size < 100_000
    assert STORED["pixels"].shape == (DESCRIPTION["held_out"], 64)
    assert STORED["pixels"].max() == 16
    assert {name: STORED[name].shape for name in ("w1", "b1", "w2", "b2")} == {
        "w1": (64, 64),
        "b1": (64,),
        "w2": (64, 10),
        "b2": (10,),
    }


def test_the_documented_decisions():
    """The counts come from integers, so every machine gives the same; the README's table states them too."""
    evaluation = evaluate(BASE)
    assert evaluation.counts() == {"differing_float": 3, "differing_int8": 0, "proved": 594}
    assert (
        evaluation.accuracy(evaluation.by_float)
        == evaluation.accuracy(evaluation.by_int8)
        == evaluation.accuracy(evaluation.by_hardware)
        == 584 / 600
    )
    assert round(evaluation.accuracy(evaluation.by_float), 6) == DESCRIPTION["accuracy_float"]
    assert [layer.saturated for layer in evaluation.layers] == [0, 0]


def softmax(scores: list[float]) -> list[float]:
    weights = [math.exp(x - max(scores)) for x in scores]
    return [weight / math.fsum(weights) for weight in weights]


def first_largest(values: list[float]) -> int:
    return values.index(max(values))


def rounded(weights: np.ndarray, step: float) -> list[list[int]]:
    return [[round(float(value) / step) for value in row] for row in weights]


def test_float_and_hardware_by_a_plain_computation():
    evaluation = evaluate(BASE)
    hidden_head, output_head = heads(BASE)
    w1, b1, w2, b2 = (STORED[name].astype(float) for name in ("w1", "b1", "w2", "b2"))
    steps = (np.abs(w1).max() / 127 / 16, np.abs(w2).max() / 127 / 256)
    q1, q2 = rounded(w1, steps[0] * 16), rounded(w2, steps[1] * 256)
    c1, c2 = ([round(value / step) for value in bias] for bias, step in zip((b1, b2), steps, strict=True))
    for row in range(0, 600, 12):
        pixels = [int(value) for value in STORED["pixels"][row]]
        hidden = [b1[j] + sum(x / 16 * w1[i, j] for i, x in enumerate(pixels)) for j in range(64)]
        p = [value for start in range(0, 64, 8) for value in softmax(hidden[start : start + 8])]
        assert (
            first_largest([b2[j] + sum(x * w2[i, j] for i, x in enumerate(p)) for j in range(10)])
            == evaluation.by_float[row]
        )

        sums = [c1[j] + sum(x * q1[i][j] for i, x in enumerate(pixels)) for j in range(64)]
        scores = np.array([round(value * steps[0] / hidden_head.score_scale) for value in sums])
        vectors = hidden_head.replace(groups=[])  # what groups are, by definition
        codes = golden(vectors, scores.reshape(8, 8))["probabilities"].ravel().tolist()
        sums = [c2[j] + sum(x * q2[i][j] for i, x in enumerate(codes)) for j in range(10)]
        assert (
            first_largest([round(value * steps[1] / output_head.score_scale) for value in sums])
            == evaluation.by_hardware[row]
        )


@pytest.mark.parametrize("width", [3, 4, 8])
def test_proved_decisions_hold_for_the_largest_error_that_the_bound_allows(monkeypatch, width):
    """Every hidden code moved as far as its bound goes, towards the runner-up and away from the best."""
    config = BASE.replace(probability_width=width, normaliser="logarithm")
    honest = evaluate(config)
    assert (honest.by_hardware == honest.by_int8)[~honest.close].all()
    hidden_head, _ = heads(config)
    rng = np.random.default_rng(width)

    def moved(head: Config, codes: np.ndarray, engine: str) -> np.ndarray:
        exact = softmax_float64(head, codes) * 2.0**width
        if head != hidden_head:
            return np.rint(exact)
        worst = honest.layers[0].worst_ulp
        step = np.abs(STORED["w2"]).max() / 127
        weights = np.rint(STORED["w2"] / step)
        scores = exact @ weights + np.rint(STORED["b2"] / (step / 2**width))
        order = np.argsort(-scores, axis=1)
        best, other = order[:, 0], order[np.arange(600), rng.integers(1, 4, 600)]
        harm = weights.T[other] - weights.T[best]
        return np.where(harm > 0, np.floor(exact + worst), np.ceil(exact - worst))

    monkeypatch.setattr(module, "_answered", moved)
    attacked = evaluate(config)
    assert attacked.layers[0].largest_ulp <= attacked.layers[0].worst_ulp + 1e-9
    assert (attacked.by_hardware == attacked.by_int8)[~attacked.close].all()
    if width < 8:  # and the attack is one: among the others it changes many
        assert np.count_nonzero(attacked.by_hardware != attacked.by_int8) > honest.counts()["differing_int8"] + 5


def test_every_head_is_the_configuration_at_the_scale_of_its_scores():
    hidden, output = heads(BASE.replace(normaliser="reciprocal", probability_width=10))
    assert (hidden.groups, hidden.score_scale) == ((8,), DESCRIPTION["hidden_scale"])
    assert (output.max_length, output.score_scale) == (10, DESCRIPTION["output_scale"])
    assert {hidden.normaliser, output.normaliser} == {"reciprocal"}
    assert {hidden.probability_width, output.probability_width} == {10}


@pytest.mark.parametrize("change", [{"mode": "argmax"}, {"mask": True}])
def test_heads_other_than_a_softmax_of_all_scores_are_refused(change):
    with pytest.raises(UserError, match="the network's layers are softmax of all their scores; mode = 'softmax'"):
        heads(BASE.replace(**change))


def test_the_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["network", "--json", "--set", "probability_width=4"])
    report = json.loads(capsys.readouterr().out)
    assert not ended.value.code
    evaluation = evaluate(BASE.replace(probability_width=4))
    assert report["differing_float"] == evaluation.counts()["differing_float"] > 0
    assert report["hardware_accuracy"] == evaluation.accuracy(evaluation.by_hardware)
    with pytest.raises(SystemExit):
        main(["network"])
    assert "0 of 600" in capsys.readouterr().out


def test_the_simulated_verilog_is_asked_and_held_against_the_model(monkeypatch):
    asked = []

    def answers(config, codes):
        asked.append((config, codes.shape))
        return golden(config, codes)

    monkeypatch.setattr("softstream.sim.simulators.runner.run_rtl", answers)
    evaluate(BASE, "rtl")
    assert asked == [(heads(BASE)[0], (600, 64)), (heads(BASE)[1], (600, 10))]
