"""Heads in C: a forward and a backward pass over each vector in the cache of the processor.

PyTorch runs a head as dozens of operations, each of which reads and writes whole tensors. `kernel.c` has one loop for all of
them, with the tables of the integer model, so the codes are the same. It serves softmax, log-softmax and cross-entropy on logits
in the memory of the processor, with the options that the keys in `_SERVED` name.

The backward pass is analytic. With p = softmax of the quantised scores and g the gradient of the results, it is p·(g − Σ g·p)
for softmax, g − p·Σ g for log-softmax, and g·(p − e_label) for the loss. A sink is one more element of p, whose g is 0. A floor
and a minimum multiply g by 1 − f·N, and smoothing takes its transpose. The gradient of the scale is that of a learned step size:
Σ g_x·(code − x / scale), without x / scale where the gradient of x stops. Exponentials are polynomials of degree 6 in float32,
and 12 in float64.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import Composition, composition
from softstream.hw.numbers.smoothing import SmoothingTables, smoothing_tables
from softstream.hw.processes import run, temporary_folder
from softstream.sim.twin.modes import MODES, ExactSumSoftmax, Softmax
from softstream.sim.twin.normalisers import Divider, Logarithm, Reciprocal
from softstream.sim.twin.stages import Accumulate

__all__ = ["DTYPES", "Inputs", "Kernel", "kernel_of"]

_SOURCE = Path(__file__).with_name("kernel.c")
_FLAGS = ("-O3", "-fno-tree-vectorize", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-fPIC")
"""Loops marked as such become vector instructions; others read tables, which many processors do faster one by one."""
_NATIVE = ("-march=native", "-mprefer-vector-width=256")
"""For the processor of this machine; wider vectors cost more at the ends of short rows than they save."""
_COMPILER_SECONDS = 300

DTYPES = {torch.float32: "float", torch.float64: "double"}
"""Types of the logits and results → their names in C."""

_INTEGERS = (
    *("count", "kind", "flip", "stops", "clip_low", "clip_high", "exact_inverse", "excluded_code"),
    *("has_sink", "sink_position", "sink_term"),
    *("sum_kind", "step", "accumulator_fraction", "significand_fraction", "divisor_fraction", "numerator_octaves"),
    *("fraction", "working_fraction", "top", "shift", "maximum", "limit", "reciprocal_width", "chord_low"),
    *("quotient_width", "raised", "one", "minimum", "exact_doubles"),
    *("posts", "short_posts", "post_width", "floor", "finish_shift", "finish_levels", "finish_maximum"),
    *("passes", "scatter", "radius", "digits", "divisors", "smoothing_fraction", "exact_levels"),
    *("linear", "inside_slope", "inside_start"),
)
_REALS = (
    *("scale", "least", "largest", "low_real", "high_real", "rate", "slope", "factor_unit", "unit", "levels"),
    *("largest_ratio", "floor_share"),
)
_TABLES = {
    **dict.fromkeys(("terms", "logarithm", "octave", "position", "exponent", "significand"), "int64_t"),
    **dict.fromkeys(("chord_start", "chord_slope"), "int64_t"),
    **dict.fromkeys(("weights", "choice", "sums", "digit_bits"), "int64_t"),
    **dict.fromkeys(("coarse", "starts", "shifts", "steps", "codes", "smoothing_entries"), "int32_t"),
    "dividend": "double",
}
"""Table → type of its entries in C."""
_ENTRIES = {"int64_t": torch.int64, "int32_t": torch.int32, "double": torch.float64}
_CALL = {
    **dict.fromkeys(("rows", "columns", "groups"), "int64_t"),
    "ends": "const int64_t *",
    "x": "const real_t *",
    **dict.fromkeys(("labels", "lengths", "factors"), "const int64_t *"),
    "mask": "const uint8_t *",
    "position": "uint16_t *",
    "excluded": "uint16_t *",
    "values": "real_t *",
    "gradient": "const real_t *",
    "result": "real_t *",
    "by_scale": "double *",
}
"""What a call passes → its type in C: the number of vectors, their elements, and the addresses of tensors, 0 for none.

