"""`softstream import`: what a model says, what no key says, the scores in front of the head, and one-line refusals."""

import importlib
import json
import shlex
import sys
import tomllib

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import Config, load_toml
from softstream.hw.errors import ToolFailure, UserError
from softstream.scripts.scale import best_scale
from softstream.sim.data import CLASSIFIER, CLASSIFIER_DESCRIPTION, DIGITS_NETWORK
from softstream.sim.golden import golden

onnx = pytest.importorskip("onnx", reason="the extra [onnx] is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")

from support.onnx_models import node, saved  # noqa: E402, behind the skip

DESCRIPTION = tomllib.loads(CLASSIFIER_DESCRIPTION.read_text(encoding="utf-8"))


@pytest.fixture
def save(tmp_path):
    """Saves a model with the given nodes, shape and constants, and gives its path."""
    return lambda *arguments, **options: saved(tmp_path / "model.onnx", *arguments, **options)


# The classifier of the digits ----------------------------------------------------------------------------------------


def test_the_classifier_becomes_its_configuration(cli, tmp_path):
    code, out, err = cli("import", CLASSIFIER, "-o", tmp_path / "config.toml")
    assert (code, err) == (0, "")
    config = Config(**load_toml(tmp_path / "config.toml"))
    assert (config.mode, config.max_length) == ("softmax", 10)
    assert (config.score_width, config.score_signed) == (8, True)
    assert config.score_scale == DESCRIPTION["score_scale"]
    assert config.score_zero_point == DESCRIPTION["score_zero_point"]
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
    words = ("import", CLASSIFIER, "--calibrate", DIGITS_NETWORK, "--labels", f"{DIGITS_NETWORK}:labels", "--compare")
    code, out, _ = cli(*words, "--no-place", "-o", tmp_path / "head", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["config"]["score_scale"] == DESCRIPTION["score_scale"]
    assert document["data"]["vectors"] == 600
    assert document["data"]["labelled"]
    assert {path.name for path in (tmp_path / "head").iterdir()} == {"config.toml", "scores.npy", "report.html"}


@pytest.mark.parametrize(
    ("operator", "title"),
    [("LogSoftmax", "log_softmax"), ("Hardmax", "hardmax"), ("Sigmoid", "sigmoid"), ("TopK", "top_k")],
)
def test_the_command_that_is_printed_compares(cli, save, tmp_path, operator, title):
    more = {"k": np.int64([2])} if operator == "TopK" else {}
    path = save([node(operator, ["x", *more], ["p", *(["i"] if more else [])])], ["v", 4], more)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 4)).astype("f4"))
    code, out, err = cli("import", path, "--calibrate", tmp_path / "x.npy", "-o", tmp_path / "head", "--json")
    assert (code, err) == (0, "")
    words = shlex.split(json.loads(out)["compare"])
    assert words[:2] == ["softstream", "compare"]
    code, out, err = cli(*words[1:], "--no-place", "--json")
    assert code == 0, err
    assert [member["member"] for member in json.loads(out)["members"]] == ["argmax", title]


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


def test_the_classifier_is_read_in_python_without_a_run():
    head = softstream.import_onnx(CLASSIFIER)
    assert isinstance(head, softstream.Imported)
    assert head.scores is None
    assert [fact.name for fact in head.facts] == ["node", "axis", "scores", "results"]
    assert head.keys == {key: value for fact in head.facts for key, value in fact.keys.items()}


def test_the_head_is_a_table_in_a_notebook(save):
    head = softstream.import_onnx(save([SOFTMAX], [1, 4]))
    for text in (repr(head), head._repr_html_()):
        assert "Imported: Softmax head of model.onnx" in text
        assert "max_length=4" in text
        assert "not expressed" in text
        assert "score_scale stays 0.0625" in text
    assert head._repr_html_().startswith("<table>")


SOFTMAX = node("Softmax", ["x"], ["p"], name="head")


def linear(operator, tensor, result, quantity):
    return node(operator, [tensor, f"{quantity}_scale", f"{quantity}_zero"], [result], name=result)


