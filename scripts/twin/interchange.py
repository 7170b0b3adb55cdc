"""A network with a head as an ONNX model that `softstream import` reads as the same configuration."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from softstream.hw.config.config import KEYS, Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.output import written_file
from softstream.scripts.importer.importer import import_onnx
from softstream.scripts.importer.qonnx import QUANT_DOMAINS
from softstream.scripts.twin.head import Head

__all__ = ["export_onnx"]

_OPSET = 17


class _Quant(torch.autograd.Function):
    """QONNX's Quant: real numbers to the nearest of a code, and the same as an operator of the model."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float, zero_point: int, bits: int, signed: bool) -> Tensor:
        """(clamp(round(x / scale) + zero point) − zero point) · scale."""
        low = -(1 << (bits - 1)) if signed else 0
        codes = (torch.round(values / scale) + zero_point).clamp(low, low + (1 << bits) - 1)
        return (codes - zero_point) * scale

    @staticmethod
    def symbolic(graph: Any, values: Any, scale: float, zero_point: int, bits: int, signed: bool) -> Any:
        """The operator."""
        numbers = [graph.op("Constant", value_t=torch.tensor(float(number))) for number in (scale, zero_point, bits)]
        return graph.op(
            f"{QUANT_DOMAINS[0]}::Quant",
            values,
            *numbers,
            signed_i=int(signed),
            narrow_i=0,
            rounding_mode_s="ROUND",
        ).setType(values.type())


class _Standard(nn.Module):
    """A head as operators of ONNX: Quant, the operator of its mode, Quant."""

    def __init__(self, config: Config, axis: int) -> None:
        super().__init__()
        self.config, self.axis = config, axis

    def forward(self, logits: Tensor) -> Tensor:
        """The results, but for the rounding inside of the head."""
        config, axis = self.config, self.axis
        scores = (config.score_scale, config.score_zero_point, config.score_width, config.score_signed)
        values = _Quant.apply(logits, *scores)
        if not config.traits.per_element:
            return values.argmax(dim=axis)
        results = _OPERATORS[config.mode](values, axis)
        if config.traits.logarithmic:
            fmt = log_numerics(config, signed=True).format
            return _Quant.apply(results, 2.0**-config.probability_width, 0, fmt.width, True)
        codes = (1 / config.levels, config.output_zero_point, config.output_width, config.output_signed)
        return _Quant.apply(results, *codes)


_OPERATORS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "softmax": torch.softmax,
    "log_softmax": torch.log_softmax,
    "sigmoid": lambda values, axis: torch.sigmoid(values),
}
"""Mode → operator over an axis, of the modes with a result per element."""


def _expressed(config: Config) -> Config:
    """The configuration with the numbers that ONNX holds: the scale in float32, and the integer bits of logarithms."""
    keys: dict[str, Any] = {"score_scale": float(np.float32(config.score_scale))}
    if config.traits.logarithmic:
        keys["integer_bits"] = log_numerics(config, signed=True).format.width - config.probability_width
    return config.replace(**keys)


def export_onnx(module: nn.Module, example: Tensor, path: str | Path) -> Config:
    """Writes a network with one head as an ONNX model, and returns the configuration that `softstream import` reads from it.

    The head becomes Quant (of QONNX) with the format of the scores, the operator of its mode, and Quant with the format of the
    results. `example` is an input of the network, whose first dimension is free. The scale is rounded to float32, as ONNX
    holds it. The model is imported before it is published, so the round trip is closed.

    Raises `UserError` for a network without a head or with several, for a mode that is no operator, and for keys that the model
    does not state, such as a floor.
    """
    heads = [(name, one) for name, one in module.named_modules() if isinstance(one, Head)]
    if len(heads) != 1:
        raise UserError(
            f"module: {len(heads)} heads; must be one, whose scores the model states; from_module(network, config).module has "
            "one for a network with one softmax layer"
        )
    name, head = heads[0]
    modes = ("softmax", "log_softmax", "sigmoid", "argmax")
    if head.config.mode not in modes:
        raise UserError(
            f"mode = {head.config.mode!r}: must be one of {', '.join(modes)}, which ONNX has an operator for; "
            "head.export('config.toml') writes any configuration"
        )
    config = _expressed(head.config)
    standard = _Standard(config, head.axis)
    if name:
        module.set_submodule(name, standard)
    try:
        with written_file("export_onnx", Path(path)) as file:
            _write(module if name else standard, example, file)
            imported = import_onnx(file).config
            keys = [
                key.name
                for key in KEYS
                if key.numeric and key.matters(config) and getattr(imported, key.name) != getattr(config, key.name)
            ]
            if keys:
                raise UserError(
                    f"{', '.join(f'{key} = {getattr(config, key)!r}' for key in keys)}: an ONNX model does not state that; "
                    f"{', '.join(f'{key} = {getattr(imported, key)!r}' for key in keys)} would do, or head.export('config.toml')"
                )
    finally:
        if name:
            module.set_submodule(name, head)
    return config


def _write(module: nn.Module, example: Tensor, path: Path) -> None:
    training = module.training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter by tracing is the one that takes operators of other domains
        torch.onnx.export(
            module.eval(),
            (example,),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}},
            autograd_inlining=False,
            custom_opsets={QUANT_DOMAINS[0]: 1},
        )
    module.train(training)
