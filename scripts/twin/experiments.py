"""Three experiments with the head in the loop: python -m softstream.scripts.twin.experiments. Needs scikit-learn.

1. Digits: a network trained in float and deployed, against the same network trained on with the twin, over widths of scores.
2. Regression in bins, some of them without a training sample: smoothing in the loop against none.
3. A bandit by policy gradient, whose exploration dies: a floor in the activation against a clip, an entropy bonus, and neither.
   A convolution whose filters compete by softmax at each location, as one group and as eight groups: float against twin.

Writes experiments.md and its pictures beside this file. Each trained head runs as Verilog in the simulator on its own scores, and
one as a bitstream on the simulated board, except with `--without-hardware`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import softstream
from softstream.hw.config.config import Config
from softstream.hw.output import written_file
from softstream.hw.processes import run, temporary_folder
from softstream.scripts.twin.head import Head
from softstream.scripts.twin.losses import CrossEntropy, entropy_bonus
from softstream.sim.simulators.runner import run_rtl

__all__ = [
    "Bandit",
    "Convolved",
    "Deployed",
    "Regressed",
    "Samples",
    "Trained",
    "bandit",
    "calibration_error",
    "compared",
    "convolutions",
    "deployed_charts",
    "deployed_heads",
    "deployed_table",
    "digits",
    "main",
    "regression",
    "reliability",
    "simulated",
    "simulated_lines",
    "smoothed_example",
]

FOLDER = Path(__file__).parent
SCORE_WIDTHS = (3, 4, 6, 8)
PROBABILITY_WIDTHS = (4, 6, 8)
OBSERVED = 4000
"""Training digits whose logits give the scale of the scores: `observe` takes a time in proportion."""
BINS = 32
KERNEL = (1, 2, 3, 2, 1)
ARMS, STEPS, SEEDS, RATE = 10, 600, 100, 0.5
LEAST = 0.02
"""The least probability of an arm that keeps exploration alive."""
FILTERS = 64
FEATURE_GROUPS = {"64": (FILTERS,), "8 × 8": (8,) * 8}
"""Groups of filters that exclude each other at a location, by the name in the table."""
DRAWN_AT = 0.75
"""x of the distributions of experiment 2 that are drawn."""
SIMULATED = 24
"""Vectors of each trained head in the simulator."""
BOARD, _BOARD_SECONDS = "hx8k-evn", 1200


class Trained(NamedTuple):
    """A trained head and logits of its own network."""

    name: str
    config: Config
    logits: Tensor


# 1: digits --------------------------------------------------------------------------------------------------------------


class Deployed(NamedTuple):
    """A network behind a head, on digits that it was not trained on."""

    score_width: int
    probability_width: int
    training: str
    accuracy: float
    calibration: float
    """Expected calibration error."""
    flips: float
    """Share of digits whose decision differs from that of the float network."""
    config: Config
    logits: Tensor
    reliability: list[tuple[float, float]]
    """(confidence, accuracy) of each bin."""


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 10) -> list[tuple[float, float]]:
    """(mean confidence, accuracy) of each bin of the largest probability that has an element: a reliability diagram."""
    confidence, choice = probabilities.max(dim=-1)
    number = (confidence * bins).long().clamp(max=bins - 1)
    hits = (choice == labels).double()
    filled = [number == one for one in range(bins) if bool((number == one).any())]
    return [(float(confidence[inside].double().mean()), float(hits[inside].mean())) for inside in filled]


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 10) -> float:
    """Σ_b |b|/n · |accuracy(b) − confidence(b)| over bins of equal width of the largest probability.

    (C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML 2017, equation 3.)
    """
    confidence, choice = probabilities.max(dim=-1)
    number = (confidence * bins).long().clamp(max=bins - 1)
    error = 0.0
    for one in range(bins):
        inside = number == one
        if inside.any():
            gap = (choice[inside] == labels[inside]).double().mean() - confidence[inside].double().mean()
            error += float(inside.double().mean() * gap.abs())
    return error


def _fit(network: nn.Module, loss: nn.Module, inputs: Tensor, labels: Tensor, epochs: int, rate: float) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    numbers = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs), generator=numbers).split(128):
            optimiser.zero_grad()
            loss(network(inputs[rows]), labels[rows]).backward()
            optimiser.step()


class Samples(NamedTuple):
    """Labelled digits."""

    inputs: Tensor
    """float32 [V, pixels], 0 to 1."""
    labels: Tensor
    """int64 [V]."""


def digits(epochs: int = 24) -> list[Deployed]:
    """`compared` for the UCI digits of scikit-learn."""
    from sklearn.datasets import load_digits

    data = load_digits()
    inputs, labels = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    return compared(Samples(inputs[:1200], labels[:1200]), Samples(inputs[1200:], labels[1200:]), 32, epochs, 1e-2)


def compared(training: Samples, held_out: Samples, hidden: int, epochs: int, rate: float) -> list[Deployed]:
    """Networks with a hidden layer trained in float and deployed, and trained on with the twin, for every width.

    The scale of the scores is that of `observe` on the first `OBSERVED` training digits. The twin trains on for a third of the
    epochs, with a tenth of the rate and the loss of its head; the float network trains on for as many, so both have seen the
    digits equally often.
    """

    def network(state: Mapping[str, Tensor] | None = None) -> nn.Sequential:
        torch.manual_seed(1)
        one = nn.Sequential(nn.Linear(training.inputs.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 10))
        if state is not None:
            one.load_state_dict(state)
        return one

    base = network()
    _fit(base, nn.CrossEntropyLoss(), *training, epochs, rate)
    state = {name: values.clone() for name, values in base.state_dict().items()}
    _fit(base, nn.CrossEntropyLoss(), *training, epochs // 3, rate / 10)
    with torch.no_grad():
        reference = base(held_out.inputs).argmax(dim=1)
    results = []
    for score_width in SCORE_WIDTHS:
        for probability_width in PROBABILITY_WIDTHS:
            head = Head(Config(max_length=10, score_width=score_width, probability_width=probability_width))
            with torch.no_grad():
                head.observe(base(training.inputs[:OBSERVED]))
            tuned = network(state)
            _fit(tuned, CrossEntropy(head.config), *training, epochs // 3, rate / 10)
            for name, one in (("float", base), ("twin", tuned)):
                with torch.no_grad():
                    logits = one(held_out.inputs)
                    probabilities = head(logits)
                choice = probabilities.argmax(dim=1)
                results.append(
                    Deployed(
                        score_width,
                        probability_width,
                        name,
                        float((choice == held_out.labels).double().mean()),
                        calibration_error(probabilities, held_out.labels),
                        float((choice != reference).double().mean()),
                        head.config,
                        logits,
                        reliability(probabilities, held_out.labels),
                    )
                )
    return results


# 2: regression ----------------------------------------------------------------------------------------------------------


def smoothed_example() -> dict[str, list[float]]:
    """What smoothing makes of the counts [0, 1, 0, 3, 0, 5] as a distribution, near its ends gathered and scattered."""
    counts = torch.tensor([0.0, 1, 0, 3, 0, 5])
    plain = Config(max_length=6, probability_width=12, score_width=12, score_scale=2.0**-8)
    results = {"softmax": Head(plain)(counts.log().clamp(min=-8))}
    for edges in ("gather", "scatter"):
        config = plain.replace(smoothing=(1, 2, 1), smoothing_edges=edges)
        results[edges] = Head(config)(counts.log().clamp(min=-8))
    return {name: [round(float(value), 4) for value in values] for name, values in results.items()}


def _samples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """x from 0 to 1, and y = sin(2πx)/3 + 1/2 with noise that grows with x, in bins."""
    numbers = torch.Generator().manual_seed(seed)
    x = torch.rand((count, 1), generator=numbers)
    noise = torch.randn((count, 1), generator=numbers) * (0.02 + 0.1 * x)
    y = (torch.sin(2 * math.pi * x) / 3 + 0.5 + noise).clamp(0, 1 - 1e-6)
    return x, (y * BINS).long()[:, 0]


class Regressed(NamedTuple):
    """The networks of one kind of smoothing."""

    likelihoods: list[float]
    """Held-out log-likelihood of each seed, in nats per sample."""
    distribution: list[float]
    """Probabilities at `DRAWN_AT`, of the first seed."""
    trained: Trained


def regression(epochs: int = 150, seeds: int = 4) -> dict[str, Regressed]:
    """Networks without smoothing and with both kinds of edges.

    100 samples in 32 bins leave most bins of a neighbourhood empty. A probability of 0 counts as half a step.
    """
    results = {}
    changes: dict[str, dict[str, Any]] = {
        "none": {},
        "gather": {"smoothing": KERNEL},
        "scatter": {"smoothing": KERNEL, "smoothing_edges": "scatter"},
    }
    for name, keys in changes.items():
        config = Config(max_length=BINS, probability_width=12, score_width=10, score_scale=2.0**-5).replace(**keys)
        head, likelihoods, networks = Head(config), list[float](), list[nn.Sequential]()
        for seed in range(seeds):
            torch.manual_seed(seed)
            network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, BINS), head)
            inputs, labels = _samples(100, seed)
            optimiser = torch.optim.Adam(network.parameters(), lr=2e-2)
            for _ in range(epochs):
                optimiser.zero_grad()
                _log_likelihood(network(inputs), labels, config).neg().backward()
                optimiser.step()
            with torch.no_grad():
                others = _samples(2000, 1000 + seed)
                likelihoods.append(float(_log_likelihood(network(others[0]), others[1], config)))
            networks.append(network)
        with torch.no_grad():
            logits = networks[0][:-1](_samples(SIMULATED, 1000)[0])
            distribution = networks[0](torch.tensor([[DRAWN_AT]]))[0].tolist()
        results[name] = Regressed(likelihoods, distribution, Trained(f"regression, {name}", config, logits))
    return results


def _true_distribution(x: float) -> list[float]:
    """The probability of each bin at x, from the law that `_samples` draws from."""
    law = torch.distributions.Normal(math.sin(2 * math.pi * x) / 3 + 0.5, 0.02 + 0.1 * x)
    ends = law.cdf(torch.arange(BINS + 1) / BINS)
    ends[0], ends[-1] = 0.0, 1.0
    return ends.diff().tolist()


def _log_likelihood(probabilities: Tensor, labels: Tensor, config: Config) -> Tensor:
    chosen = probabilities.gather(1, labels[:, None])
    return chosen.clamp(min=0.5 / config.levels).log().mean()


# 3: bandit --------------------------------------------------------------------------------------------------------------


class Bandit(NamedTuple):
    """A policy over the steps of its training."""

    returns: Tensor
    """Mean reward of the greatest arm's share, [steps]: the mean over the seeds."""
    final: Tensor
    """Reward of each seed, the mean over the last tenth of the steps."""
    trained: Trained