def constants(quantity, scale, zero):
    return {f"{quantity}_scale": np.float32(scale), f"{quantity}_zero": zero}


def dequantised(*middle, last="d", scale=0.05, zero=0, kind="int8", shape=(1, 4), extra=None):
    """A DequantizeLinear, nodes behind it, and a Softmax: arguments of `save`."""
    nodes = [linear("DequantizeLinear", "x", "d", "x"), *middle, node("Softmax", [last], ["p"], name="head")]
    values = {**constants("x", scale, np.dtype(kind).type(zero)), **(extra or {})}
    return (nodes, list(shape), values), {"kind": kind}


@pytest.mark.parametrize(
    ("kind", "width", "signed"),
    [("int8", 8, True), ("uint8", 8, False), ("int16", 16, True), ("uint16", 16, False)],
)
def test_codes_keep_their_format(save, kind, width, signed):
    arguments, options = dequantised(kind=kind, scale=2**-10)
    config = softstream.import_onnx(save(*arguments, opset=21, **options)).config
    assert (config.score_width, config.score_signed, config.score_scale) == (width, signed, 2**-10)


@pytest.mark.parametrize(("kind", "low", "high"), [("int8", -128, 127), ("uint8", 0, 255)])
@pytest.mark.parametrize("zero", [0, 3, 101])
def test_quantised_scores_are_the_codes_of_the_graph(save, kind, low, high, zero):
    """Whatever scale and zero point: the scores in front of the node are real numbers, and their codes come back exactly."""
    rng = np.random.default_rng(zero)
    codes = rng.integers(low, high + 1, (50, 7)).astype(kind)
    for scale in rng.uniform(0.001, 0.3, 3):
        arguments, options = dequantised(kind=kind, scale=scale, zero=zero, shape=("v", 7))
        head = softstream.import_onnx(save(*arguments, **options), calibrate=codes)
        assert np.array_equal(head.scores, codes)


def test_a_quantiser_counts_through_reshapes_and_products(save):
    middle = [
        node("Reshape", ["d", "shape"], ["r"]),
        node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
        node("Mul", ["factor", "t"], ["m"]),
        node("Div", ["m", "divisor"], ["q"]),
    ]
    extra = {"shape": np.int64([2, 3, 4]), "factor": np.float32(3), "divisor": np.float32([1.5])}
    arguments, options = dequantised(*middle, last="q", scale=0.25, shape=(2, 12), extra=extra)
    codes = np.arange(24, dtype=np.int8).reshape(2, 12)
    head = softstream.import_onnx(save(*arguments, **options), calibrate=codes)
    assert head.config.score_scale == 0.5
    assert head.config.max_length == 3
    assert np.array_equal(head.scores, codes.reshape(2, 3, 4).transpose(0, 2, 1).reshape(-1, 3))


def test_codes_behind_a_cast_have_the_scale_of_a_product(save):
    nodes = [node("Cast", ["x"], ["c"], to=1), node("Mul", ["c", "s"], ["m"]), node("Softmax", ["m"], ["p"])]
    head = softstream.import_onnx(save(nodes, [1, 4], {"s": np.float32(0.125)}, kind="int8"))
    assert (head.config.score_scale, head.config.score_width) == (0.125, 8)
    assert head.unexpressed == ()


@pytest.mark.parametrize(
    ("scale", "reason"),
    [
        (np.float32([0.1, 0.2, 0.3, 0.4]), "the scale or the zero point of 'd' is one for each channel"),
        (np.float32(-0.1), "the scale of 'd' is -0.1, and must be above 0"),
    ],
)
def test_a_quantiser_that_a_head_cannot_follow_is_named(save, scale, reason):
    zero = np.zeros(scale.shape, np.int8)
    nodes = [node("DequantizeLinear", ["x", "s", "z"], ["d"], name="d", axis=1), node("Softmax", ["d"], ["p"])]
    path = save(nodes, [1, 4], {"s": scale, "z": zero}, kind="int8")
    head = softstream.import_onnx(path)
    assert any(reason in sentence for sentence in head.unexpressed)
    real = softstream.import_onnx(path, calibrate=np.int8([[1, 2, 3, -4]]))
    assert np.allclose(real.scores, np.float32([[1, 2, 3, -4]]) * scale)


