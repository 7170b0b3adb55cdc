"""The stages of a head on tensors: framed vectors, the sum of exponentials, the leading one, the winner and the K largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.numbers.exponential import ExponentialTables
from softstream.hw.numbers.softmax import Numerics

__all__ = [
    "Accumulate",
    "Exponential",
    "Frame",
    "Vectors",
    "insertion",
    "leading_one",
    "lookup",
    "maximum",
    "shifted_product",
    "table",
    "within",
]

_WIDEST_SHIFT = 63


def table(values: Sequence[int] | np.ndarray) -> Tensor:
    """Integers as an int64 tensor, for a buffer."""
    return torch.from_numpy(np.array(values, dtype=np.int64))


def lookup(entries: Tensor, index: Tensor) -> Tensor:
    """entries[index], in the shape of the index; several times as fast on a CPU."""
    return entries.index_select(0, index.reshape(-1)).reshape(index.shape)


def within(lengths: Tensor, columns: int) -> Tensor:
    """Which columns belong to vectors of these lengths [V]: bool [V, columns]."""
    return torch.arange(columns, device=lengths.device) < lengths[:, None]


@dataclass(frozen=True)
class Vectors:
    """Framed vectors: the input of the model of a head, as `softstream.sim.golden.stages.frame.Block`."""

    positions: Tensor
    """Positions of the score codes, 0 where masked, int64 [V, N]."""
    lengths: Tensor
    """Elements of each vector, cut at max_length, int64 [V]."""
    sideband: Mapping[str, Tensor]
    """The sideband of the scores by name, int64 [V, N] or [V]."""
    words_before: int = 0
    """Random words that all vectors before these used since reset."""

    @property
    def valid(self) -> Tensor:
        """Which positions are elements, bool [V, N]."""
        return within(self.lengths, self.positions.shape[1])

    @property
    def taking_part(self) -> Tensor:
        """Which positions are elements that are not masked, bool [V, N]."""
        return self.valid & (self.sideband["mask"] == 0) if "mask" in self.sideband else self.valid

    @property
    def flags(self) -> dict[str, Tensor]:
        """The flag of fully masked vectors, bool [V], where the head has a mask."""
        return {"all_masked": ~self.taking_part.any(dim=1)} if "mask" in self.sideband else {}


class Frame(nn.Module):
    """Score codes [V, N] and lengths [V] to positions, and the flag of vectors cut to max_length."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def forward(self, codes: Tensor, lengths: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(positions [V, N'], lengths [V], overlong [V]), N' = min(N, max_length)."""
        longest = self.config.max_length
        positions = self.config.position(codes[:, :longest])
        if mask is not None:
            positions = torch.where(mask[:, :longest] != 0, 0, positions)
        return positions, lengths.clamp(max=longest), lengths > longest


class Exponential(nn.Module):
    """2^(β·position) as an integer exponent E and a significand M."""

    exponent: Tensor
    significand: Tensor

    def __init__(self, tables: ExponentialTables) -> None:
        super().__init__()
        exponent, significand = tables.all_positions
        self.register_buffer("exponent", table(exponent), persistent=False)
        self.register_buffer("significand", table(significand), persistent=False)

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """(E, M), each in the shape of the positions."""
        return lookup(self.exponent, positions), lookup(self.significand, positions)


