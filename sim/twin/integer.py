"""A head on tensors of codes: bit for bit the golden model, on any device, without a loop over elements."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import result_outputs
from softstream.sim.twin.modes import MODES, Arrays
from softstream.sim.twin.options import Composed
from softstream.sim.twin.stages import Frame, Vectors

__all__ = ["IntegerHead"]


class IntegerHead(nn.Module):
    """Score codes [V, N] to the arrays of `golden`, as int64 and bool tensors by name."""

    def __init__(self, config: Config) -> None:
        """Raises `UserError` for a draw by inverse CDF, which has no gradient."""
        super().__init__()
        if config.inverse_cdf:
            raise UserError(
                "sampler = 'inverse_cdf': a draw from the running sum has no gradient, so the twin does not have it; "
                "sampler = 'gumbel' would do, whose relaxation has one"
            )
        self.config = config
        self.vectors_config = config.replace(groups=[]) if config.groups else config
        self.frame = Frame(self.vectors_config)
        parts = composition(self.vectors_config)
        mode = self.vectors_config.mode
        self.head = MODES[mode](self.vectors_config) if parts is None else Composed(self.vectors_config, parts)

    def forward(
        self,
        codes: Tensor,
        lengths: Tensor | None = None,
        sideband: Mapping[str, Tensor] | None = None,
        *,
        words_before: int = 0,
    ) -> Arrays:
        """The arrays of `softstream.golden` for int64 codes [V, N], lengths [V] and a sideband by name.

        Codes lie within the score format, and lengths from 1 to N: `Head` and `golden` check both.
        """
        sideband = dict(sideband or {})
        if lengths is None:
            lengths = torch.full((len(codes),), codes.shape[1], dtype=torch.int64, device=codes.device)
        if not self.config.groups:
            return self._padded(self._vectors(codes, lengths, sideband, words_before), codes.shape[1])
        grouping = Groups(self.config, lengths)
        split = {name: grouping.split(values) for name, values in sideband.items()}
        rows = grouping.split(codes)
        results = self._padded(self._vectors(rows, grouping.lengths, split, words_before), rows.shape[1])
        return grouping.joined(results, codes.shape[1])

    def _vectors(self, codes: Tensor, lengths: Tensor, sideband: Mapping[str, Tensor], words_before: int) -> Arrays:
        config = self.vectors_config
        positions, framed, overlong = self.frame(codes, lengths, sideband.get("mask"))
        columns = positions.shape[1]
        cut = {name: values[:, :columns] if values.ndim == 2 else values for name, values in sideband.items()}
        arrays = self.head(Vectors(positions, framed, cut, words_before))
        if config.ensemble == 1:
            return {**arrays, "overlong": overlong}
        rows = framed.reshape(-1, config.ensemble)
        same = rows == rows[:, :1]
        cuts = (overlong.reshape(-1, config.ensemble) & same).any(dim=1)
        return {**arrays, "overlong": cuts, "uneven": ~same.all(dim=1)}

    def _padded(self, arrays: Arrays, columns: int) -> Arrays:
        """The arrays of elements with the columns of the scores, 0 beyond max_length."""
        elements = {
            field.array
            for output in result_outputs(self.vectors_config)
            if output.per == "element"
            for field in output.fields
        }
        return {
            name: nn.functional.pad(values, (0, columns - values.shape[1])) if name in elements else values
            for name, values in arrays.items()
        }


class Groups:
    """The groups of packets as index tensors, from `softstream.hw.numbers.groups.Grouping`."""

    def __init__(self, config: Config, lengths: Tensor) -> None:
        self.config, self.device = config, lengths.device
        self.numbers = Grouping(config.groups, np.array(lengths.tolist(), dtype=np.int64))
        self.lengths = self._tensor(self.numbers.lengths)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def split(self, values: Tensor) -> Tensor:
        """Values of elements, [V, N], group by group, [R, S], 0 beyond each length."""
        place = np.arange(values.shape[0] * values.shape[1]).reshape(values.shape) + 1
        index = self._tensor(self.numbers.split(place))
        return torch.where(index > 0, values.reshape(-1)[(index - 1).clamp(min=0)], 0)

    def joined(self, results: Arrays, columns: int) -> Arrays:
        """The arrays of groups as arrays of packets: of elements [V, N], of groups [V, G]."""
        arrays: Arrays = {"incomplete": self._tensor(self.numbers.join_groups(~self.numbers.complete))}
        names = [field.array for output in result_outputs(self.config) for field in (*output.fields, *output.flags)]
        for name in names:
            if name in results:
                arrays[name] = self.join(results[name], columns)
        return arrays

    def join(self, values: Tensor, columns: int) -> Tensor:
        """Values of elements, [R, S], packet by packet, [V, N]; of groups, [R], likewise, [V, G]; 0 beyond each length."""
        place = np.arange(values.numel()).reshape(values.shape) + 1
        joined = self.numbers.join_groups(place) if values.ndim == 1 else self.numbers.join(place, columns)
        index = self._tensor(joined)
        zero = torch.zeros((), dtype=values.dtype, device=values.device)
        return torch.where(index > 0, values.reshape(-1)[(index - 1).clamp(min=0)], zero)