def test_channels_of_the_same_scale_are_one_scale(save):
    nodes = [node("DequantizeLinear", ["x", "s", "z"], ["d"], axis=1), node("Softmax", ["d"], ["p"])]
    path = save(nodes, [1, 4], {"s": np.full(4, 0.25, np.float32), "z": np.zeros(4, np.int8)}, kind="int8")
    assert softstream.import_onnx(path).config.score_scale == 0.25


@pytest.mark.parametrize(
    ("scale", "zero", "keys"),
    [
        (1 / 256, np.uint8(0), {"probability_width": 8, "probability_format": "UQ0"}),
        (1 / 128, np.int8(0), {"probability_width": 7, "probability_format": "UQ0"}),
        (1 / 64, np.uint8(0), {"probability_width": 6, "probability_format": "UQ1"}),
        (2.0**-15, np.int16(0), {"probability_width": 15, "probability_format": "UQ0"}),
        (1 / 256, np.int8(-128), {"probability_width": 8, "probability_format": "UQ0", "output_zero_point": -128}),
        (1 / 255, np.uint8(0), {"probability_width": 8, "output_levels": 255}),
        (1 / 255, np.int8(-128), {"probability_width": 8, "output_levels": 255, "output_zero_point": -128}),
        (1 / 127, np.int8(0), {"probability_width": 7, "output_levels": 127}),
        (1 / 100, np.uint8(28), {"probability_width": 7, "output_levels": 100, "output_zero_point": 28}),
    ],
)
def test_results_keep_their_step(save, scale, zero, keys):
    nodes = [SOFTMAX, linear("QuantizeLinear", "p", "y", "y")]
    inputs = (np.random.default_rng(0).integers(-80, 81, (100, 4)) * 0.0625).astype(np.float32)
    path = save(nodes, ["v", 4], constants("y", scale, zero), opset=21)
    head = softstream.import_onnx(path, calibrate=inputs, score_scale=0.0625)
    assert {key: head.keys[key] for key in keys} == keys
    assert head.unexpressed == ()
    [results] = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": inputs})
    codes = golden(head.config, softstream.quantise(head.config, inputs).codes)["probabilities"]
    # The scores are multiples of the scale, so both round the same values: whole steps apart, and less than two.
    assert softstream.plan(head.config).worst_ulp <= 1
    assert np.abs(codes - results.astype(int)).max() <= 1


@pytest.mark.parametrize(("scale", "zero"), [(0.0037, np.uint8(0)), (1 / 300, np.uint8(0)), (1 / 256, np.uint8(128))])
def test_results_of_another_step_are_not_expressed(save, scale, zero):
    nodes = [SOFTMAX, linear("QuantizeLinear", "p", "y", "y")]
    head = softstream.import_onnx(save(nodes, [1, 4], constants("y", scale, zero)), score_scale=0.1)
    [sentence] = head.unexpressed
    assert sentence.endswith(
        "a step must be 1/L for an integer L, and hold the probabilities; the head keeps its own format"
    )
    assert "probability_width" not in head.keys


