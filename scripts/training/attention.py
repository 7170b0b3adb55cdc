"""Makes the attention scores in sim/data: `python -m softstream.scripts.training.attention`. Needs PyTorch.

A causal transformer of 2 layers with 4 heads of 32 dimensions predicts the next byte of this repository's pages. Positions enter
by rotations of queries and keys (Su et al., "RoFormer", arXiv:2104.09864). Adam on the cross-entropy of windows of 1024 bytes, a
few minutes. The scores q·k / √32 are those of a window that was held out, row by row: row n has the n keys up to its own place,
so its length is n. The pages change, and so do the scores of another run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from softstream.hw.output import written_file
from softstream.sim.data import ATTENTION_DESCRIPTION, ATTENTION_SCORES

__all__ = ["HEADS", "LAYERS", "ROWS", "SEED", "WIDTH", "Attention", "main", "text", "train"]

SEED = 20
LAYERS, HEADS, WIDTH = 2, 4, 32
"""Layers, heads of each, and dimensions of a query."""
WINDOW = 1024
"""Bytes of a window, and keys of the longest row."""
ROWS = (1, 2, 7, 32, 64, 128, 197, 256, 400, 512, 640, 768, 900, 1000, 1023, 1024)
"""Rows that are taken of each head, by their number of keys."""
STEPS, BATCH, RATE = 160, 1, 2e-3


@dataclass(frozen=True)
class Attention:
    """The scores and what describes them."""

    scores: np.ndarray
    """float16 [rows, 1024] in nats: layer by layer, head by head, the rows of `ROWS`, 0 behind the last key of a row."""
    lengths: np.ndarray
    """int64 [rows]: keys of each row."""
    loss: float
    """Bits per byte on the window that was held out."""


def text() -> bytes:
    """The pages of the repository, one after the other."""
    root = Path(__file__).resolve().parents[2]
    pages = sorted(root.glob("*/**/README.md")) + sorted(root.glob("*.md"))
    return b"\n".join(page.read_bytes() for page in pages if ".venv" not in page.parts and "build" not in page.parts)


def _rotated(torch: Any, values: Any) -> Any:
    """Pairs of dimensions turned by angles that grow with the place; values [B, H, T, D]."""
    half = values.shape[-1] // 2
    places = torch.arange(values.shape[-2])[:, None]
    angles = places * 10000.0 ** (-torch.arange(half) / half)
    one, other = values[..., :half], values[..., half:]
    sine, cosine = angles.sin(), angles.cos()
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], dim=-1)


def _network(torch: Any) -> Any:
    """The transformer: bytes [B, T] to (logits [B, T, 256], scores in nats [B, H, T, T] of each layer)."""
    nn: Any = torch.nn
    size = HEADS * WIDTH

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.behind = nn.LayerNorm(size), nn.LayerNorm(size)
            self.inputs, self.output = nn.Linear(size, 3 * size, bias=False), nn.Linear(size, size, bias=False)
            self.hidden = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

        def forward(self, x: Any) -> tuple[Any, Any]:
            batch, count, _ = x.shape
            parts = self.inputs(self.before(x)).reshape(batch, count, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
            query, key, value = _rotated(torch, parts[0]), _rotated(torch, parts[1]), parts[2]
            scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH)
            hidden = torch.triu(torch.ones(count, count, dtype=torch.bool), diagonal=1)
            shares = scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)
            x = x + self.output((shares @ value).transpose(1, 2).reshape(batch, count, size))
            return x + self.hidden(self.behind(x)), scores

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols = nn.Embedding(256, size)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.end = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, 256))

        def forward(self, codes: Any) -> tuple[Any, list[Any]]:
            x, scores = self.symbols(codes), []
            for block in self.blocks:
                x, of_block = block(x)
                scores.append(of_block)
            return self.end(x), scores

    return Network()


def train() -> Attention:
    """Trains on all pages but the last window, and takes the scores of that one."""
    import torch

    torch.manual_seed(SEED)
    codes = torch.tensor(np.frombuffer(text(), dtype=np.uint8).astype(np.int64))
    known, held_out = codes[: -WINDOW - 1], codes[-WINDOW - 1 :]
    network = _network(torch)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    for step in range(STEPS):
        starts = torch.randint(len(known) - WINDOW - 1, (BATCH,))
        windows = torch.stack([known[start : start + WINDOW + 1] for start in starts])
        logits, _ = network(windows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20, 2 * (STEPS - step) / STEPS)
        optimiser.step()
        if step % 25 == 0:
            print(f"step {step}: {float(loss.detach()) / math.log(2):.3f} bits per byte")
    with torch.no_grad():
        logits, scores = network(held_out[None, :-1])
        loss = torch.nn.functional.cross_entropy(logits[0], held_out[1:])
    rows = [layer[0, head, count - 1] for layer in scores for head in range(HEADS) for count in ROWS]
    lengths = np.tile(ROWS, LAYERS * HEADS)
    inside = np.arange(WINDOW) < lengths[:, None]
    return Attention(
        np.where(inside, torch.stack(rows).numpy(), 0).astype(np.float16), lengths, float(loss) / math.log(2)
    )


def main() -> None:
    """Writes attention_scores.npz and attention.toml."""
    attention = train()
    inside = np.arange(WINDOW) < attention.lengths[:, None]
    description = {
        "score_scale": math.ceil(float(np.abs(attention.scores.astype(np.float64)).max()) / 127 * 1e4) / 1e4,
        "score_width": 8,
        "rows": len(attention.scores),
        "largest_score_nats": round(float(attention.scores[inside].max()), 3),
        "smallest_score_nats": round(float(attention.scores[inside].min()), 3),
        "bits_per_byte": round(attention.loss, 3),
        "network": f"{LAYERS} layers, {HEADS} heads of {WIDTH} dimensions, causal, scores q·k / √{WIDTH}; next byte of the pages",
        "made_by": "python -m softstream.scripts.training.attention",
    }
    with written_file("sim/data", ATTENTION_SCORES) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, scores=attention.scores, lengths=attention.lengths)
    with written_file("sim/data", ATTENTION_DESCRIPTION) as temporary:
        temporary.write_text(tomli_w.dumps(description), encoding="utf-8")


if __name__ == "__main__":
    main()
