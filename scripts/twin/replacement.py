"""The softmax layers of a network, replaced by heads."""

from __future__ import annotations

import copy
from typing import NamedTuple

from torch import nn

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.twin.head import Head
from softstream.scripts.twin.losses import CrossEntropy

__all__ = ["Replaced", "Replacement", "from_module"]

_MODES: dict[type[nn.Module], str] = {
    nn.Softmax: "softmax",
    nn.Softmax2d: "softmax",
    nn.LogSoftmax: "log_softmax",
    nn.Sigmoid: "sigmoid",
}


class Replacement(NamedTuple):
    """One layer that a head replaced."""

    name: str
    """Path of the layer in the network."""
    before: str
    """The layer as PyTorch prints it."""
    after: nn.Module

    def __str__(self) -> str:
        return f"{self.name}: {self.before} → {self.after}"


class Replaced(NamedTuple):
    """A network with heads, and what was replaced."""

    module: nn.Module
    replacements: tuple[Replacement, ...]


def from_module(module: nn.Module, config: Config) -> Replaced:
    """A copy of a network with a head of `config` for each Softmax, Softmax2d, LogSoftmax, Sigmoid, CrossEntropyLoss.

    Each head has the mode of its layer. Only layers are found, not calls of `torch.softmax`. Raises `UserError` for a network
    without such a layer, a layer without `dim`, and a loss with class weights or label smoothing.
    """
    copied = copy.deepcopy(module)
    replacements = []
    heads: dict[nn.Module, nn.Module | None] = {}
    # A layer that a network has in two places has two names, and one head.
    for name, layer in list(copied.named_modules(remove_duplicate=False)):
        head = heads[layer] = heads[layer] if layer in heads else _head(name, layer, config)
        if head is not None:
            replacements.append(Replacement(name or type(layer).__name__, repr(layer), head))
            if not name:
                copied = head
            else:
                copied.set_submodule(name, head)
    if not replacements:
        kinds = ", ".join(kind.__name__ for kind in (*_MODES, nn.CrossEntropyLoss))
        raise UserError(
            f"{type(module).__name__}: no layer of {kinds}; calls of torch.softmax are not found; "
            "for example self.softmax = torch.nn.Softmax(dim=-1) would do"
        )
    return Replaced(copied, tuple(replacements))


def _head(name: str, layer: nn.Module, config: Config) -> nn.Module | None:
    """The head for a layer; None for any other layer."""
    if isinstance(layer, nn.CrossEntropyLoss):
        if layer.weight is not None or layer.label_smoothing:
            raise UserError(
                f"{name}: {layer} with class weights or label smoothing, which the head does not have; "
                "torch.nn.CrossEntropyLoss() would do"
            )
        return CrossEntropy(config, reduction=layer.reduction, ignore_index=layer.ignore_index)
    mode = _MODES.get(type(layer))
    if mode is None:
        return None
    axis = -3 if isinstance(layer, nn.Softmax2d) else getattr(layer, "dim", -1)
    if axis is None:
        raise UserError(f"{name}: {layer} without dim; Softmax(dim=-1) would do")
    return Head(config.replace(mode=mode), axis=axis)
