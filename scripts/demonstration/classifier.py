"""A digit through the network on the host and through the head on a board.

The network of `softstream.scripts.training.network` computes ten scores in float64; they are quantised to the head's codes and
go through the link. Every answer is compared with the golden model, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import sidebands
from softstream.scripts.demonstration.drawing import BLACK
from softstream.scripts.quantiser import quantised
from softstream.scripts.training.network import forward
from softstream.sim.data import DIGITS_NETWORK
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64

if TYPE_CHECKING:
    from softstream.boards.link.host import Link

__all__ = ["CLASSES", "Classifier", "Recognition", "check_configuration"]

CLASSES = 10


@dataclass(frozen=True)
class Recognition:
    """The result of one digit."""

    pixels: np.ndarray
    """uint8 [64]."""
    scores: np.ndarray
    """The network's scores in nats, float64 [10]."""
    codes: np.ndarray
    """The score codes that went through the link, int64 [10]."""
    winner: int
    """Index of the largest score, from the board."""
    probabilities: np.ndarray | None
    """From the board, as real values, float64 [10]; None where the head has no probabilities."""
    exact: np.ndarray
    """Softmax of the same codes in float64, [10]."""
    cycles: int
    """Clock cycles from the first score to the first result."""
    planned: int
    """The same from the plan."""
    clock_hz: int
    differences: int
    """Values in which the board and the model differ."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pixels": self.pixels.tolist(),
            "scores": [round(float(score), 4) for score in self.scores],
            "codes": self.codes.tolist(),
            "winner": self.winner,
            "probabilities": None if self.probabilities is None else self.probabilities.tolist(),
            "exact": self.exact.tolist(),
            "cycles": self.cycles,
            "planned": self.planned,
            "microseconds": round(self.cycles / self.clock_hz * 1e6, 3),
            "differences": self.differences,
        }


def check_configuration(config: Config) -> None:
    """Raises `UserError` for a head that does not name the winner of ten scores without a sideband."""
    remedy = "for example --preset digits-softmax"
    traits = config.traits
    if not traits.names_winner or traits.top_k or not (traits.probabilities or traits.order_only):
        raise UserError(
            f"mode = '{config.mode}': the page shows a winner and probabilities, as argmax, softmax and hardmax give them; "
            f"{remedy}"
        )
    if config.ensemble > 1 or config.groups or sidebands(config):
        key = "ensemble" if config.ensemble > 1 else "groups" if config.groups else sidebands(config)[0].name
        raise UserError(f"{key}: the page sends the ten scores of one digit and nothing else; {remedy}")
    if config.max_length < CLASSES:
        raise UserError(f"max_length = {config.max_length}: a digit has {CLASSES} scores; {remedy}")


class Classifier:
    """The network and a board after its handshake. Not for use by several threads."""

    def __init__(self, config: Config, link: Link) -> None:
        self._config, self._link = config, link
        with np.load(DIGITS_NETWORK, allow_pickle=False) as archive:
            self._weights = {name: archive[name].astype(np.float64) for name in ("w1", "b1", "w2", "b2")}
            self._pixels, self._labels = archive["pixels"], archive["labels"]
        # A vector whose elements leave at two bytes each enters every second cycle; ten scores fit one frame in any case.
        self._planned = plan(config).first_output_cycle(CLASSES)

    @property
    def examples(self) -> int:
        """Number of digits that the network has not seen in training."""
        return len(self._labels)

    def example(self, number: int) -> tuple[np.ndarray, int]:
        """Pixels and label of such a digit."""
        return self._pixels[number], int(self._labels[number])

    def recognise(self, pixels: np.ndarray) -> Recognition:
        """The digit of `pixels` [64] from 0 to 16. Raises `LinkError` for a fault of the link."""
        assert self._link.info is not None
        config = self._config
        _, _, scores = forward(self._weights, pixels[None] / BLACK)
        codes = quantised(config, scores, np.ones(scores.shape, dtype=bool)).codes
        answer = self._link.run(codes)
        model = golden(config, codes)
        probabilities = None
        if config.traits.probabilities:
            probabilities = (answer["probabilities"][0] - config.output_zero_point) / config.levels
        return Recognition(
            pixels=pixels,
            scores=scores[0],
            codes=codes[0],
            winner=int(answer["argmax"][0]),
            probabilities=probabilities,
            exact=softmax_float64(config.replace(mode="softmax"), codes)[0],
            cycles=int(answer.cycles[0]),
            planned=self._planned,
            clock_hz=self._link.info.clock_hz,
            differences=sum(int(np.count_nonzero(answer[name] != expected)) for name, expected in model.items()),
        )