def bandit(name: str) -> Bandit:
    """REINFORCE (R. J. Williams, Machine Learning 8, 1992) on a bandit whose best arm pays from half of the training on.

    Until then arm 1 pays 0.5 and arm 0 nothing; then arm 0 pays 1. A policy whose probability of arm 0 is 0 never finds it.
    `name`: none, floor (`probability_floor` of the head), clip (logits within ±2 by the keys of the head) or entropy (bonus).
    """
    changes: dict[str, dict[str, Any]] = {
        "floor": {"probability_floor": LEAST},
        "clip": {"clip_minimum": -64, "clip_maximum": 64},
    }
    config = Config(max_length=ARMS, score_scale=2.0**-5).replace(**changes.get(name, {}))
    head = Head(config, saturated_gradient="pass")
    numbers = torch.Generator().manual_seed(0)
    logits = torch.zeros((SEEDS, ARMS), requires_grad=True)
    optimiser = torch.optim.SGD([logits], lr=RATE)
    baseline = torch.zeros(SEEDS)
    rewards = []
    for step in range(STEPS):
        probabilities = head(logits)
        shares = probabilities.detach() + 1e-9
        action = torch.multinomial(shares, 1, generator=numbers)
        reward = torch.where(action[:, 0] == 1, 0.5, torch.where((action[:, 0] == 0) & (step >= STEPS // 2), 1.0, 0.0))
        chosen = probabilities.gather(1, action)[:, 0]
        objective = ((reward - baseline) * chosen / chosen.detach().clamp(min=0.5 / 256)).sum()
        if name == "entropy":
            objective = objective + 0.02 * SEEDS * entropy_bonus(probabilities)
        baseline = 0.9 * baseline + 0.1 * reward
        optimiser.zero_grad()
        (-objective).backward()
        optimiser.step()
        rewards.append(reward)
    whole = torch.stack(rewards)
    trained = Trained(f"policy, {name}", config, logits.detach()[:SIMULATED])
    return Bandit(whole.mean(dim=1), whole[-STEPS // 10 :].mean(dim=0), trained)


# 3: filters that compete ------------------------------------------------------------------------------------------------


class Convolved(NamedTuple):
    """A convolutional network with softmax among the filters of each location."""

    groups: str
    training: str
    """float, without a head; deployed, the same with a head in place of its softmax; twin, trained with the head."""
    accuracy: float
    features: Tensor
    """Probabilities [filters, rows, columns] of one held-out digit."""
    trained: Trained


class _Competition(nn.Module):
    """torch.softmax in groups of channels, [B, C, H, W]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        return torch.softmax(maps.unflatten(1, (-1, self.size)), 2).flatten(1, 2)


def convolutions(epochs: int = 12, observed: int = 4000) -> list[Convolved]:
    """Digits by a convolution of 64 filters, a softmax among them at each location, and a linear layer.

    The hidden softmax has one group of 64 filters or eight groups of 8. The float network is deployed with the scale of
    `observe` on so many of its vectors; the twin has that head from the start.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = torch.tensor(data.images / 16, dtype=torch.float32)[:, None], torch.tensor(data.target)
    training, held_out = slice(0, 1200), slice(1200, None)

    def network(hidden: nn.Module) -> nn.Sequential:
        torch.manual_seed(1)
        layers = (
            nn.Conv2d(1, FILTERS, 3, padding=1),
            hidden,
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(FILTERS * 16, 10),
        )
        return nn.Sequential(*layers)

    results = []
    for name, groups in FEATURE_GROUPS.items():
        plain = network(_Competition(groups[0]))
        _fit(plain, nn.CrossEntropyLoss(), images[training], labels[training], epochs, 3e-2)
        head = Head(Config(max_length=groups[0], groups=() if len(groups) == 1 else tuple(groups)), axis=1)
        with torch.no_grad():
            logits = plain[0](images[training][:100]).unflatten(1, (-1, groups[0])).movedim(2, -1)
            scale = Head(Config(max_length=groups[0])).observe(logits.reshape(-1, groups[0])[:observed])
        head = Head(head.config.replace(score_scale=scale), axis=1)
        tuned = network(head)
        _fit(tuned, nn.CrossEntropyLoss(), images[training], labels[training], epochs, 3e-2)
        deployed = nn.Sequential(plain[0], head, *plain[2:])
        for way, one in (("float", plain), ("deployed", deployed), ("twin", tuned)):
            with torch.no_grad():
                choice = one(images[held_out]).argmax(dim=1)
                maps = one[0](images[held_out][:1])
                features = one[1](maps)[0]
            accuracy = float((choice == labels[held_out]).double().mean())
            vectors = maps[0].flatten(1).T[:SIMULATED]
            trained = Trained(f"hidden layer, {name}, {way}", head.config, vectors)
            results.append(Convolved(name, way, accuracy, features, trained))
    return results


# The page ---------------------------------------------------------------------------------------------------------------


def _chart(lines: Mapping[str, Sequence[tuple[float, float]]], across: str, along: str) -> str:
    """An SVG of lines [(x, y)] by name."""
    colours = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
    points = [point for line in lines.values() for point in line]
    (left, right), (low, high) = ((min(values), max(values)) for values in zip(*points, strict=True))
    high = high if high > low else low + 1

    def place(x: float, y: float) -> str:
        return f"{60 + 480 * (x - left) / (right - left):.1f},{250 - 220 * (y - low) / (high - low):.1f}"

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" font-family="sans-serif" font-size="13">']
    parts += ['<rect width="720" height="300" fill="#fff"/>', '<path d="M60 30V250H540" fill="none" stroke="#666"/>']
    for number, (name, line) in enumerate(lines.items()):
        colour, path = colours[number % len(colours)], " ".join(place(*point) for point in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="555" y="{50 + 20 * number}" fill="{colour}">{name}</text>')
    parts += [f'<text x="{x}" y="268">{value:g}</text>' for x, value in ((60, left), (530, right))]
    parts += [f'<text x="8" y="{y}">{value:.3g}</text>' for y, value in ((250, low), (36, high))]
    parts += [
        f'<text x="300" y="288" text-anchor="middle">{across}</text>',
        f'<text x="8" y="18">{along}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _features(convolved: Sequence[Convolved]) -> str:
    """An SVG of the eight filters with the most to say in one digit, a row of maps for each network: black is 1."""
    size, gap, top, shades = 8, 12, 20, 8
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 480" font-family="sans-serif" font-size="13">']
    parts.append('<rect width="720" height="480" fill="#fff"/>')
    for row, one in enumerate(convolved):
        strength = next(other for other in convolved if other.groups == one.groups).features.amax(dim=(1, 2))
        chosen = strength.topk(8).indices.sort().values
        low = top + row * (8 * size + gap)
        parts.append(f'<text x="8" y="{low + 36}">{one.groups}, {one.training}</text>')
        for column, number in enumerate(chosen.tolist()):
            left = 140 + column * (8 * size + gap - 6)
            parts.append(
                f'<rect x="{left}" y="{low}" width="{8 * size}" height="{8 * size}" fill="none" stroke="#ccc"/>'
            )
            levels = (one.features[number] * shades).round().int().tolist()
            for shade in range(1, shades + 1):
                squares = "".join(
                    f"M{left + x * size} {low + y * size}h{size}v{size}h-{size}z"
                    for y, line in enumerate(levels)
                    for x, level in enumerate(line)
                    if level == shade
                )
                if squares:
                    parts.append(f'<path d="{squares}" fill-opacity="{shade / shades:g}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _mean_and_error(values: Sequence[float]) -> str:
    tensor = torch.tensor(values, dtype=torch.float64)
    return f"{float(tensor.mean()):.3f} ± {float(tensor.std() / math.sqrt(len(tensor))):.3f}"


def deployed_table(deployed: Sequence[Deployed]) -> list[str]:
    """Lines of a table of experiment 1."""
    lines = [
        "| score bits | P | accuracy, float | accuracy, twin | ECE, float | ECE, twin | flips, float | flips, twin |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one, other in zip(deployed[::2], deployed[1::2], strict=True):
        columns = [f"{pair[0]:.2%} | {pair[1]:.2%}" for pair in zip(one[3:6], other[3:6], strict=True)]
        lines.append(f"| {one.score_width} | {one.probability_width} | {' | '.join(columns)} |")
    return lines


def deployed_charts(deployed: Sequence[Deployed]) -> tuple[str, str]:
    """SVG of the accuracy over the width of a score at P = 8, and of the reliability with scores of 4 bits."""
    accuracies = {
        f"{name}, P = 8": [
            (one.score_width, one.accuracy) for one in deployed if one.training == name and one.probability_width == 8
        ]
        for name in ("float", "twin")
    }
    diagrams = {
        f"{one.training}, P = {one.probability_width}": one.reliability
        for one in deployed
        if one.score_width == 4 and one.probability_width in (4, 8)
    }
    return _chart(accuracies, "bits of a score", "accuracy"), _chart(diagrams, "confidence", "accuracy")


def deployed_heads(deployed: Sequence[Deployed]) -> list[Trained]:
    """The heads that were trained with the twin."""
    return [
        Trained(f"digits, {one.score_width} bits, P = {one.probability_width}", one.config, one.logits[:SIMULATED])
        for one in deployed
        if one.training == "twin"
    ]


def _page(
    deployed: Sequence[Deployed],
    regressed: Mapping[str, Regressed],
    played: Mapping[str, Bandit],
    convolved: Sequence[Convolved],
    hardware: Sequence[str],
) -> str:
    lines = [
        "# Experiments with the head in the loop",
        "",
        "Written by `python -m softstream.scripts.twin.experiments`, which takes minutes on two cores. Small networks and few",
        "seeds: the tables say what happened here, and no more. [The module](README.md) is described on its own page.",
        "",
        "## Digits",
        "",
        "A network 64 → 32 → 10 on the UCI digits, 1200 to train, 597 held out. *float* is trained with the loss of PyTorch and",
        "deployed; *twin* is trained on with the loss of the head for the last quarter of the training. ECE is the expected",
        "calibration error, flips are decisions other than those of the float network without a head.",
        "",
        *deployed_table(deployed),
    ]
    lines += ["", "![Accuracy over the width of a score](experiments_digits.svg)", ""]
    lines += [
        "Reliability with scores of 4 bits: the accuracy of the digits over their confidence, in ten bins. A calibrated head has"
    ]
    lines += [
        "both equal.",
        "",
        "![Accuracy over confidence](experiments_reliability.svg)",
        "",
        "## Regression in bins",
        "",
    ]
    lines += [
        f"100 samples of a noisy curve in {BINS} bins, so most bins near a sample are empty; weights {KERNEL}. Held-out",
        "log-likelihood in nats per sample, mean and standard error over the seeds:",
        "",
        "| smoothing | log-likelihood |",
        "| --- | --- |",
        *(f"| {name} | {_mean_and_error(one.likelihoods)} |" for name, one in regressed.items()),
        "",
        f"The distributions of the first seed at x = {DRAWN_AT}, and the law that the samples come from:",
        "",
        "![Probabilities of the bins, without smoothing, with both edges, and the law](experiments_regression.svg)",
        "",
        "The counts [0, 1, 0, 3, 0, 5] as a distribution, and after the weights (1, 2, 1):",
        "",
        "| edges | probabilities | sum |",
        "| --- | --- | --- |",
        *(f"| {name} | {values} | {sum(values):.3f} |" for name, values in smoothed_example().items()),
        "",
        "![The example without smoothing, and with both edges](experiments_smoothing.svg)",
        "",
        "## Exploration",
        "",
        f"A policy over {ARMS} arms, {SEEDS} seeds. One arm pays 0.5; from the middle on, another one pays 1. The",
        f"floor gives each arm at least {LEAST}. Reward of the last tenth of the steps, and the share of seeds that found the",
        "better arm:",
        "",
        "| policy | reward | found |",
        "| --- | --- | --- |",
    ]
    for name, result in played.items():
        share = float((result.final > 0.55).double().mean())
        lines.append(f"| {name} | {_mean_and_error(result.final.tolist())} | {share:.0%} |")
    lines += ["", "![Reward over the steps](experiments_bandit.svg)", ""]
    lines += [
        "## Filters that compete",
        "",
        f"The digits by a convolution of {FILTERS} filters, a softmax among the filters of each location, a mean over 2 × 2",
        "locations, and a linear layer. The filters are one group, or eight groups of 8. *float* has the softmax of PyTorch,",
        "*deployed* the head in its place after the training, *twin* the head from the start.",
        "",
        "| groups | training | accuracy |",
        "| --- | --- | --- |",
        *(f"| {one.groups} | {one.training} | {one.accuracy:.2%} |" for one in convolved),
        "",
        "The eight filters with the largest probability in one digit that no network has seen. Black is 1.",
        "",
        "![Maps of eight filters for each network](experiments_features.svg)",
        "",
        "## On the hardware",
        "",
        *hardware,
        "",
    ]
    return "\n".join(lines)


def _codes(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """The score codes of a trained head, and what the twin makes of its logits."""
    scores = softstream.quantise(trained.config, trained.logits.double().numpy(), saturate=True).codes
    return scores, Head(trained.config).codes(trained.logits)["probabilities"].numpy()


def simulated(trained: Trained) -> str:
    """The row of a table after the Verilog of a head gave the codes of the twin; raises `AssertionError` where it does not."""
    scores, codes = _codes(trained)
    result = run_rtl(trained.config, scores)
    if (result["probabilities"] != codes).any():
        raise AssertionError(f"{trained.name}: the hardware and the twin differ")
    return f"| {trained.name} | {len(scores)} | {codes.size} |"


def _on_board(trained: Trained) -> str:
    """A sentence after the bitstream of a head gave the codes of the golden model on the simulated board.

    Raises `AssertionError` where the board gives others, or where the tools refuse the head.
    """
    with temporary_folder() as temporary:
        folder = (
            temporary / "board"
        )  # the build locks the folder of its output, and the temporary one is locked already
        folder.mkdir()
        Head(trained.config).export(folder / "head.toml")
        scores = _codes(trained)[0]
        np.save(folder / "scores.npy", scores)
        keys = ("--board", BOARD, "--config", str(folder / "head.toml"))
        sent = ("--simulated", "--scores", str(folder / "scores.npy"), "--vectors", "0")
        for words in (("build", *keys, "-o", str(folder / "build")), ("run-on-board", *keys, *sent)):
            code = run([sys.executable, "-m", "softstream", *words], folder, folder / "log", _BOARD_SECONDS)
            if code:
                raise AssertionError(f"{words[0]}: ended with exit code {code}:\n{(folder / 'log').read_text()}")
    return (
        f"The head *{trained.name}* was built to a bitstream for the board {BOARD}, and the simulated board\n"
        f"gave the codes of the model for its {len(scores)} vectors."
    )


def simulated_lines(heads: Sequence[Trained]) -> list[str]:
    """Lines of a page about heads in the simulator."""
    rows = []
    for one in heads:
        print(f"simulating {one.name}", flush=True)
        rows.append(simulated(one))
    return [
        "The Verilog of each trained head ran in the simulator on scores of its own network, and gave the codes of the twin,",
        "bit for bit:",
        "",
        "| head | vectors | probabilities |",
        "| --- | --- | --- |",
        *rows,
    ]


def _hardware(heads: Sequence[Trained], built: Trained) -> list[str]:
    """Lines of the page about the heads in the simulator, and one of them on the simulated board."""
    lines = simulated_lines(heads)
    print(f"building {built.name} for {BOARD}", flush=True)
    return [*lines, "", _on_board(built)]


def main() -> None:
    """Runs the experiments and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--without-hardware",
        action="store_true",
        help="leave out the simulation of the trained heads, which takes minutes",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the tensors are small, and threads would only wait for each other
    deployed = digits()
    print("digits: done", flush=True)
    regressed = regression()
    print("regression: done", flush=True)
    played = {name: bandit(name) for name in ("none", "floor", "clip", "entropy")}
    convolved = convolutions()
    print("filters: done", flush=True)
    heads = deployed_heads(deployed)
    built = next(one for one in heads if one.config.score_width == 4 and one.config.probability_width == 8)
    heads += [one.trained for one in regressed.values()] + [one.trained for one in played.values()]
    heads += [one.trained for one in convolved if one.training == "twin"]
    hardware = ["The heads did not run."] if arguments.without_hardware else _hardware(heads, built)
    rewards = {
        name: [(step, float(result.returns[step : step + 20].mean())) for step in range(0, STEPS, 20)]
        for name, result in played.items()
    }
    shapes = {name: list(enumerate(map(float, values))) for name, values in smoothed_example().items()}
    distributions = {name: list(enumerate(one.distribution)) for name, one in regressed.items()}
    distributions["law"] = list(enumerate(_true_distribution(DRAWN_AT)))
    accuracies, diagrams = deployed_charts(deployed)
    pages = {
        "experiments_regression.svg": _chart(distributions, "bin", "probability"),
        "experiments_features.svg": _features(convolved),
        "experiments_reliability.svg": diagrams,
        "experiments_smoothing.svg": _chart(shapes, "bin", "probability"),
        "experiments.md": _page(deployed, regressed, played, convolved, hardware),
        "experiments_digits.svg": accuracies,
        "experiments_bandit.svg": _chart(rewards, "step", "reward"),
    }
    for name, text in pages.items():
        with written_file("experiments", FOLDER / name) as file:
            file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