@pytest.mark.parametrize(
    ("opset", "attributes", "length"),
    [
        (11, {}, 30),
        (12, {"axis": 2}, 3),
        (12, {"axis": 0}, 120),
        (12, {"axis": -1}, 3),
        (13, {}, 3),
        (13, {"axis": 1}, 10),
    ],
)
@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
def test_vectors_are_those_of_the_opset(save, operator, opset, attributes, length):
    """Below opset 13 the axes from `axis` on are one vector: the head decides as onnxruntime does."""
    path = save([node(operator, ["x"], ["p"], **attributes)], [4, 10, 3], opset=opset)
    inputs = np.random.default_rng(opset).normal(size=(4, 10, 3)).astype(np.float32)
    head = softstream.import_onnx(path, calibrate=inputs, score_width=16)
    assert head.config.max_length == length
    assert head.scores.shape == (120 // length, length)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [results] = session.run(None, {"x": inputs})
    codes = softstream.quantise(head.config, head.scores).codes
    decisions = golden(head.config.replace(mode="argmax"), codes)["argmax"]
    assert np.array_equal(decisions, head.vectors(results).argmax(axis=1))


def quant(bits, *, signed, narrow, rounding="ROUND", scale=0.25, zero=0.0):
    """A QONNX Quant of x and its constants; `bits` as exporters write it, a real number."""
    values = {"scale": np.float32(scale), "zero": np.float32(zero), "bits": np.float32(bits)}
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": rounding, "domain": "qonnx.custom_op.general"}
    return node("Quant", ["x", *values], ["d"], name="quant", **attributes), values


@pytest.mark.parametrize(("bits", "signed", "narrow"), [(4, 1, 0), (4, 1, 1), (6, 0, 0), (5, 0, 1), (8, 1, 0)])
@pytest.mark.parametrize("rounding", ["ROUND", "FLOOR"])
def test_quant_of_qonnx_gives_its_codes(save, bits, signed, narrow, rounding):
    """The formula of QONNX, clip before rounding, in NumPy; the scores run through standard operators in its place."""
    operator, values = quant(bits, signed=signed, narrow=narrow, rounding=rounding)
    path = save([operator, node("Softmax", ["d"], ["p"], name="head")], ["v", 9], values)
    inputs = np.random.default_rng(bits).normal(scale=20, size=(40, 9)).astype(np.float32)
    head = softstream.import_onnx(path, calibrate=inputs)
    assert (head.config.score_width, head.config.score_signed) == (bits, bool(signed))
    assert (head.config.score_scale, head.config.max_length) == (0.25, 9)
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    rounded = {"ROUND": np.round, "FLOOR": np.floor}[rounding](np.clip(inputs / 0.25, low, high))
    assert np.array_equal(head.scores, rounded)
    assert {rounded.min(), rounded.max()} == {low, high}


def test_quant_that_no_head_follows_is_named(save):
    for options, reason in (
        ({"bits": 4, "zero": 0.5}, "zero point 0.5, width 4 and scale 0.25 of 'quant' must be integers and above 0"),
        ({"bits": 1}, "the codes of 'quant' have 1 bit, and a head takes 2 at least"),
    ):
        operator, values = quant(signed=1, narrow=0, **options)
        head = softstream.import_onnx(save([operator, node("Softmax", ["d"], ["p"])], ["v", 9], values))
        assert head.unexpressed[0].startswith(reason)


def quantised_softmax(save, scale, zero, **attributes):
    inputs = ["x", "x_scale", "x_zero", "y_scale", "y_zero"]
    operator = node("QLinearSoftmax", inputs, ["y"], name="head", domain="com.microsoft", **attributes)
    values = {**constants("x", scale, np.uint8(zero)), **constants("y", 1 / 256, np.uint8(0))}
    return save([operator], [6, 10, 3], values, kind="uint8")


@pytest.mark.parametrize(("opset", "axis", "length"), [(13, -1, 3), (13, 1, 10), (11, 1, 30)])
@pytest.mark.parametrize(("scale", "zero"), [(0.05, 7), (0.0371, 200)])
def test_the_quantised_softmax_of_onnxruntime_is_a_head(save, opset, axis, length, scale, zero):
    path = quantised_softmax(save, scale, zero, opset=opset, axis=axis)
    inputs = np.random.default_rng(1).integers(0, 256, (6, 10, 3)).astype(np.uint8)
    head = softstream.import_onnx(path, calibrate=inputs)
    assert head.config.max_length == length
    assert (head.config.score_signed, head.config.score_scale) == (False, float(np.float32(scale)))
    assert np.array_equal(head.scores, head.vectors(inputs))
    [results] = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": inputs})
    codes = golden(head.config, head.scores)["probabilities"]
    # Both round the same value: the head within its bound below 1 step, onnxruntime to the nearest, whole steps apart.
    assert softstream.plan(head.config).bound_ulp < 0.63
    assert np.abs(codes - head.vectors(results).astype(int)).max() <= 1


@pytest.mark.parametrize("linear_operator", [True, False])
@pytest.mark.parametrize(
    ("kind", "zero", "step", "base"),
    [("int8", 5, 1 / 256, np.int8(-128)), ("uint8", 128, 1 / 255, np.uint8(0)), ("uint8", 31, 1 / 200, np.uint8(40))],
)
def test_the_zero_point_reaches_the_sigmoid(save, kind, zero, step, base, linear_operator):
    """Every code through a quantised sigmoid, in the standard's operators and in onnxruntime's own."""
    number = np.dtype(kind).type(zero)
    values = {**constants("x", 0.04, number), **constants("y", step, base)}
    nodes = [
        linear("DequantizeLinear", "x", "d", "x"),
        node("Sigmoid", ["d"], ["p"]),
        linear("QuantizeLinear", "p", "y", "y"),
    ]
    if linear_operator:
        inputs = ["x", "x_scale", "x_zero", "y_scale", "y_zero"]
        nodes = [node("QLinearSigmoid", inputs, ["y"], domain="com.microsoft")]
    path = save(nodes, ["v", 16], values, kind=kind)
    codes = np.arange(np.iinfo(kind).min, np.iinfo(kind).max + 1).astype(kind).reshape(16, 16)
    head = softstream.import_onnx(path, calibrate=codes)
    assert head.unexpressed == ()
    assert (head.config.mode, head.config.score_zero_point) == ("sigmoid", zero)
    assert np.array_equal(head.scores, codes)
    [results] = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": codes})
    assert np.abs(golden(head.config, head.scores)["probabilities"] - results.astype(int)).max() <= 1


def test_a_softmax_and_what_ranks_its_results_are_one_head(save):
    top = node("TopK", ["p", "k"], ["values", "indices"], name="top")
    path = save([SOFTMAX, top], ["v", 10], {"k": np.int64([3])})
    for name in (None, "top"):
        config = softstream.import_onnx(path, name, score_scale=0.1).config
        assert (config.mode, config.top_k) == ("softmax_top_k", 3)
    assert softstream.import_onnx(path, "head", score_scale=0.1).config.mode == "softmax"
    path = save([SOFTMAX, node("ArgMax", ["p"], ["index"], name="arg", axis=-1)], ["v", 10])
    assert softstream.import_onnx(path, score_scale=0.1).config.mode == "softmax"
    decision = softstream.import_onnx(path, "arg", calibrate=np.eye(10, dtype=np.float32))
    assert decision.config.mode == "argmax"
    assert np.array_equal(decision.scores, np.eye(10))
    # Along another axis it is another thing.
    path = save([SOFTMAX, node("ArgMax", ["p"], ["index"], name="arg", axis=0)], ["v", 10])
    with pytest.raises(UserError, match=r"2 nodes could become a head, head \(Softmax\), arg \(ArgMax\); name one"):
        softstream.import_onnx(path)


def test_scores_without_a_quantiser_decide_on_the_scale(save):
    path = save([SOFTMAX], ["v", 5])
    inputs = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    head = softstream.import_onnx(path, calibrate=inputs, score_scale="auto")
    assert head.config.score_scale == best_scale(head.config, inputs).scale
    assert head.keys["score_scale"] == head.config.score_scale
    assert head.unexpressed == ()
    with pytest.raises(
        UserError, match=r"score_scale = auto: is chosen from the scores .*; for example --calibrate X.npy"
    ):
        softstream.import_onnx(path, score_scale="auto")
    assert "score_scale stays 0.0625, and the probabilities depend on it" in softstream.import_onnx(path).unexpressed[0]


def test_scores_of_minus_infinity_go_to_the_mask(save):
    inputs = np.float32([[1, -np.inf, 2], [0, 0, -np.inf]])
    head = softstream.import_onnx(save([SOFTMAX], ["v", 3]), calibrate=inputs)
    assert head.config.mask
    assert np.array_equal(head.scores, inputs)
    assert np.array_equal(softstream.quantise(head.config, head.scores).mask, np.isinf(inputs))


@pytest.mark.parametrize(
    ("operator", "attributes", "keys"),
    [
        ("ArgMax", {"axis": 1}, {"mode": "argmax", "select": "largest", "tie": "first"}),
        ("ArgMax", {"axis": 1, "select_last_index": 1}, {"mode": "argmax", "select": "largest", "tie": "last"}),
        ("ArgMin", {"axis": 1}, {"mode": "argmax", "select": "smallest", "tie": "first"}),
        ("ArgMin", {"axis": 1, "select_last_index": 1}, {"mode": "argmax", "select": "smallest", "tie": "last"}),
        ("TopK", {}, {"mode": "top_k", "top_k": 2, "select": "largest", "tie": "first"}),
        ("TopK", {"largest": 0, "sorted": 0}, {"mode": "top_k", "top_k": 2, "select": "smallest", "tie": "first"}),
    ],
)
def test_the_order_is_that_of_the_attributes(save, operator, attributes, keys):
    """Also as onnxruntime decides, on scores with many ties."""
    more, results = ({"k": np.int64([2])}, ["v", "i"]) if operator == "TopK" else ({}, ["i"])
    path = save([node(operator, ["x", *more], results, **attributes)], ["v", 9], more, kind="int32")
    inputs = np.random.default_rng(3).integers(-3, 3, (50, 9)).astype(np.int32)
    head = softstream.import_onnx(path, calibrate=inputs)
    mapping = head.config.to_mapping()
    assert {key: mapping[key] for key in keys} == keys
    result = golden(head.config, head.scores)
    [indices] = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["i"], {"x": inputs})
    if attributes.get("sorted", 1):
        assert np.array_equal(result.get("top_indices", result.get("argmax")).reshape(indices.shape), indices)
    else:
        assert np.array_equal(np.sort(result["top_indices"], axis=1), np.sort(indices, axis=1))