A row has `groups` vectors, one behind the other, which end at `ends`. `x` is [rows, columns], and so are `mask`, `position`,
`excluded` (elements that take no part; 0 where all do), `result` (the gradient of x) and, except for losses, `values` and
`gradient`. The others are [rows]; `factors` holds codes of inverse temperatures.
"""
_SERVED = {
    *("mode", "max_length", "select", "tie", "score_width", "score_signed", "score_scale", "score_zero_point"),
    *("clip_minimum", "clip_maximum", "temperature", "normaliser", "accumulator", "guard_bits", "sink", "sink_code"),
    *("probability_width", "probability_format", "output_levels", "output_zero_point", "integer_bits", "confidence"),
    *("sum", "minimum_code", "mask", "groups", "temperature_bits", "temperature_fraction"),
    *("probability_floor", "smoothing", "smoothing_edges", "smoothing_passes"),
}
"""Numeric keys that the loops know, or that change no result they give; with any other one they serve no head."""
_STAGES = {"inverse_temperature", "smoothing", "floor"}
"""Stages around a head that the loops know."""
_LOGARITHM, _DIVIDER, _RECIPROCAL, _EXACT, _LOG_SOFTMAX, _LOSS = range(6)
_ABSOLUTE, _WINDOWS, _REFERENCE = range(3)
_EXACT_BITS = 50
"""Bits of a dividend below which the product with a reciprocal in float64 gives the integer quotient."""
_SHORT_BITS = 32
"""Bits from which on a number has no room in an int32 with a sign."""
_DIGIT_BITS = 12
"""Bits of a digit of a dividend: tables of so many entries stay in the cache."""
_OCTAVES = 900
"""Octaves that float64 holds with room for the dividend."""


class Inputs(NamedTuple):
    """The contiguous tensors of a call on the CPU; None for those that the head does not have."""

    values: Tensor
    """Logits [V, N]."""
    labels: Tensor | None = None
    """int64 [V], and so are `lengths` and `factors`, the codes of inverse temperatures."""
    lengths: Tensor | None = None
    factors: Tensor | None = None
    mask: Tensor | None = None
    """bool [V, N]."""


class _Head(ctypes.Structure):
    """The numbers and tables of a head, as the C source has them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _INTEGERS),
        *((name, ctypes.c_double) for name in _REALS),
        *((name, ctypes.c_void_p) for name in _TABLES),
    )


class _Call(ctypes.Structure):
    """What a call passes."""

    _fields_ = tuple((name, ctypes.c_void_p if "*" in kind else ctypes.c_int64) for name, kind in _CALL.items())


def _source(dtype: torch.dtype) -> str:
    """The loops for logits of a type, with the declarations of both structures."""
    head = [
        *(f"int64_t {name};" for name in _INTEGERS),
        *(f"double {name};" for name in _REALS),
        *(f"const {kind} *{name};" for name, kind in _TABLES.items()),
    ]
    call = [f"{kind} {name};" for name, kind in _CALL.items()]
    return "\n".join(
        [
            *(f"#include <{name}.h>" for name in ("math", "stdint", "stdlib", "string")),
            f"typedef {DTYPES[dtype]} real_t;",
            f"#define WIDE {int(dtype == torch.float64)}",
            *("typedef struct {", *head, "} head_t;"),
            *("typedef struct {", *call, "} call_t;"),
            _SOURCE.read_text(encoding="utf-8"),
        ]
    )


