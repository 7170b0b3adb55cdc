"""What a head is trained with: its cross-entropy as one operation, a penalty on the range of logits, and an entropy bonus."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.twin.head import Head
from softstream.sim.twin.exact import batched

__all__ = ["CrossEntropy", "entropy_bonus", "range_penalty"]


class CrossEntropy(nn.Module):
    """The cross-entropy of a head in mode cross_entropy: −ln softmax(x)_label, as `torch.nn.CrossEntropyLoss`.

    The loss is ln Σ e^(x_i) − x_label and its gradient softmax(x)_i − [i = label], both at the quantised logits
    (I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning", MIT Press 2016, section 6.2.2.3). One operation computes the
    loss from the logits, so no probability underflows. Logits of 10^4 saturate at the score format, and by default their
    gradient passes, so that a network with such logits learns.
    """

    def __init__(
        self,
        config: Config,
        *,
        axis: int = 1,
        reduction: Literal["mean", "sum", "none"] = "mean",
        ignore_index: int = -100,
        saturated_gradient: Literal["stop", "pass"] = "pass",
    ) -> None:
        """The loss of the cross_entropy head of `config`, whatever the mode of `config` is, with the classes in `axis`.

        Raises `UserError` for a configuration without such a head, and for another `reduction`.
        """
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise UserError(f"reduction = {reduction!r}: must be 'mean', 'sum' or 'none'; 'mean' would do")
        is_loss = config.traits.logarithmic and not config.traits.per_element
        head = config if is_loss else Config(**_carried(config))
        self.head = Head(head, axis=axis, saturated_gradient=saturated_gradient)
        self.reduction, self.ignore_index = reduction, ignore_index

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits [..., N, ...] with the classes in `axis`, for int64 `labels` without that dimension."""
        counted = labels != self.ignore_index
        self._refuse_labels(logits, labels, counted)
        losses = self.head(logits, labels=torch.where(counted, labels, 0))
        losses = torch.where(counted, losses, 0.0)
        if self.reduction == "none":
            return losses
        return losses.sum() if self.reduction == "sum" else losses.sum() / counted.sum()

    def _refuse_labels(self, logits: Tensor, labels: Tensor, counted: Tensor) -> None:
        """Raises `UserError` for a label beyond the classes, for which the head has the loss of a probability of 0."""
        axis = self.head.axis
        if torch.compiler.is_compiling() or batched() or not -logits.ndim <= axis < logits.ndim:
            return
        outside = counted & (labels >= logits.shape[axis])
        if bool(outside.any()):
            where = outside.nonzero()[0].tolist()
            raise UserError(
                f"labels{where} is {int(labels[tuple(where)])}: must be below {logits.shape[axis]}, the number of classes, or "
                f"ignore_index = {self.ignore_index}; {logits.shape[axis] - 1} would do"
            )


def _carried(config: Config) -> dict[str, Any]:
    """The keys of a softmax head that its loss has as well."""
    names = (
        *(
            "max_length",
            "score_width",
            "score_signed",
            "score_scale",
            "score_zero_point",
            "temperature",
            "select",
            "mask",
        ),
        *("probability_width", "temperature_bits", "temperature_fraction", "ensemble"),
    )
    return {"mode": "cross_entropy", **{name: getattr(config, name) for name in names}}


def range_penalty(logits: Tensor, config: Config) -> Tensor:
    """mean(max(0, x − x_max)² + max(0, x_min − x)²), with x_min and x_max the ends of the score format in real numbers.

    It pulls logits into the range that the format holds, and is 0 where none saturates: the quadratic penalty of the bounds
    (J. Nocedal, S. Wright, "Numerical Optimization", 2nd edition, Springer 2006, section 17.1).
    """
    low, high = (config.real_value(code) for code in (config.score_format.minimum, config.score_format.maximum))
    return ((logits - high).clamp(min=0) ** 2 + (low - logits).clamp(min=0) ** 2).mean()


def entropy_bonus(probabilities: Tensor, axis: int = -1) -> Tensor:
    """The mean entropy −Σ p·ln p in nats, to be added to an objective: it keeps a policy exploring.

    (R. J. Williams, J. Peng, "Function optimization using connectionist reinforcement learning algorithms", Connection Science
    3(3), 1991.) A probability of 0 counts as 0, and so does its gradient.
    """
    safe = torch.where(probabilities > 0, probabilities, 1.0)
    return -(safe * safe.log()).sum(dim=axis).mean()