class Accumulate(nn.Module):
    """The sum of each vector's exponentials, with its reference H: Σ 2^E·M = sum · 2^(c·H − A)."""

    terms: Tensor

    def __init__(self, widths: Numerics) -> None:
        super().__init__()
        self.widths = widths
        exponent, significand = widths.tables.all_positions
        self.register_buffer("exponent", table(exponent), persistent=False)
        if widths.absolute:
            # An exact sum adds one table entry for each element.
            terms = np.asarray(significand, dtype=np.int64) << np.asarray(exponent, dtype=np.int64)
            self.register_buffer("terms", table(terms), persistent=False)
        elif widths.windows:
            octaves = np.asarray(exponent, dtype=np.int64)
            window = octaves // widths.reference_step
            terms = np.asarray(significand, dtype=np.int64) << (octaves - widths.reference_step * window)
            self.register_buffer("terms", table(terms), persistent=False)
            self.register_buffer("coarse", table(window), persistent=False)
        else:
            step, fraction = widths.reference_step, widths.accumulator_fraction
            terms = np.asarray(significand) << (
                (np.asarray(exponent) & (step - 1)) + (fraction - widths.significand_fraction)
            )
            self.register_buffer("terms", table(terms), persistent=False)
            self.register_buffer("coarse", table(np.asarray(exponent) // step), persistent=False)

    def forward(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """(H [V], sum [V]) of positions [V, N] where valid."""
        terms = torch.where(valid, lookup(self.terms, positions), 0)
        if self.widths.absolute:
            total = terms.sum(dim=1) + self.widths.sink_term
            return torch.zeros_like(total), total
        coarse = torch.where(valid, lookup(self.coarse, positions), 0)
        return self._two_windows(terms, coarse) if self.widths.windows else self._referenced(terms, coarse)

    def _two_windows(self, terms: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """In two windows of octaves: the terms of the highest one, and those of the next one in coarser steps."""
        octaves, fraction = self.widths.reference_step, self.widths.significand_fraction
        highest = window.amax(dim=1)
        at_top, below = window == highest[:, None], window == highest[:, None] - 1
        earlier = within(at_top.long().argmax(dim=1), window.shape[1])
        high = torch.where(at_top, terms, 0).sum(dim=1)
        low = torch.where(below & earlier, terms, 0).sum(dim=1) >> fraction
        low = low + torch.where(below & ~earlier, terms >> fraction, 0).sum(dim=1)
        cut = self.widths.accumulator_fraction
        return highest, (high << (cut - fraction)) + (low >> (octaves - cut))

    def _referenced(self, terms: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Against a running reference: one round for each of its growths, of the terms under it and a shift of the sum."""
        step = self.widths.reference_step
        running = coarse.cummax(dim=1).values
        terms = terms >> (step * (running - coarse)).clamp(max=_WIDEST_SHIFT)
        sums = torch.nn.functional.pad(terms.cumsum(dim=1), (1, 0))
        reference, total = running[:, 0], torch.zeros_like(running[:, 0])
        before, last = torch.zeros_like(total), running.shape[1]
        while True:
            end = (running <= reference[:, None]).sum(dim=1)
            upto = sums.gather(1, end[:, None])[:, 0]
            total = total + upto - before
            before = upto
            if bool((end == last).all()):
                return reference, total
            larger = running.gather(1, end.clamp(max=last - 1)[:, None])[:, 0]
            total = total >> (step * (larger - reference)).clamp(max=_WIDEST_SHIFT)
            reference = larger


def leading_one(widths: Numerics, reference: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
    """(n + s [V], m [V]): the sum is 2^n · m·2^-D, m an integer in [2^D, 2^(D+1)), bits below it cut off."""
    leading = torch.frexp(total.double()).exponent.long() - 1
    leading = leading - (total >> leading == 0).long()  # float64 may round a sum of more than 53 bits up to 2^n
    down = (leading - widths.divisor_fraction).clamp(min=0)
    up = (widths.divisor_fraction - leading).clamp(min=0)
    exponent = widths.reference_step * reference + leading - widths.accumulator_fraction
    return exponent + widths.numerator_octaves, (total >> down) << up


def maximum(positions: Tensor, valid: Tensor, *, last_wins: bool = False) -> tuple[Tensor, Tensor]:
    """(index [V], position [V]) of the maximum of positions [V, N] where valid; the first index wins a tie, or the last one."""
    ranked = torch.where(valid, positions, -1)
    if last_wins:
        index = ranked.shape[1] - 1 - ranked.flip(1).argmax(dim=1)
        index = torch.where(valid.any(dim=1), index, 0)
    else:
        index = ranked.argmax(dim=1)
    return index, positions.gather(1, index[:, None])[:, 0]


def margin(positions: Tensor, valid: Tensor, width: int) -> Tensor:
    """Distance [V] of the largest of positions [V, N] of `width` bits where valid from the largest one of the others.

    It is the largest code where one element is valid, and 0 where none is.
    """
    ranked = nn.functional.pad(torch.where(valid, positions, -1), (1, 0), value=-1)
    best, second = ranked.topk(2, dim=1).values.unbind(dim=1)
    alone = torch.where(best >= 0, (1 << width) - 1, 0)
    return torch.where(second >= 0, best - second, alone)


def insertion(positions: Tensor, valid: Tensor, count: int, *, last_wins: bool = False) -> tuple[Tensor, Tensor]:
    """(indices [V, K], positions [V, K]) of the K largest where valid, in order, 0 beyond the number of elements."""
    ranked = torch.where(valid, positions, -1)
    if last_wins:
        order = ranked.shape[1] - 1 - ranked.flip(1).argsort(dim=1, descending=True, stable=True)
    else:
        order = ranked.argsort(dim=1, descending=True, stable=True)
    order = order[:, :count]
    best = ranked.gather(1, order)
    missing = (0, count - order.shape[1])
    return nn.functional.pad(torch.where(best < 0, 0, order), missing), nn.functional.pad(best.clamp(min=0), missing)


def shifted_product(one: Tensor, other: Tensor, shift: int, width: int) -> Tensor:
    """floor(one · other / 2^shift) of a product of `width` bits, as `softstream.hw.numbers.wide.shifted_product`."""
    if width <= _WIDEST_SHIFT:
        return (one * other) >> shift
    low = min(shift, 18)
    return (one * (other >> low) + ((one * (other & ((1 << low) - 1))) >> low)) >> (shift - low)