def smaller(axis=-1, log=False, keepdims=1, total="e"):
    """A softmax of x in smaller operators, without the subtraction of the maximum."""
    nodes = [node("Exp", ["x"], ["e"]), node("ReduceSum", [total, "axes"], ["s"], keepdims=keepdims)]
    nodes += [node("Log", ["s"], ["l"]), node("Sub", ["x", "l"], ["p"])] if log else [node("Div", ["e", "s"], ["p"])]
    return nodes, [4, 4, 4], {"axes": np.int64([axis])}


@pytest.mark.parametrize(("log", "mode"), [(False, "softmax"), (True, "log_softmax")])
def test_a_softmax_in_smaller_operators_is_a_head(save, log, mode):
    head = softstream.import_onnx(save(*smaller(axis=1, log=log)), calibrate=np.arange(64, dtype="f4").reshape(4, 4, 4))
    assert (head.config.mode, head.axis, head.node) == (mode, 1, "p")
    assert np.array_equal(head.scores[0], [0, 4, 8, 12])


@pytest.mark.parametrize("options", [{"keepdims": 0}, {"total": "x"}, {"total": "x", "log": True}])
def test_other_quotients_are_none(save, options):
    with pytest.raises(UserError, match="no node that becomes a head"):
        softstream.import_onnx(save(*smaller(**options)))


