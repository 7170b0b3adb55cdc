"""The scale that auto chooses: the least mean error by a formula of its own, exact steps, outliers, and refusals."""

import json

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.cli import main
from softstream.scripts.scale import best_scale
from softstream.scripts.scores import quantise

CONFIG = Config(max_length=16)
RNG = np.random.default_rng(5)
GAUSSIAN = RNG.normal(0, 3, (300, 10))
CASES = {
    "narrow": RNG.normal(0, 0.2, (300, 10)),
    "wide": GAUSSIAN,
    "offset": RNG.normal(20, 6, (300, 10)),
    "heavy tails": RNG.standard_cauchy((300, 10)),
    "one outlier": np.vstack([GAUSSIAN[:40], [[1e8, 1e8 - 5, *[0.0] * 8]]]),
}


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def mean_error(scores, scale, temperature=1.0):
    restored = np.clip(np.rint(scores / scale), -128, 127) * scale
    return np.abs(softmax(restored / temperature) - softmax(scores / temperature)).max(axis=1).mean()


@pytest.mark.parametrize("name", CASES)
def test_no_scale_around_has_a_smaller_mean_error(name):
    scores = CASES[name]
    chosen = best_scale(CONFIG, scores)
    assert chosen.error == pytest.approx(mean_error(scores, chosen.scale), rel=1e-9)
    full = np.abs(scores).max() / 127
    for other in (full, full / 2, full / 8, *(chosen.scale * 2.0**octave for octave in (-3, -2, -1, 1, 2, 3))):
        assert chosen.error <= mean_error(scores, other) * 1.02 + 1e-12, other


def test_an_outlier_does_not_flatten_the_others():
    scores = CASES["one outlier"]
    chosen = best_scale(CONFIG, scores)
    assert chosen.scale < 0.2
    result = quantise(CONFIG.replace(score_scale=chosen.scale), scores)
    assert (result.codes.argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.9
    assert result.codes[-1].argmax() == 0


def test_the_temperature_is_that_of_the_configuration():
    sharp, flat = (best_scale(CONFIG.replace(temperature=t), GAUSSIAN) for t in (0.25, 4.0))
    assert sharp.error == pytest.approx(mean_error(GAUSSIAN, sharp.scale, 0.25), rel=1e-9)
    assert flat.error < sharp.error


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scores_of_a_dequantised_file_get_their_own_step(dtype):
    codes = RNG.integers(-128, 128, (200, 10))
    chosen = best_scale(CONFIG, (codes * np.float64(0.1467)).astype(dtype))
    assert chosen.scale == 0.1467
    np.testing.assert_array_equal(quantise(CONFIG.replace(score_scale=0.1467), codes * 0.1467).codes, codes)


def test_an_unsigned_format_is_measured_behind_a_shift():
    unsigned = CONFIG.replace(score_signed=False)
    scores = GAUSSIAN - 30
    chosen = best_scale(unsigned, scores)
    assert chosen.error < 0.02
    result = quantise(unsigned.replace(score_scale=chosen.scale), scores)
    assert (result.codes.argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.97


def test_the_zero_point_and_the_smallest_scores_count():
    scores = np.abs(GAUSSIAN)
    chosen = best_scale(CONFIG.replace(score_zero_point=-100), scores)
    restored = (np.clip(np.rint(scores / chosen.scale) - 100, -128, 127) + 100) * chosen.scale
    assert chosen.error == pytest.approx(np.abs(softmax(restored) - softmax(scores)).max(axis=1).mean(), rel=1e-9)
    assert chosen.scale < best_scale(CONFIG, scores).scale
    assert best_scale(CONFIG.replace(select="smallest"), -scores).error == pytest.approx(
        best_scale(CONFIG, scores).error, rel=0.1
    )


def test_scores_of_a_sign_without_codes_are_measured_behind_a_shift():
    config = CONFIG.replace(score_zero_point=127)
    chosen = best_scale(config, GAUSSIAN + 9)
    assert chosen.error < 0.02
    result = quantise(config.replace(score_scale=chosen.scale), GAUSSIAN + 9)
    assert (result.codes.argmax(axis=1) == GAUSSIAN.argmax(axis=1)).mean() > 0.97


@pytest.mark.parametrize("mode", ["exponential", "sigmoid"])
def test_the_chosen_scale_is_not_refused_afterwards(mode):
    config = CONFIG.replace(mode=mode)
    for scores in (CASES["wide"], CASES["heavy tails"]):
        chosen = best_scale(config, scores)
        assert quantise(config.replace(score_scale=chosen.scale), scores).saturated_winners == 0


def test_scales_that_the_mode_refuses_are_left_out():
    assert best_scale(CONFIG.replace(mode="sample"), np.array([[1e6, 0.0]])).scale <= 16
    with pytest.raises(UserError, match="the scores would span"):
        best_scale(CONFIG.replace(mode="log_softmax"), np.array([[1e300, -1e300]]))


@pytest.mark.parametrize(
    "scores", [np.zeros((3, 4)), np.array([[5.0]]), np.array([[1.0, -np.inf], [-np.inf, -np.inf]])]
)
def test_scores_without_a_difference_have_a_scale(scores):
    config = CONFIG.replace(mask=True)
    chosen = best_scale(config, scores)
    assert (chosen.error, chosen.saturated) == (0, 0)
    quantise(config.replace(score_scale=chosen.scale), scores)


def test_integers_have_no_scale_of_their_own():
    with pytest.raises(UserError) as caught:
        best_scale(CONFIG, np.array([[1, 2]]))
    assert str(caught.value) == (
        "score_scale = auto: scores holds integer codes, whose scale is that of their quantiser; must be floats; for example "
        "--set score_scale=0.0625"
    )


# On the command line


def called(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return ended.value.code or 0, output.out, output.err


def test_the_command_line_chooses_shows_and_uses_the_scale(capsys, tmp_path):
    np.save(tmp_path / "scores.npy", GAUSSIAN)
    arguments = ["run", "--set", "score_scale=auto", "--scores", tmp_path / "scores.npy", "-o", tmp_path / "r.npz"]
    chosen = best_scale(CONFIG, GAUSSIAN)
    code, out, err = called(capsys, *arguments)
    assert (code, out.splitlines()[1][:40]) == (0, chosen.text[:40])
    assert f"floats quantised in steps of {chosen.scale}; " in err
    code, out, _ = called(capsys, *arguments, "--json")
    assert (code, json.loads(out)["config"]["score_scale"]) == (0, chosen.scale)
    (tmp_path / "c.toml").write_text('score_scale = "auto"\n')
    assert called(capsys, "run", tmp_path / "c.toml", *arguments[3:], "--quiet") == (0, "", "")


@pytest.mark.parametrize("verb", ["describe", "simulate", "compare"])
def test_without_scores_there_is_nothing_to_choose_from(capsys, verb):
    code, out, err = called(capsys, verb, "--set", "score_scale=auto")
    assert (code, out) == (2, "")
    assert err == (
        "error: score_scale = auto: is chosen from float scores, and there are none; for example softstream run "
        "--scores F.npy, or --set score_scale=0.0625\n"
    )
