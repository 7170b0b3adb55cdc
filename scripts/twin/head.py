"""A head as a module of a network: the value of the hardware, bit for bit, and the gradient of the exact function.

head = Head(softstream.Config(max_length=10, score_scale=0.1))
probabilities = head(logits)                       # [..., N], what the hardware answers
probabilities.sum().backward()                     # the gradient of softmax at the quantised logits
codes = head.codes(logits)                         # the integers on the wires, by name
head.export("config.toml")                         # for softstream generate --config
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tomli_w
import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config, check_config
from softstream.hw.errors import UserError
from softstream.hw.output import written_file
from softstream.hw.plan.ports import outputs, sidebands
from softstream.scripts.scale import best_scale
from softstream.sim.twin.estimator import Fused, integers
from softstream.sim.twin.exact import Quantise, StraightThrough, batched, exact, nats, refuse_nan, softmax, transformed
from softstream.sim.twin.integer import Groups, IntegerHead
from softstream.sim.twin.kernel import Inputs, Kernel, kernel_of
from softstream.sim.twin.modes import Arrays, Gumbel
from softstream.sim.twin.stages import Vectors, within

__all__ = ["Head", "Largest"]

_GRID = 32
"""Values of a learned scale in one octave: few, because each has tables of its own."""
_HEADS = 16
"""Scales whose tables stay in memory."""
_FLOATING = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""Types of logits that the compiled loops take, those in half precision as float32."""
_ARGUMENTS = {"temperatures": "temperature", "sinks": "sink"}
"""Array of a sideband in the golden model → argument of a call, where they differ."""


class Largest(NamedTuple):
    """The K largest elements of each vector in order, as `torch.topk` has them."""

    values: Tensor
    """Probabilities or scores [..., K], 0 beyond the elements of a vector."""
    indices: Tensor
    """Their indices, int64 [..., K]."""


class _Rows(NamedTuple):
    """A call of the head as vectors in rows."""

    scores: Tensor
    """Real scores after quantisation, differentiable, [V, N]."""
    codes: Tensor
    """Their codes, int64 [V, N]."""
    lengths: Tensor
    sideband: dict[str, Tensor]
    batch: tuple[int, ...]
    """Shape of the results without the classes."""
    dtype: torch.dtype
    """Type of the results."""


