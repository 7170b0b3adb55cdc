"""The options on tensors: stages before and behind the head of a configuration, and groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import Composition
from softstream.hw.numbers.ensemble import sum_offset
from softstream.hw.numbers.floor import floor_code
from softstream.hw.numbers.smoothing import smoothing_tables
from softstream.sim.twin.modes import MODES, Argmax, Arrays
from softstream.sim.twin.stages import Vectors, maximum, table, within

__all__ = ["Composed"]


def member_sum(values: Tensor, lengths: Tensor, members: int) -> Tensor:
    """Σ over each `members` rows of values [V, N]: int64 [V / members, N], 0 for a value beyond either length."""
    first = lengths[::members].repeat_interleave(members)
    present = within(torch.minimum(lengths, first), values.shape[1])
    return torch.where(present, values, 0).reshape(-1, members, values.shape[1]).sum(dim=1)


def _mean_logits(before: Config, after: Config, vectors: Vectors) -> Vectors:
    """An ensemble's vectors of scores become one of their sums."""
    members = before.ensemble
    offset = int(after.position(sum_offset(before)))
    positions = member_sum(vectors.positions, vectors.lengths, members) + offset
    sideband = {name: values[members - 1 :: members] for name, values in vectors.sideband.items()}
    return replace(vectors, positions=positions, lengths=vectors.lengths[::members], sideband=sideband)


def _inverse_temperature(before: Config, after: Config, vectors: Vectors) -> Vectors:
    """Positions times the code of their vector."""
    sideband = {name: values for name, values in vectors.sideband.items() if name != "temperatures"}
    positions = vectors.positions * vectors.sideband["temperatures"][:, None]
    return replace(vectors, positions=positions, sideband=sideband)


FRONTS: dict[str, Callable[[Config, Config, Vectors], Vectors]] = {
    "mean_logits": _mean_logits,
    "inverse_temperature": _inverse_temperature,
}
"""Front stage → its function: (configuration before it, configuration behind it, vectors) → vectors."""


class MeanProbabilities(nn.Module):
    """Sums of the members' guarded codes, over M, and the winner of the sums."""

    def __init__(self, config: Config, inner: Config) -> None:
        super().__init__()
        self.config = config

    def forward(self, vectors: Vectors, arrays: Arrays) -> Arrays:
        """Guarded codes of the mean, [V / M, N]."""
        members = self.config.ensemble
        sums = member_sum(arrays["probabilities"], vectors.lengths, members)
        valid = within(vectors.lengths[::members], sums.shape[1])
        index, largest = maximum(sums, valid, last_wins=self.config.last_wins)
        means = torch.div(sums, members, rounding_mode="floor")
        return {"argmax": index, "best_sum": largest, "probabilities": means}


class Floor(nn.Module):
    """Guarded probabilities drawn up to the floor."""

    def __init__(self, config: Config, inner: Config) -> None:
        super().__init__()
        self.width, self.code = inner.probability_width, floor_code(config, inner)

    def forward(self, vectors: Vectors, arrays: Arrays) -> Arrays:
        """F + floor(c·p·2^−P' + 1/2) for each element, c = 2^P' − F·N."""
        left = (1 << self.width) - self.code * vectors.lengths[:, None]
        codes = self.code + ((left * arrays["probabilities"] + (1 << (self.width - 1))) >> self.width)
        return {**arrays, "probabilities": torch.where(vectors.valid, codes, 0)}