def test_a_model_for_a_fixed_number_of_rows_runs_once_for_each(save):
    path = save(
        [node("MatMul", ["x", "w"], ["l"]), node("Softmax", ["l"], ["p"])], [2, 3], {"w": np.eye(3, dtype="f4")}
    )
    inputs = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    assert np.array_equal(softstream.import_onnx(path, calibrate=inputs).scores, inputs)


def test_functions_of_the_model_are_read_as_nodes(save, tmp_path):
    path = save([node("Head", ["x"], ["p"], domain="my.functions")], ["v", 4])
    model = onnx.load(path)
    inner = [node("Mul", ["a", "a"], ["b"]), node("Softmax", ["b"], ["c"], name="inner")]
    imports = [onnx.helper.make_opsetid("", 13)]
    model.functions.append(onnx.helper.make_function("my.functions", "Head", ["a"], ["c"], inner, imports))
    onnx.save(model, path)
    head = softstream.import_onnx(path, calibrate=np.float32([[1, 2, 3, 4]]))
    assert head.config.mode == "softmax"
    assert np.array_equal(head.scores, [[1, 4, 9, 16]])


def test_weights_in_another_file_are_read_where_they_are_needed(save, tmp_path):
    path = save(
        [node("MatMul", ["x", "w"], ["l"]), node("Softmax", ["l"], ["p"])], ["v", 3], {"w": np.eye(3, dtype="f4")}
    )
    target = tmp_path / "external.onnx"
    onnx.save(onnx.load(path), target, save_as_external_data=True, location="weights.bin", size_threshold=0)
    inputs = np.ones((2, 3), np.float32)
    assert np.array_equal(softstream.import_onnx(target, calibrate=inputs).scores, inputs)
    (tmp_path / "weights.bin").unlink()
    assert softstream.import_onnx(target).config.max_length == 3
    with pytest.raises(
        UserError, match=r"weights are in another file that cannot be read \(.*\); keep that file in the"
    ):
        softstream.import_onnx(target, calibrate=inputs)
    arguments, options = dequantised()
    onnx.save(
        onnx.load(save(*arguments, **options)), target, save_as_external_data=True, location="w", size_threshold=0
    )
    assert softstream.import_onnx(target).config.score_scale == float(np.float32(0.05))
    (tmp_path / "w").unlink()
    with pytest.raises(UserError, match=r"the value of 'x_scale' is in another file that cannot be read"):
        softstream.import_onnx(target)


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (([SOFTMAX], ["v", "n"]), {}, "the length along axis -1 of [v, n] is dynamic; give inputs, or the longest vector; for"),
        (([SOFTMAX], None), {}, "the length along axis -1 of unknown shape is dynamic"),
        (([node("Softmax", ["x"], ["p"], axis=3)], [1, 4]), {}, "axis = 3, and the scores have the shape [1, 4]; must be one"),
        (([node("Relu", ["x"], ["p"])], [1, 4]), {}, "no node that becomes a head; must have one of Softmax, LogSoftmax,"),
        (([SOFTMAX, node("Softmax", ["x"], ["y"])], [1, 4]), {}, "2 nodes could become a head, head (Softmax), y (Softmax)"),
        (([SOFTMAX], [1, 4]), {"node": "hed"}, "--node hed: no node of {path} (did you mean 'head'?); candidates are head"),
        (([SOFTMAX, node("Relu", ["p"], ["r"])], [1, 4]), {"node": "r"}, "--node r: is a Relu; must be one of Softmax,"),
        (([SOFTMAX], [1, 1 << 21]), {}, "max_length = 2097152: must be an integer from 1 to"),
        (([SOFTMAX], [1, 4]), {"scale": 1}, "unknown configuration key 'scale' (did you mean 'score_scale'?)"),
        (([SOFTMAX], [1, 4]), {"calibrate": np.ones((1, 5))}, "--calibrate: x has the shape [1, 5], and the model takes [1, 4]"),
        (([SOFTMAX], [3, 4]), {"calibrate": np.ones((4, 4))}, "--calibrate: x has the shape [4, 4], and the model takes [3, 4]"),
        (([SOFTMAX], [1, 4]), {"calibrate": np.array([["a"] * 4])}, "--calibrate: x is an array of <U1, and the model takes fl"),
        (([SOFTMAX], [1, 4]), {"calibrate": {"z": np.ones(4)}}, "--calibrate: no array 'x' among z; {path} needs the inputs x"),
        (([SOFTMAX], [1, 4]), {"calibrate": np.full((1, 4), np.nan)}, "the scores contain NaN for these inputs"),
    ],
)  # fmt: skip
def test_mistakes(save, model, options, message):
    path = save(*model)
    with pytest.raises(UserError) as refusal:
        softstream.import_onnx(path, **options)
    assert message.replace("{path}", str(path)) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_types_that_are_no_scores(save):
    top = node("TopK", ["x", "k"], ["values", "indices"])
    with pytest.raises(
        UserError, match=r"the scores are of type string; must be integers or floats, for example float32"
    ):
        softstream.import_onnx(save([top], [1, 4], {"k": np.int64([2])}, kind="string"))
    dynamic = {"k": onnx.helper.make_tensor_value_info("k", onnx.TensorProto.INT64, [1])}
    with pytest.raises(UserError, match=r"K is the tensor 'k', which depends on the inputs; .* --set top_k=5"):
        softstream.import_onnx(save([top], [1, 4], inputs=dynamic))
    path = save([top], [1, 4], {"k": np.int64([2])}, kind="int64")
    with pytest.raises(UserError, match=r"the scores are int64, wider than a head of mode top_k takes; give inputs"):
        softstream.import_onnx(path)
    head = softstream.import_onnx(path, calibrate=np.int64([[5, -300, 2, 1]]))
    assert (head.config.score_width, head.config.score_signed) == (10, True)
    assert head.unexpressed == ("scores are int64: the head takes the 10 bits that the calibration needs",)