def _precision(logits: Tensor) -> torch.dtype:
    """The type of the results for logits."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


class Head(nn.Module):
    """The head of a configuration on real logits, with any axis as that of the classes.

    The value is that of the hardware in training and evaluation: each logit is rounded to its code as by
    `softstream.quantise(…, saturate=True)`, and the codes of the result are those of `softstream.golden`. The gradient is that
    of the exact function at the quantised logits. Results by mode, for logits [..., N]:

    * softmax, cdf, log_softmax, sigmoid, exponential, hardmax: real numbers [..., N]; the gradient of hardmax is that of softmax
    * cross_entropy: losses [...], for `labels` [...]
    * log_sum_exp: ln Σ e^(x − largest) [...]; `codes` has the largest score too
    * entropy: bits [...]; `codes` has the winner too
    * top_k, softmax_top_k: `Largest`
    * sample: the draw of the hardware as a one-hot vector [..., N]; its gradient is that of softmax((x + g) / τ) with the noise g
      of the hardware, the straight-through Gumbel softmax (Jang, Gu, Poole, "Categorical reparameterization with
      Gumbel-softmax", ICLR 2017, section 2.2). The random sequence goes on from call to call, `words_before` says where it is.
    * argmax: the index [...], which has no gradient

    An ensemble has its members in the dimension before the classes, [..., M, N], and one result for them. Results are float32,
    or float64 for float64 logits. float32 holds every code of at most 24 bits.
    """

    scale_log2: nn.Parameter | None
    words_before: Tensor

    def __init__(
        self,
        config: Config,
        *,
        axis: int = -1,
        saturated_gradient: Literal["stop", "pass"] = "stop",
        learn_scale: bool = False,
        relaxation: float = 1.0,
    ) -> None:
        """The head of `config`, with the classes in `axis`.

        `saturated_gradient`: whether a logit beyond the score format, or the clip, has a gradient. `learn_scale`: whether
        `score_scale` is a parameter, the logarithm of a step size in steps of 1/32 octave (Esser et al., "Learned step size
        quantization", ICLR 2020, section 2.1). `relaxation` is τ of mode sample.

        Raises `UserError` for an inverse-CDF sampler, which has no gradient, for draws of groups and ensembles, and for a scale
        to learn where it changes nothing.
        """
        super().__init__()
        check_config(config)
        if saturated_gradient not in ("stop", "pass"):
            raise UserError(f"saturated_gradient = {saturated_gradient!r}: must be 'stop' or 'pass'; 'stop' would do")
        if not relaxation > 0:
            raise UserError(f"relaxation = {relaxation!r}: must be above 0; 1.0 would do")
        if learn_scale and config.traits.order_only:
            raise UserError(
                f"learn_scale: the scale changes no result in mode = {config.mode!r}; learn_scale=False would do"
            )
        own: tuple[tuple[str, Any, Any], ...] = (
            ("ensemble", 1, 1),
            ("groups", (), []),
            ("temperature_bits", 0, 0),
            ("draw_sideband", False, False),
        )
        for key, value, plain in own:
            if config.traits.random and getattr(config, key) != value:
                raise UserError(
                    f"{key} = {getattr(config, key)} with mode = {config.mode!r}: the twin relaxes the draw of a vector by "
                    f"itself; {key} = {plain} would do"
                )
        self._config, self.axis = config, axis
        self.saturated_gradient, self.relaxation = saturated_gradient, relaxation
        self.register_buffer("words_before", torch.zeros((), dtype=torch.int64))
        self._integers: OrderedDict[float, IntegerHead] = OrderedDict()
        # Beside the memory of `kernel_of`, whose key takes the hash of a whole configuration.
        self._kernels: dict[tuple[float, torch.dtype, str], Kernel | None] = {}
        self._plain = not sidebands(config)
        self._integer(config.score_scale)  # refuses the configuration now, not in the first batch
        self.scale_log2 = nn.Parameter(torch.tensor(float(np.log2(config.score_scale)))) if learn_scale else None

    def extra_repr(self) -> str:
        """The keys that differ from the defaults."""
        keys = ", ".join(f"{key.name}={getattr(self.config, key.name)!r}" for key in self.config.changed_keys())
        return f"{keys}, axis={self.axis}" if keys else f"axis={self.axis}"

    @property
    def score_scale(self) -> float:
        """Nats per step of a score code: that of the configuration, or the nearest one of those that a learned scale takes."""
        if self.scale_log2 is None:
            return self._config.score_scale
        return float(2.0 ** (round(float(self.scale_log2.detach()) * _GRID) / _GRID))

    @property
    def config(self) -> Config:
        """The configuration, with the learned scale where there is one."""
        return self._config.replace(score_scale=self.score_scale)

    def export(self, path: str | Path) -> Config:
        """Writes the configuration as a file for `softstream generate --config`, and returns it."""
        config = self.config
        with written_file("export", Path(path)) as file:
            file.write_text(tomli_w.dumps(config.to_sections()), encoding="utf-8")
        return config

    def observe(self, logits: Tensor, lengths: Tensor | None = None) -> float:
        """Sets `score_scale` to the one that changes the probabilities of these logits [..., N] least, and returns it.

        It is that of `softstream.best_scale`, and raises as it does.
        """
        moved = logits.detach().movedim(self.axis, -1)
        rows = moved.reshape(-1, moved.shape[-1]).double().cpu().numpy()
        counts = None if lengths is None else lengths.reshape(-1).cpu().numpy()
        scale = best_scale(self.config, rows, counts, saturate=True).scale
        self._config = self._config.replace(score_scale=scale)
        if self.scale_log2 is not None:
            self.scale_log2.data.fill_(float(np.log2(scale)))
        return self.score_scale

    def codes(self, logits: Tensor, **inputs: Tensor | None) -> Arrays:
        """The integers that the hardware puts out, by name, [V] or [V, N], V vectors in the order of the batch; as `golden`.

        The arguments are those of a call. The random sequence does not go on.
        """
        self._refuse_axis(logits)
        with torch.no_grad():
            return self._run(self._rows(logits, inputs))

    def forward(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        labels: Tensor | None = None,
        temperature: Tensor | None = None,
        sink: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor | Largest:
        """The results for floating-point logits.

        `mask`: true excludes an element, in the shape of the logits, for `mask = true`. `labels` [...]: class of each vector, for
        cross_entropy. `temperature` [...]: T of each vector, for `temperature_bits`. `lengths` [...]: elements of each vector.
        All are in the shape of the logits without the classes where no other is stated.

        Raises `UserError` for integers, NaN (with its index), vectors longer than max_length, and inputs that the configuration
        does not have or that are missing.
        """
        inputs = {"mask": mask, "labels": labels, "temperature": temperature, "sink": sink, "lengths": lengths}
        self._refuse_axis(logits)
        if torch.is_autocast_enabled(logits.device.type):
            # Scores of a format have no use for half precision, whatever the region of the call is.
            with torch.autocast(logits.device.type, enabled=False):
                return self._results(logits, inputs)
        return self._results(logits, inputs)

    def _results(self, logits: Tensor, inputs: Mapping[str, Tensor | None]) -> Tensor | Largest:
        results = self._fused(logits, inputs)
        return self._composed(logits, inputs) if results is None else results

    def _composed(self, logits: Tensor, inputs: Mapping[str, Tensor | None]) -> Tensor | Largest:
        """The results by operations of PyTorch, which can be transformed and differentiated any number of times."""
        rows = self._rows(logits, inputs)
        return self._drawn(rows) if self._config.traits.random else self._result(rows, self._run(rows))

    def _fused(self, logits: Tensor, inputs: Mapping[str, Tensor | None]) -> Tensor | None:
        """The results by compiled loops; None where there are none for this call."""
        if torch.compiler.is_compiling() or transformed():
            return None
        if logits.device.type != "cpu" or logits.dtype not in _FLOATING or logits.numel() == 0:
            return None
        dtype = _precision(logits)
        kernel = self._kernel(dtype)
        if kernel is None:
            return None
        # Each view is one more operation forward and backward, which a step of a small network feels.
        last = self.axis in (-1, logits.ndim - 1)
        moved = self._checked(logits, numbers=False)
        if not last:
            moved = moved.movedim(self.axis, -1)
        shape, (sideband, lengths) = moved.shape, self._inputs(inputs, logits, moved.shape)

        def composed(values: Tensor, scale: Tensor | None) -> Tensor:
            self._checked(logits)
            rows = self._quantised_rows(values, sideband, lengths, (), dtype, scale)
            return self._values(rows, self._run(rows))

        values = (moved if moved.ndim == 2 else moved.reshape(-1, shape[-1])).to(dtype).contiguous()
        scale = None if self.scale_log2 is None else self._scale(values.numel())
        mask = sideband.get("mask")
        arguments = Inputs(
            values,
            labels=sideband.get("labels"),
            lengths=lengths,
            factors=sideband.get("temperatures"),
            mask=mask if mask is None or mask.dtype == torch.bool else mask != 0,
        )
        results = Fused.apply(values, scale, kernel, arguments, composed)
        if len(shape) != 2:
            results = results.reshape(shape if kernel.per_element else shape[:-1])
        return results if last or not kernel.per_element else results.movedim(-1, self.axis)

    # The steps of a call ------------------------------------------------------------------------------------------------

    def _scale(self, logits: int) -> Tensor:
        """The scale with the gradient of its parameter, which is that of 2^scale_log2 divided by √(logits · levels).

        So it learns as fast as the weights do (Esser et al., section 2.2).
        """
        assert self.scale_log2 is not None
        levels = max(1, self._config.score_format.maximum)
        function = torch.exp2(self.scale_log2.double()) * max(1, logits * levels) ** -0.5
        return StraightThrough.apply(function, torch.full_like(function, self.score_scale))

    def _integer(self, scale: float) -> IntegerHead:
        """The integer model for a scale, from memory where it was used lately."""
        if scale not in self._integers:
            self._integers[scale] = IntegerHead(self._config.replace(score_scale=scale))
            if len(self._integers) > _HEADS:
                self._integers.popitem(last=False)
        self._integers.move_to_end(scale)
        return self._integers[scale]

    def _kernel(self, dtype: torch.dtype) -> Kernel | None:
        """The compiled loops for the scale and a type; None where there are none."""
        key = (self.score_scale, dtype, self.saturated_gradient)
        if key not in self._kernels:
            config = self._integer(key[0]).config
            if len(self._kernels) >= _HEADS:
                self._kernels.clear()
            self._kernels[key] = kernel_of(config, stops=self.saturated_gradient == "stop", dtype=dtype)
        return self._kernels[key]

    def _rows(self, logits: Tensor, inputs: Mapping[str, Tensor | None]) -> _Rows:
        """The logits and the other inputs of a call by name, checked, as rows."""
        moved = self._checked(logits).movedim(self.axis, -1)
        vectors = moved.shape[:-1]
        batch = vectors[:-1] if self._config.ensemble > 1 else vectors
        sideband, lengths = self._inputs(inputs, logits, moved.shape)
        values = moved.reshape(-1, moved.shape[-1])
        scale = None if self.scale_log2 is None else self._scale(values.numel())
        return self._quantised_rows(values, sideband, lengths, tuple(batch), _precision(logits), scale)

    def _quantised_rows(
        self,
        values: Tensor,
        sideband: Mapping[str, Tensor],
        lengths: Tensor | None,
        batch: tuple[int, ...],
        dtype: torch.dtype,
        scale: Tensor | None,
    ) -> _Rows:
        """The rows of logits [V, N] and of their inputs; logits of −∞ are masked in a head with a mask."""
        sideband = dict(sideband)
        if self._config.mask:
            sideband["mask"] = ((sideband["mask"] != 0) | torch.isneginf(values)).long()
            values = torch.where(sideband["mask"] != 0, 0.0, values)
        if lengths is None:
            lengths = torch.full((len(values),), values.shape[1], dtype=torch.int64, device=values.device)
        real, codes = self._quantised(values, dtype, scale)
        return _Rows(real, codes, lengths, sideband, batch, dtype)

    def _quantised(self, values: Tensor, dtype: torch.dtype, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """The real numbers of the nearest codes, differentiable, and the codes, int64."""
        config, stops = self._config, self.saturated_gradient == "stop"
        low, high = config.score_format.minimum, config.score_format.maximum
        if scale is None:
            return Quantise.apply(values, config.score_scale, config.score_zero_point, low, high, stops, dtype)
        steps = values.double() / scale + config.score_zero_point
        codes = ((values.detach().double() / scale.detach()).round() + config.score_zero_point).clamp(low, high)
        rounded = StraightThrough.apply(steps, codes)
        if stops:
            ends = (codes_at_end - config.score_zero_point for codes_at_end in (low, high))
            least, largest = (end * scale.detach() for end in ends)
            rounded = torch.where((values >= least) & (values <= largest), rounded, codes)
        return ((rounded - config.score_zero_point) * scale).to(dtype), codes.long()

    def _inputs(
        self, inputs: Mapping[str, Tensor | None], logits: Tensor, shape: torch.Size
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """The sideband of logits, whose shape with the classes last is `shape`, and the lengths, [V] or None; both checked."""
        others = dict(inputs)
        lengths = others.pop("lengths", None)
        sideband = self._sideband(others, logits, shape)
        if lengths is None:
            return sideband, None
        counts = self._shaped("lengths", lengths, shape[:-1]).reshape(-1).long()
        if not torch.compiler.is_compiling() and not batched() and counts.numel():
            outside = (counts < 1) | (counts > shape[-1])
            if bool(outside.any()):
                row = int(outside.nonzero()[0, 0])
                raise UserError(
                    f"lengths: {int(counts[row])} elements of vector {row}; must be from 1 to {shape[-1]}, the classes of the "
                    f"logits; for example {shape[-1]}"
                )
        return sideband, counts

    def _refuse_axis(self, logits: Tensor) -> None:
        """Raises `UserError` for what is no tensor, and for one without the axis of the classes."""
        if not isinstance(logits, Tensor):
            raise UserError(
                f"logits: {type(logits).__name__}; must be a tensor of PyTorch; torch.tensor(logits) would do"
            )
        if not -logits.ndim <= self.axis < logits.ndim:
            raise UserError(
                f"axis = {self.axis} with logits of shape {tuple(logits.shape)}: must be an axis of the logits; "
                "axis = -1 with logits [batch, classes] would do"
            )

    def _checked(self, logits: Tensor, *, numbers: bool = True) -> Tensor:
        """The logits; raises `UserError` for a type or a shape that does not fit, and with `numbers` for a NaN."""
        if not logits.is_floating_point():
            raise UserError(
                f"logits: a tensor of {logits.dtype}; must be floating point; codes go through softstream.golden, "
                "or logits.float() * score_scale"
            )
        if numbers and not torch.compiler.is_compiling() and not batched():
            refuse_nan(logits)
        longest, columns = self._config.max_length, logits.shape[self.axis]
        if columns > longest and not self._config.groups:
            raise UserError(
                f"logits: {columns} classes in axis {self.axis}, longer than max_length = {longest}; "
                f"max_length = {columns} would do"
            )
        members = self._config.ensemble
        if members > 1 and (logits.ndim < 2 or logits.movedim(self.axis, -1).shape[-2] != members):
            raise UserError(
                f"logits: shape {tuple(logits.shape)} with ensemble = {members}: must have the {members} members in the "
                f"dimension before the classes; for example [batch, {members}, classes]"
            )
        return logits

    def _sideband(self, inputs: Mapping[str, Tensor | None], logits: Tensor, shape: torch.Size) -> dict[str, Tensor]:
        """The inputs that accompany the logits as codes, by the names of the golden model."""
        tensors = {name: values for name, values in inputs.items() if values is not None}
        if not tensors and self._plain:
            return {}
        fields = {_ARGUMENTS.get(field.array, field.array): field for field in sidebands(self._config)}
        for name in tensors:
            if name not in fields:
                others = ", ".join(fields) or "none"
                raise UserError(f"{name}: this head has no such input (it has {others}); leave it out")
        if "mask" in fields and "mask" not in tensors:
            tensors["mask"] = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
        rows = {}
        for name, field in fields.items():
            if name not in tensors:
                raise UserError(f"{name}: missing; must be {field.meaning}, of shape {tuple(shape[:-1])}")
            if field.per == "element":
                values = self._shaped(name, tensors[name], logits.shape).movedim(self.axis, -1).reshape(-1, shape[-1])
            else:
                values = self._shaped(name, tensors[name], shape[:-1]).reshape(-1)
            if field.quantise is not None and values.is_floating_point():
                values = torch.from_numpy(field.quantise(values.detach().double().cpu().numpy())).to(logits.device)
            self._refuse_codes(name, values, field.limit if field.array == "temperatures" else None)
            rows[field.array] = values.contiguous() if values.dtype == torch.bool else values.long()
        if "labels" in rows and not torch.compiler.is_compiling() and not batched() and rows["labels"].numel():
            least = int(rows["labels"].min())
            if least < 0:
                raise UserError(f"labels: {least} is negative; must be the class of each vector, 0 for the first one")
        return rows

    def _refuse_codes(self, name: str, codes: Tensor, limit: int | None) -> None:
        """Raises `UserError` for a code beyond its limit, where it has one and the codes are numbers."""
        if limit is None or torch.compiler.is_compiling() or batched() or not codes.numel():
            return
        least, largest = torch.aminmax(codes)
        if int(least) < 0 or int(largest) > limit:
            row = int(((codes < 0) | (codes > limit)).nonzero()[0, 0])
            raise UserError(
                f"{name}: code {int(codes[row])} of vector {row}; must be from 0 to {limit}; for example {limit}"
            )

    def _shaped(self, name: str, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        if tuple(values.shape) != tuple(shape):
            raise UserError(f"{name}: shape {tuple(values.shape)}; must be {tuple(shape)}")
        return values

    def _run(self, rows: _Rows) -> Arrays:
        """The results of the integer model."""
        integer = self._integer(self.score_scale).to(rows.codes.device)
        if transformed():
            return integers(integer, rows.codes, rows.lengths, rows.sideband)
        before = int(self.words_before) if self._config.traits.random else 0
        return integer(rows.codes, rows.lengths, rows.sideband, words_before=before)

    def _vectors(self, rows: _Rows) -> tuple[_Rows, Groups | None]:
        """The rows with each group of a packet as a vector of its own."""
        if not self._config.groups:
            return rows, None
        groups = Groups(self._config, rows.lengths)
        sideband = {name: groups.split(values) for name, values in rows.sideband.items()}
        split = rows._replace(
            scores=groups.split(rows.scores),
            codes=groups.split(rows.codes),
            lengths=groups.lengths,
            sideband=sideband,
        )
        return split, groups

    def _valid(self, rows: _Rows) -> Tensor:
        return Vectors(rows.codes, rows.lengths, rows.sideband).taking_part

    def _result(self, rows: _Rows, arrays: Arrays) -> Tensor | Largest:
        """The results of a mode as real numbers, with the gradient of the exact function."""
        traits = self._config.traits
        if traits.top_k:
            return self._largest(rows, arrays)
        if traits.order_only and not traits.one_hot:
            return arrays["argmax"].reshape(rows.batch)
        return self._shaped_back(self._values(rows, arrays), rows, per_element=traits.per_element)

    def _values(self, rows: _Rows, arrays: Arrays) -> Tensor:
        """The results [V, N], or [V], with the gradient of the exact function."""
        config = self._config
        output = outputs(config)[0]
        name = next(field for field in output.fields if field.form).array
        value = self._real(arrays[name], rows.dtype)
        if output.per == "element":
            value = torch.where(within(rows.lengths[:: config.ensemble], value.shape[1]), value, 0.0)
        vectors, groups = self._vectors(rows)
        hardware = value if groups is None else groups.split(value)
        function = exact(config, vectors.scores, self._valid(vectors), vectors.lengths, vectors.sideband, hardware)
        if groups is not None:
            function = groups.join(function, value.shape[1])
        return StraightThrough.apply(function, value)

    def _shaped_back(self, values: Tensor, rows: _Rows, *, per_element: bool) -> Tensor:
        values = values.to(rows.dtype)
        if not per_element:
            return values.reshape(rows.batch)
        axis = self.axis if self._config.ensemble == 1 or self.axis < 0 else self.axis - 1
        return values.reshape(*rows.batch, values.shape[-1]).movedim(-1, axis)

    def _real(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Codes of an array as real numbers."""
        config = self._config
        if config.traits.logarithmic or config.traits.entropy or config.traits.exponentials:
            return codes.to(dtype) * 2.0**-config.probability_width
        return (codes - config.output_zero_point).to(dtype) / config.levels

    def _largest(self, rows: _Rows, arrays: Arrays) -> Largest:
        """The K largest elements, with the gradient of the elements."""
        config, indices = self._config, arrays["top_indices"]
        present = within(self._valid(rows).sum(dim=1), config.top_k)
        inside = indices.clamp(max=rows.scores.shape[1] - 1)
        if config.traits.probabilities:
            hardware = self._real(arrays["top_probabilities"], rows.dtype)
            exponents = nats(config, rows.scores, rows.sideband)
            function = softmax(config, exponents, self._valid(rows)).gather(1, inside)
        else:
            hardware = config.real_value(arrays["top_scores"].double())
            function = rows.scores.gather(1, inside)
        values = StraightThrough.apply(torch.where(present, function, 0.0), torch.where(present, hardware, 0.0))
        shape = (*rows.batch, config.top_k)
        return Largest(values.to(rows.dtype).reshape(shape), indices.reshape(shape))

    @torch.compiler.disable  # the place in the random sequence is a number, on which no graph depends
    def _drawn(self, rows: _Rows) -> Tensor:
        """The draw of each vector as a one-hot vector, with the gradient of the relaxed draw."""
        if transformed():
            raise UserError(
                "torch.func: mode = 'sample' goes on in its random sequence with each draw, which no transform may do; "
                "a call with the whole batch, [..., classes], would do"
            )
        config = self._config
        gumbel = self._integer(self.score_scale).to(rows.codes.device).head
        assert isinstance(gumbel, Gumbel)
        vectors = Vectors(config.position(rows.codes), rows.lengths, rows.sideband)
        among = gumbel.contenders(vectors)
        noise = gumbel.noise(among.takes_word, int(self.words_before))
        index = among.indices.gather(1, gumbel.draw(among, noise)[:, None])
        if not torch.is_inference_mode_enabled():
            self.words_before += among.takes_word.sum()
        # The set is a constant of the gradient. Ranks beyond a short vector have index 0 and add 0 there.
        exponents = (
            nats(config, rows.scores, rows.sideband).gather(1, among.indices) + noise.double() * gumbel.table.unit
        )
        shares = softmax(config, exponents / self.relaxation, among.belongs)
        relaxed = torch.zeros(rows.codes.shape, dtype=shares.dtype, device=shares.device)
        relaxed = relaxed.scatter_add(1, among.indices, torch.where(among.belongs, shares, 0.0))
        columns = torch.arange(rows.codes.shape[1], device=index.device)
        one_hot = (columns == index).double()
        return self._shaped_back(StraightThrough.apply(relaxed, one_hot), rows, per_element=True)
