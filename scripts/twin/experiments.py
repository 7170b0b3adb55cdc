"""Three experiments with the head in the loop: python -m softstream.scripts.twin.experiments. Needs scikit-learn.

1. Digits: a network trained in float and deployed, against the same network trained on with the twin, over widths of scores.
2. Regression in bins, some of them without a training sample: smoothing in the loop against none.
3. A bandit by policy gradient, whose exploration dies: a floor in the activation against a clip, an entropy bonus, and neither.

Writes experiments.md and its pictures beside this file. Each trained head of experiment 1 runs in the simulator on its own
scores with `--simulate`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import softstream
from softstream.hw.config.config import Config
from softstream.hw.output import written_file
from softstream.scripts.twin.head import Head
from softstream.scripts.twin.losses import CrossEntropy, entropy_bonus
from softstream.sim.simulators.runner import run_rtl

__all__ = [
    "Bandit",
    "Deployed",
    "bandit",
    "calibration_error",
    "digits",
    "main",
    "regression",
    "reliability",
    "smoothed_example",
]

FOLDER = Path(__file__).parent
SCORE_WIDTHS = (3, 4, 6, 8)
PROBABILITY_WIDTHS = (4, 6, 8)
BINS = 32
KERNEL = (1, 2, 3, 2, 1)
ARMS, STEPS, SEEDS, RATE = 10, 600, 100, 0.5
LEAST = 0.02
"""The least probability of an arm that keeps exploration alive."""


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


def _network(state: Mapping[str, Tensor] | None = None) -> nn.Sequential:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    if state is not None:
        network.load_state_dict(state)
    return network


def digits(epochs: int = 24) -> list[Deployed]:
    """Networks trained in float and deployed, and trained on with the twin, for every width.

    The scale of the scores is that of `observe` on the training digits. The twin trains on for a third of the epochs, with the
    loss of its head; the float network trains on for as many, so both have seen the digits equally often.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    inputs, labels = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    training, held_out = slice(0, 1200), slice(1200, None)
    base = _network()
    _fit(base, nn.CrossEntropyLoss(), inputs[training], labels[training], epochs, 1e-2)
    state = {name: values.clone() for name, values in base.state_dict().items()}
    _fit(base, nn.CrossEntropyLoss(), inputs[training], labels[training], epochs // 3, 1e-3)
    with torch.no_grad():
        reference = base(inputs[held_out]).argmax(dim=1)
    results = []
    for score_width in SCORE_WIDTHS:
        for probability_width in PROBABILITY_WIDTHS:
            head = Head(Config(max_length=10, score_width=score_width, probability_width=probability_width))
            with torch.no_grad():
                head.observe(base(inputs[training]))
            tuned = _network(state)
            _fit(tuned, CrossEntropy(head.config), inputs[training], labels[training], epochs // 3, 1e-3)
            for name, network in (("float", base), ("twin", tuned)):
                with torch.no_grad():
                    logits = network(inputs[held_out])
                    probabilities = head(logits)
                choice = probabilities.argmax(dim=1)
                results.append(
                    Deployed(
                        score_width,
                        probability_width,
                        name,
                        float((choice == labels[held_out]).double().mean()),
                        calibration_error(probabilities, labels[held_out]),
                        float((choice != reference).double().mean()),
                        head.config,
                        logits,
                        reliability(probabilities, labels[held_out]),
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


def regression(epochs: int = 150, seeds: int = 4) -> dict[str, list[float]]:
    """Held-out log-likelihood in nats per sample, without smoothing and with both kinds of edges, for each seed.

    100 samples in 32 bins leave most bins of a neighbourhood empty. A probability of 0 counts as half a step.
    """
    results: dict[str, list[float]] = {}
    changes: dict[str, dict[str, Any]] = {
        "none": {},
        "gather": {"smoothing": KERNEL},
        "scatter": {"smoothing": KERNEL, "smoothing_edges": "scatter"},
    }
    for name, keys in changes.items():
        config = Config(max_length=BINS, probability_width=12, score_width=10, score_scale=2.0**-5).replace(**keys)
        head = Head(config)
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
                value = float(_log_likelihood(network(others[0]), others[1], config))
            results.setdefault(name, []).append(value)
    return results


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
    return Bandit(whole.mean(dim=1), whole[-STEPS // 10 :].mean(dim=0))


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


def _mean_and_error(values: Sequence[float]) -> str:
    tensor = torch.tensor(values, dtype=torch.float64)
    return f"{float(tensor.mean()):.3f} ± {float(tensor.std() / math.sqrt(len(tensor))):.3f}"


def _page(deployed: Sequence[Deployed], regressed: Mapping[str, Sequence[float]], played: Mapping[str, Bandit]) -> str:
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
        "| score bits | P | accuracy, float | accuracy, twin | ECE, float | ECE, twin | flips, float | flips, twin |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one, other in zip(deployed[::2], deployed[1::2], strict=True):
        columns = [f"{pair[0]:.2%} | {pair[1]:.2%}" for pair in zip(one[3:6], other[3:6], strict=True)]
        lines.append(f"| {one.score_width} | {one.probability_width} | {' | '.join(columns)} |")
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
        *(f"| {name} | {_mean_and_error(values)} |" for name, values in regressed.items()),
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
    return "\n".join(lines)


def _simulated(deployed: Sequence[Deployed], vectors: int) -> int:
    """How many trained heads give the codes of the twin in the simulator, on their own scores; raises at the first other one."""
    trained = [one for one in deployed if one.training == "twin"]
    for one in trained:
        print(f"simulating {one.score_width} score bits, P = {one.probability_width}", flush=True)
        scores = softstream.quantise(one.config, one.logits[:vectors].double().numpy(), saturate=True).codes
        codes = Head(one.config).codes(one.logits[:vectors])["probabilities"].numpy()
        if (run_rtl(one.config, scores)["probabilities"] != codes).any():
            raise AssertionError(f"{one.config}: the hardware and the twin differ")
    return len(trained)


def main() -> None:
    """Runs the experiments and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--simulate", action="store_true", help="run every trained head of experiment 1 in the simulator"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the tensors are small, and threads would only wait for each other
    deployed = digits()
    print("digits: done", flush=True)
    regressed = regression()
    print("regression: done", flush=True)
    played = {name: bandit(name) for name in ("none", "floor", "clip", "entropy")}
    accuracies = {
        f"{name}, P = 8": [
            (one.score_width, one.accuracy) for one in deployed if one.training == name and one.probability_width == 8
        ]
        for name in ("float", "twin")
    }
    rewards = {
        name: [(step, float(result.returns[step : step + 20].mean())) for step in range(0, STEPS, 20)]
        for name, result in played.items()
    }
    diagrams = {
        f"{one.training}, P = {one.probability_width}": one.reliability
        for one in deployed
        if one.score_width == 4 and one.probability_width in (4, 8)
    }
    shapes = {name: list(enumerate(map(float, values))) for name, values in smoothed_example().items()}
    pages = {
        "experiments_reliability.svg": _chart(diagrams, "confidence", "accuracy"),
        "experiments_smoothing.svg": _chart(shapes, "bin", "probability"),
        "experiments.md": _page(deployed, regressed, played),
        "experiments_digits.svg": _chart(accuracies, "bits of a score", "accuracy"),
        "experiments_bandit.svg": _chart(rewards, "step", "reward"),
    }
    for name, text in pages.items():
        with written_file("experiments", FOLDER / name) as file:
            file.write_text(text, encoding="utf-8")
    if arguments.simulate:
        print(f"{_simulated(deployed, 40)} trained heads: the hardware gives the codes of the twin, bit for bit")


if __name__ == "__main__":
    main()
