"""A trained network as an ONNX model is imported as the configuration of its head."""

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError

torch = pytest.importorskip("torch")

from softstream.torch import Head, export_onnx, from_module  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"score_width": 6, "score_scale": 0.173, "probability_width": 6, "probability_format": "UQ1"},
        {"score_signed": False, "score_zero_point": 100, "output_levels": 255},
        {"mode": "log_softmax", "score_scale": 0.07},
        {"mode": "sigmoid", "output_zero_point": -128},
        {"mode": "argmax", "score_width": 5},
    ],
)
def test_the_round_trip_is_closed(keys, tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 9), Head(Config(max_length=9, **keys)))
    path = tmp_path / "network.onnx"
    exported = export_onnx(network, torch.randn(2, 4), path)
    imported = softstream.import_onnx(path).config
    assert imported.mode == exported.mode
    assert {name: imported.to_mapping()[name] for name in exported.relevant()} == exported.relevant()
    assert isinstance(network[1], Head)
    assert network.training
    inputs = torch.randn(50, 4)
    with torch.no_grad():
        scores = softstream.quantise(imported, network[0](inputs).double().numpy(), saturate=True).codes
        assert all(
            np.array_equal(values.numpy(), softstream.golden(imported, scores)[name])
            for name, values in Head(exported).codes(network[0](inputs)).items()
        )


def test_a_replaced_layer_with_a_learned_scale_is_exported(tmp_path):
    network = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Softmax(dim=-1))
    module = from_module(network, Config(max_length=5)).module
    learned = Head(module[1].config, learn_scale=True)
    learned.scale_log2.data -= 0.3
    module[1] = learned
    exported = export_onnx(module, torch.randn(1, 3), tmp_path / "network.onnx")
    assert exported.score_scale == pytest.approx(learned.config.score_scale, rel=1e-7)
    assert softstream.import_onnx(tmp_path / "network.onnx").config == exported


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (torch.nn.Linear(3, 5), "module: 0 heads; must be one"),
        (Head(Config(max_length=5, probability_floor=0.1)), "probability_floor = 0.1.*does not state"),
        (Head(Config(max_length=5, mode="cdf")), "mode = 'cdf': must be one of softmax"),
    ],
)
def test_a_head_that_no_model_states_is_refused(module, message, tmp_path):
    with pytest.raises(UserError, match=message):
        export_onnx(module, torch.randn(2, 3 if isinstance(module, torch.nn.Linear) else 5), tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())
