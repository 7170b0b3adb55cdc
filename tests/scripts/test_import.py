"""`softstream import`: what a model says, what no key says, the scores in front of the head, and one-line refusals."""

import json
import tomllib

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import Config, load_toml
from softstream.scripts.cli import main
from softstream.sim.data import CLASSIFIER, CLASSIFIER_DESCRIPTION, DIGITS_NETWORK
from softstream.sim.golden import golden

onnx = pytest.importorskip("onnx", reason="the extra [onnx] is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")


DESCRIPTION = tomllib.loads(CLASSIFIER_DESCRIPTION.read_text(encoding="utf-8"))


@pytest.fixture
def cli(capsys):
    """Runs the command in this process: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


# The classifier of the digits ----------------------------------------------------------------------------------------


def test_the_classifier_becomes_its_configuration(cli, tmp_path):
    code, out, _ = cli("import", CLASSIFIER, "-o", tmp_path / "config.toml")
    assert code == 0
    config = Config(**load_toml(tmp_path / "config.toml"))
    assert (config.mode, config.max_length) == ("softmax", 10)
    assert (config.score_width, config.score_signed) == (8, True)
    assert config.score_scale == DESCRIPTION["score_scale"]
    assert (config.probability_width, config.probability_format) == (8, "UQ0")
    assert f"zero point {DESCRIPTION['score_zero_point']}" in out
    assert "next: softstream describe" in out


def test_the_scores_of_the_classifier_are_those_of_its_graph(cli, tmp_path):
    code, out, _ = cli("import", CLASSIFIER, "--calibrate", DIGITS_NETWORK, "-o", tmp_path / "head")
    assert code == 0
    assert f"softstream compare {tmp_path}/head/config.toml --scores {tmp_path}/head/scores.npy" in out
    scores = np.load(tmp_path / "head" / "scores.npy")
    assert (scores.dtype, scores.shape) == (np.int8, (600, 10))
    model = onnx.load(CLASSIFIER)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("scores"))
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with np.load(DIGITS_NETWORK) as file:
        pixels, labels = file["pixels"], file["labels"]
    probabilities, codes = session.run(["probabilities", "scores"], {"pixels": pixels})
    assert np.array_equal(scores, codes)
    config = Config(**load_toml(tmp_path / "head" / "config.toml"))
    result = golden(config, scores)
    assert np.array_equal(result["argmax"], scores.argmax(axis=1))
    # Both round the same exact values: half a step each, and what the head's bound adds.
    apart = np.abs(result["probabilities"] - probabilities.astype(int)).max()
    assert apart <= 1
    assert abs((result["argmax"] == labels).mean() - DESCRIPTION["accuracy_float"]) < 0.01


def test_one_command_goes_from_a_model_and_inputs_to_the_comparison(cli, tmp_path):
    words = ("import", CLASSIFIER, "--calibrate", DIGITS_NETWORK, "-o", tmp_path / "head", "--compare", "--no-place")
    code, out, _ = cli(*words, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["config"]["score_scale"] == DESCRIPTION["score_scale"]
    assert document["data"]["vectors"] == 600
    assert {path.name for path in (tmp_path / "head").iterdir()} == {"config.toml", "scores.npy", "report.html"}


@pytest.mark.long
def test_the_script_makes_this_classifier():
    pytest.importorskip("sklearn")
    from softstream.scripts.training.classifier import graph, train

    classifier = train()
    assert classifier.score_scale == pytest.approx(DESCRIPTION["score_scale"], rel=1e-4)
    assert classifier.score_zero_point == DESCRIPTION["score_zero_point"]
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(CLASSIFIER).graph.initializer}
    # Another linear algebra library may move a weight across a rounding edge: by one step, and hardly ever.
    difference = np.abs(classifier.weights.astype(int) - stored["weights"])
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 6
    onnx.checker.check_model(graph(classifier), full_check=True)


# What the graph says -------------------------------------------------------------------------------------------------


def test_python_has_the_import():
    head = softstream.import_onnx(CLASSIFIER)
    assert isinstance(head, softstream.Imported)
    assert head.config.score_scale == DESCRIPTION["score_scale"]
    assert head.scores is None