class Smoothing(nn.Module):
    """A kernel over guarded codes, with the constants of the edges from tables."""

    def __init__(self, config: Config, inner: Config) -> None:
        super().__init__()
        self.tables = smoothing_tables(config, inner)
        radius = self.tables.radius
        choice = torch.zeros((radius + 1, radius + 1), dtype=torch.int64)
        for places, which in self.tables.choice.items():
            choice[places] = which
        self.register_buffer("choice", choice, persistent=False)
        for number, entries in enumerate(self.tables.entries):
            self.register_buffer(f"entries_{number}", table(entries), persistent=False)

    def divide(self, dividend: Tensor, which: Tensor) -> Tensor:
        """Σ_d T_d[D, digit d of the dividend]; `which` says which D."""
        total, start = torch.zeros_like(dividend), 0
        for number, bits in enumerate(self.tables.digits):
            digit = (dividend >> start) & ((1 << bits) - 1)
            total = total + self.get_buffer(f"entries_{number}")[(which << bits) + digit]
            start += bits
        return total

    def weigh(self, values: Tensor) -> Tensor:
        """Σ_k w_k·value_(i+k), values beyond each vector being 0."""
        radius, length = self.tables.radius, values.shape[1]
        padded = nn.functional.pad(values, (radius, radius))
        total = torch.zeros_like(values)
        for place, weight in enumerate(self.tables.weights):
            total = total + weight * padded[:, place : place + length]
        return total

    def forward(self, vectors: Vectors, arrays: Arrays) -> Arrays:
        """The codes after every pass, 0 beyond each length."""
        tables, valid, codes = self.tables, vectors.valid, arrays["probabilities"]
        index = torch.arange(valid.shape[1], device=codes.device)
        left = index.clamp(max=tables.radius)[None]
        right = (vectors.lengths[:, None] - 1 - index).clamp(0, tables.radius)
        which = self.choice[left, right]
        for _ in range(tables.passes):
            if tables.scatter:
                shares = torch.where(valid, self.divide(codes, which), 0)
                codes = (self.weigh(shares) + (1 << (tables.fraction - 1))) >> tables.fraction
            else:
                codes = self.divide(self.weigh(codes), which) >> tables.fraction
            codes = torch.where(valid, codes, 0)
        return {**arrays, "probabilities": codes}


POSTS: dict[str, type[nn.Module]] = {
    "mean_probabilities": MeanProbabilities,
    "smoothing": Smoothing,
    "floor": Floor,
}
"""Post stage → its module: (vectors, arrays before it) → arrays behind it."""


def _finished(config: Config, inner: Config, codes: Tensor) -> Tensor:
    """min(floor(L·code·2^−P' + 1/2), code of 1.0) + zero point: the one rounding of a composed head."""
    levels, fraction = config.levels, inner.probability_width
    if not config.rescales:
        levels, fraction = 1, inner.probability_width - config.probability_width
    rounded = (codes * levels + (1 << (fraction - 1))) >> fraction
    return rounded.clamp(max=config.probability_maximum) + config.output_zero_point


class Composed(nn.Module):
    """Front stages, the head of the inner configuration, post stages, one rounding."""

    def __init__(self, config: Config, parts: Composition) -> None:
        super().__init__()
        self.config, self.parts = config, parts
        self.inner = MODES[parts.inner.mode](parts.inner)
        self.winners = nn.ModuleList(Argmax(front.argmax) for front in parts.fronts if front.argmax is not None)
        self.posts = nn.ModuleDict({name: POSTS[name](config, parts.inner) for name in parts.posts})

    def forward(self, vectors: Vectors) -> Arrays:
        """The arrays of the composed head."""
        config, parts, winner = self.config, self.parts, Arrays()
        winners = iter(self.winners)
        for front in parts.fronts:
            if front.argmax is not None:
                winner = next(winners)(vectors)
            vectors = FRONTS[front.name](front.before, front.after, vectors)
        arrays = {**self.inner(vectors), **winner}
        for stage in self.posts.values():
            arrays = stage(vectors, arrays)
            members = len(vectors.lengths) // max(1, len(arrays["probabilities"]))
            if members > 1:
                # The stage merged vectors: from here on each ensemble is one vector, as long as its first member.
                merged = vectors.positions[::members]
                vectors = replace(vectors, positions=merged, lengths=vectors.lengths[::members])
        name, present = self._present(vectors)
        if parts.finished:
            arrays[name] = torch.where(present, _finished(config, parts.inner, arrays[name]), 0)
        elif parts.shifted:
            arrays[name] = torch.where(present, arrays[name] + config.output_zero_point, 0)
        return arrays

    def _present(self, vectors: Vectors) -> tuple[str, Tensor]:
        """Name of the array of probability codes, and which of its codes exist."""
        if self.config.traits.top_k:
            ranks = vectors.taking_part.sum(dim=1).clamp(min=1)
            return "top_probabilities", within(ranks, self.config.top_k)
        return "probabilities", vectors.valid