@functools.cache
def _library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """The compiled loops; None where there is no C compiler, or where it refuses them.

    Compiled anew by each process, for the processor it runs on, which takes about a second.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with temporary_folder() as folder:
        (folder / "kernel.c").write_text(_source(dtype), encoding="utf-8")
        for flags in ([*_NATIVE, "-fopenmp"], ["-march=native"], []):
            with contextlib.suppress(OSError):
                return _compiled(compiler, flags, folder)
    return None


def _compiled(compiler: str, flags: list[str], folder: Path) -> ctypes.CDLL:
    """Raises `OSError` where the compiler refuses the loops, and where they cannot be loaded."""
    # Linked without a run-time library of OpenMP: the loops take the one of PyTorch, with its threads, if it is of that kind.
    for command in ([*_FLAGS, *flags, "-c", "kernel.c"], ["-shared", "kernel.o", "-o", "kernel.so", "-lm"]):
        if code := run([compiler, *command], folder, folder / "log", _COMPILER_SECONDS):
            raise OSError(f"{compiler}: ended with exit code {code}")
    loops = ctypes.CDLL(str(folder / "kernel.so"))
    loops.forward.restype = loops.backward.restype = ctypes.c_int
    return loops


class Kernel:
    """The loops for one head."""

    def __init__(
        self, config: Config, parts: Composition | None, head: nn.Module, stops: bool, dtype: torch.dtype
    ) -> None:
        """The head of `config`, of which `head` is the model of the inner one, for logits of a type. Raises `OSError`."""
        loops = _library(dtype)
        if loops is None:
            raise OSError("no C compiler takes the loops")
        self.config, self.dtype, self._loops = config, dtype, loops
        self.per_element = config.traits.per_element
        self._tables: list[Tensor] = []
        low, high = (
            end - config.score_zero_point for end in (config.score_format.minimum, config.score_format.maximum)
        )
        clip_low, clip_high = config.clip_positions
        numbers: dict[str, Any] = {
            "scale": config.score_scale,
            "exact_inverse": math.frexp(config.score_scale)[0] == 0.5,
            "least": low,
            "largest": high,
            "low_real": low * config.score_scale,
            "high_real": high * config.score_scale,
            "flip": config.selects_smallest,
            "clip_low": clip_low,
            "clip_high": clip_high,
            "stops": stops,
            "slope": (-1 if config.selects_smallest else 1) / config.temperature,
            "rate": -config.effective_scale / math.log(2),
            "factor_unit": 2.0**-config.temperature_fraction if config.temperature_bits else 1.0,
            "count": 1 << config.score_width,
            "levels": config.levels,
            "has_sink": config.has_sink,
            "sink_position": int(config.position(config.sink_code)) if config.has_sink else 0,
            **self._results(config, head),
            **self._posts(config, parts),
        }
        levels = float(numbers["levels"])
        self._head = _Head(**numbers, exact_levels=math.frexp(levels)[0] == 0.5, unit=1 / levels)
        self._ends: dict[int, Tensor] = {}

    def _table(self, values: Any, name: str) -> int:
        """The address of a table, which lives as long as the kernel."""
        self._tables.append(torch.as_tensor(values).cpu().to(_ENTRIES[_TABLES[name]]).contiguous())
        return self._tables[-1].data_ptr()

    def _sum(self, accumulate: Accumulate) -> dict[str, int]:
        widths = accumulate.widths
        kind = _ABSOLUTE if widths.absolute else _WINDOWS if widths.windows else _REFERENCE
        numbers = {
            "sum_kind": kind,
            "terms": self._table(accumulate.terms, "terms"),
            "step": widths.reference_step,
            "accumulator_fraction": widths.accumulator_fraction,
            "significand_fraction": widths.significand_fraction,
            "numerator_octaves": widths.numerator_octaves,
            "divisor_fraction": widths.divisor_fraction,
            "sink_term": widths.sink_term,
        }
        if kind != _ABSOLUTE:
            coarse = accumulate.coarse.numpy()
            starts = np.searchsorted(coarse, np.arange(coarse[-1] + 2))
            numbers["coarse"] = self._table(coarse, "coarse")
            numbers["starts"] = self._table(starts, "starts")
            numbers["shifts"] = self._table(coarse * widths.reference_step, "shifts")
        return numbers

    def _results(self, config: Config, head: Any) -> dict[str, Any]:
        if isinstance(head, ExactSumSoftmax):
            return self._exact_sum(head)
        if isinstance(head, Softmax):
            numbers = self._sum(head.accumulate)
            for kind, normalised in ((Divider, self._division), (Reciprocal, self._product)):
                if isinstance(head.normaliser, kind):
                    return numbers | normalised(head.normaliser)
            tables = head.normaliser.tables
            return numbers | {
                "kind": _LOGARITHM,
                "fraction": tables.fraction,
                "working_fraction": tables.working_fraction,
                "logarithm": self._table(head.normaliser.logarithm, "logarithm"),
                "steps": self._table(head.normaliser.position, "steps"),
                "codes": self._table(head.normaliser.by_distance, "codes"),
                "top": len(head.normaliser.by_distance) - 1,
            }
        tables = head.numbers.tables
        return self._sum(head.accumulate) | {
            "kind": _LOG_SOFTMAX if config.traits.per_element else _LOSS,
            "fraction": tables.fraction,
            "working_fraction": tables.working_fraction,
            "logarithm": self._table(head.logarithm, "logarithm"),
            "octave": self._table(head.octave, "octave"),
            "position": self._table(head.position, "position"),
            "shift": tables.shift,
            "limit": head.numbers.limit,
            "excluded_code": head.numbers.format.minimum,
            "levels": 1 << config.probability_width,
        }

    def _division(self, normaliser: Divider) -> dict[str, Any]:
        widths, exponential = normaliser.widths, normaliser.exponential
        shift = widths.probability_width + 1 + widths.divisor_fraction - widths.significand_fraction
        dividend = (exponential.significand << shift).double() + 0.5
        return {
            "kind": _DIVIDER,
            "dividend": self._table(torch.ldexp(dividend, exponential.exponent), "dividend"),
            "maximum": widths.probability_maximum,
            "largest_ratio": 2 * widths.probability_maximum + 2,
        }

    def _product(self, normaliser: Reciprocal) -> dict[str, int]:
        widths = normaliser.widths
        return self._reciprocal(normaliser) | {
            "kind": _RECIPROCAL,
            "exponent": self._table(normaliser.exponential.exponent, "exponent"),
            "significand": self._table(normaliser.exponential.significand, "significand"),
            "shift": widths.significand_fraction + widths.reciprocal_width - widths.probability_width - 1,
            "maximum": widths.probability_maximum,
        }

    def _reciprocal(self, normaliser: Reciprocal) -> dict[str, int]:
        numbers = {"reciprocal_width": normaliser.widths.reciprocal_width}
        if normaliser.widths.reciprocals is not None:
            numbers["chord_start"] = self._table(normaliser.start, "chord_start")
            numbers["chord_slope"] = self._table(normaliser.slope, "chord_slope")
            numbers["chord_low"] = normaliser.widths.reciprocals.low_width
        return numbers

    def _exact_sum(self, head: ExactSumSoftmax) -> dict[str, int]:
        numbers, exponential = head.numbers, head.exponential
        widths = numbers.widths
        result = {
            "kind": _EXACT,
            "sum_kind": _ABSOLUTE,
            "terms": self._table(exponential.significand << exponential.exponent, "terms"),
            "accumulator_fraction": widths.accumulator_fraction,
            "numerator_octaves": widths.numerator_octaves,
            "divisor_fraction": widths.divisor_fraction,
            "quotient_width": numbers.quotient_width,
            "raised": numbers.raised,
            "one": numbers.one,
            "minimum": numbers.minimum,
            "shift": numbers.product_shift,
            # The largest number is that of a share of a ratio with the half that rounds.
            "exact_doubles": int(
                max(widths.accumulator_width, numbers.quotient_width + numbers.one.bit_length() + 1) < _EXACT_BITS
                and not isinstance(head.normaliser, Reciprocal)
            ),
        }
        return result | (self._reciprocal(head.normaliser) if isinstance(head.normaliser, Reciprocal) else {})

    def _posts(self, config: Config, parts: Composition | None) -> dict[str, Any]:
        """The stages behind the head."""
        if parts is None or not parts.finished:
            return {}
        width, levels = parts.inner.probability_width, config.levels if config.rescales else 1
        numbers: dict[str, Any] = {
            "posts": 1,
            "post_width": width,
            "finish_levels": levels,
            "finish_shift": width if config.rescales else width - config.probability_width,
            "finish_maximum": config.probability_maximum,
        }
        largest = (1 << (width + 1)) - 1  # a pass may leave codes a little above that of 1.0
        numbers["short_posts"] = int((largest * max(1 << width, levels)).bit_length() < _SHORT_BITS)
        if config.probability_floor:
            numbers |= {"floor": config.floor_code, "floor_share": config.floor_code / (1 << width)}
        if config.smooths:
            tables = smoothing_tables(config, parts.inner)
            side = tables.radius + 1
            choice = [tables.choice.get((left, right), 0) for left in range(side) for right in range(side)]
            numbers |= {
                "passes": tables.passes,
                "scatter": tables.scatter,
                "radius": tables.radius,
                "divisors": len(tables.sums),
                "smoothing_fraction": tables.fraction,
                "weights": self._table(tables.weights, "weights"),
                "choice": self._table(choice, "choice"),
                "sums": self._table(tables.sums, "sums"),
                **self._division_by_weights(tables),
            }
        return numbers

    def _division_by_weights(self, tables: SmoothingTables) -> dict[str, int]:
        """The tables of wider digits, fewer of which make a dividend, and the line that those of the inside may be."""
        count = len(tables.sums)
        digits, entries = [0], [np.zeros((count, 1), dtype=np.int64)]
        for bits, values in zip(tables.digits, tables.entries, strict=True):
            table = np.array(values).reshape(count, 1 << bits)
            if digits[-1] + bits <= _DIGIT_BITS:
                entries[-1] = (table[:, :, None] + entries[-1][:, None]).reshape(count, -1)
                digits[-1] += bits
            else:
                digits.append(bits)
                entries.append(table)
        inside = [table[0] for table in entries]
        start, slope = sum(int(table[0]) for table in inside), int(inside[0][1] - inside[0][0])
        places = np.cumsum([0, *digits[:-1]])
        lines = [
            slope * (np.arange(len(table)) << place) + table[0] for table, place in zip(inside, places, strict=True)
        ]
        return {
            "digits": len(digits),
            "digit_bits": self._table(digits, "digit_bits"),
            "smoothing_entries": self._table(np.concatenate([table.ravel() for table in entries]), "smoothing_entries"),
            "linear": int(all(map(np.array_equal, inside, lines))),
            "inside_slope": slope,
            "inside_start": start,
        }

    def _call(self, inputs: Inputs, **tensors: Tensor | None) -> _Call:
        rows, columns = inputs.values.shape
        if columns not in self._ends:
            sizes, ends = self.config.groups or [columns], [0]
            while ends[-1] < columns:
                ends.append(min(columns, ends[-1] + sizes[(len(ends) - 1) % len(sizes)]))
            self._ends[columns] = torch.tensor(ends[1:])
        ends = self._ends[columns]
        arguments = {"ends": ends, "x": inputs.values, **inputs._asdict(), **tensors}
        del arguments["values"]
        addresses = {name: tensor.data_ptr() for name, tensor in arguments.items() if tensor is not None}
        return _Call(rows=rows, columns=columns, groups=len(ends), **addresses)

    def _run(self, loop: str, call: _Call) -> int:
        code = int(getattr(self._loops, loop)(ctypes.byref(self._head), ctypes.byref(call)))
        if code < 0:
            raise MemoryError(f"{loop}: no room for a vector")
        return code

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor | None, bool]:
        """(results, positions as 16-bit integers, elements that take no part, whether a logit is NaN)."""
        shape = inputs.values.shape
        positions = torch.empty(shape, dtype=torch.int16)
        results = torch.empty(shape if self.per_element else shape[:1], dtype=self.dtype)
        excluded = None if inputs.mask is None else torch.empty(shape, dtype=torch.int16)  # as wide as positions
        call = self._call(inputs, position=positions, excluded=excluded)
        call.values = results.data_ptr()
        return results, positions, excluded, bool(self._run("forward", call))

    def backward(
        self, inputs: Inputs, positions: Tensor, excluded: Tensor | None, gradient: Tensor, *, scale: bool
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of the logits [V, N] and, if asked for, of `scale`, [V], for that of the results."""
        results = torch.empty(inputs.values.shape, dtype=self.dtype)
        by_scale = torch.empty(len(results), dtype=torch.float64) if scale else None
        tensors = {"position": positions, "excluded": excluded, "gradient": gradient, "result": results}
        self._run("backward", self._call(inputs, **tensors, by_scale=by_scale))
        return results, by_scale