def test_operators_that_onnxruntime_does_not_have_are_named(save):
    path = save([node("Odd", ["x"], ["o"], domain="my.operators"), node("Softmax", ["o"], ["p"])], [1, 4])
    with pytest.raises(ToolFailure, match=r"onnxruntime does not run it up to the head: .*my.operators:Odd"):
        softstream.import_onnx(path, calibrate=np.ones((1, 4)))


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\x08"])
def test_files_that_are_no_models_are_one_line(cli, tmp_path, content):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    code, out, err = cli("import", path, "-o", tmp_path / "config.toml")
    assert (code, out) == (2, "")
    assert err.startswith(
        f"error: {path}: {'not an ONNX model' if content is not None else 'cannot be read (No such file'}"
    )
    assert err.count("\n") == 1
    assert not (tmp_path / "config.toml").exists()


def test_damaged_models_are_a_head_or_one_line(tmp_path):
    """Bytes of the graph, which stands behind the weights or in front of them, are replaced or cut off."""
    content, rng = np.frombuffer(CLASSIFIER.read_bytes(), np.uint8), np.random.default_rng(1)
    path, refusals = tmp_path / "model.onnx", []
    for _ in range(200):
        damaged = content.copy()
        damaged[rng.integers(0, len(content), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(damaged[: rng.integers(len(content) // 2, 3 * len(content))].tobytes())
        try:
            softstream.import_onnx(path)
        except UserError as refusal:
            refusals.append(str(refusal))
    assert 50 < len(refusals) < 200
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--compare"], "--compare: needs the scores in front of the node; for example --calibrate X.npy"),
        (["--labels", "Y.npy"], "--labels Y.npy: needs the scores in front of the node; for example --calibrate X.npy"),
        (["--set", "scale"], "--set 'scale': must be key=value; for example --set max_length=64"),
        (
            ["--calibrate", "none.npy"],
            "--calibrate none.npy: cannot be read (No such file or directory); must be a .npy, .npz",
        ),
        (
            ["--calibrate", "none.npz"],
            "--calibrate none.npz: cannot be read (No such file or directory); must be an archive",
        ),
    ],
)
def test_mistakes_on_the_command_line(cli, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("import", CLASSIFIER, *options, "-o", "head")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_one_line_and_exit_code_3(cli, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.helper", raising=False)
    code, _, err = cli("import", CLASSIFIER, "--calibrate", DIGITS_NETWORK, "-o", tmp_path / "head")
    assert code == 3
    assert err == f"error: {package}: not installed, and import needs it; pip install 'softstream[onnx]'\n"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the package, which computes its expected outputs
def test_every_shipped_model_is_a_head_or_one_line(tmp_path):
    """All node test cases of the package, of every operator, and no traceback."""
    cases = importlib.import_module("onnx.backend.test.case.node").collect_testcases(None)
    heads, refusals = 0, []
    for case in cases:
        path = tmp_path / "model.onnx"
        path.write_bytes(case.model.SerializeToString())
        try:
            heads += bool(softstream.import_onnx(path, max_length=8, top_k=2, score_width=8, score_scale=0.1))
        except UserError as refusal:
            refusals.append(str(refusal))
    assert len(cases) > 1000
    assert heads > 90
    assert not any("\n" in refusal for refusal in refusals)