def _smoothing_bits(tables: SmoothingTables) -> int:
    """Bits of the largest number of a pass."""
    weighed = tables.quotient_width + (tables.total.bit_length() if tables.scatter else 0)
    return max(tables.dividend_width, weighed)


def _exact_in_float64(head: nn.Module) -> bool:
    """Whether the arithmetic of the loops gives the integers of a softmax head."""
    if isinstance(head, ExactSumSoftmax):
        numbers = head.numbers
        if isinstance(head.normaliser, Reciprocal):
            return numbers.widths.divisor_width + numbers.widths.reciprocal_width <= 63
        return numbers.quotient_width + numbers.widths.divisor_width < _EXACT_BITS
    normaliser = head.normaliser
    if isinstance(normaliser, Divider):
        widths, exponential = normaliser.widths, normaliser.exponential
        bits = widths.probability_width + 1 + widths.divisor_fraction + 1
        return bits < _EXACT_BITS and int(exponential.exponent.max()) < _OCTAVES
    if isinstance(normaliser, Reciprocal):
        return normaliser.widths.significand_width + normaliser.widths.reciprocal_width <= 63
    return isinstance(normaliser, Logarithm)


@functools.lru_cache(maxsize=64)
def kernel_of(config: Config, *, stops: bool, dtype: torch.dtype = torch.float32) -> Kernel | None:
    """The loops for a configuration; None for a head that they do not serve, or without a C compiler.

    `stops`: whether the gradient of a logit beyond the score format is 0. `dtype`: type of the logits and the results.
    """
    traits = config.traits
    softmax = traits.softmax and not config.two_pass
    keys = {key.name for key in config.changed_keys() if key.numeric}
    if not keys <= _SERVED or config.sink not in ("none", "fixed"):
        return None
    if not (softmax or (traits.logarithmic and not traits.relative_sum)):
        return None
    vector = config.replace(groups=[])
    parts = composition(vector)
    inner = vector if parts is None else parts.inner
    stages = set() if parts is None else {*parts.posts, *(front.name for front in parts.fronts)}
    if not stages <= _STAGES:
        return None
    if parts is not None and config.smooths and _smoothing_bits(smoothing_tables(config, inner)) >= _SHORT_BITS:
        return None
    head = MODES[inner.mode](inner)
    if softmax and not _exact_in_float64(head):
        return None
    try:
        return Kernel(config, parts, head, stops, dtype)
    except OSError:
        return None
