"""The plain heads in C: a forward and a backward pass over each vector in the cache of the processor.

PyTorch runs a head as about forty operations, each of which reads and writes whole tensors. This module compiles one loop for
all of them, with the tables of the integer model, so the codes are the same. It serves softmax with the normalisers logarithm
and divider, log-softmax and cross-entropy, for float32 logits in the memory of the processor, without options.

The backward pass is analytic. With p = softmax of the quantised scores and g the gradient of the results, it is p·(g − Σ g·p)
for softmax, g − p·Σ g for log-softmax, and g·(p − e_label) for the loss. Exponentials are polynomials of degree 6 in float32.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.processes import run, temporary_folder
from softstream.sim.twin.modes import MODES, Softmax
from softstream.sim.twin.normalisers import Divider, Logarithm

__all__ = ["Kernel", "kernel_of"]

_FLAGS = ("-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-fPIC")

_COMPILER_SECONDS = 300

_INTEGERS = (
    *("columns", "count", "kind", "flip", "stops", "clip_low", "clip_high", "exact_inverse"),
    *("sum_kind", "step", "accumulator_fraction", "significand_fraction", "divisor_fraction", "numerator_octaves"),
    *("fraction", "working_fraction", "top", "shift", "maximum", "limit"),
)
_REALS = ("scale", "inverse", "least", "largest", "low_real", "high_real", "rate", "slope", "unit", "levels")
_TABLES = {
    "terms": "int64_t",
    "coarse": "int32_t",
    "logarithm": "int64_t",
    "octave": "int64_t",
    "position": "int64_t",
    "steps": "int32_t",
    "results": "float",
    "exponent": "int64_t",
    "significand": "int64_t",
}
"""Table → type of its entries in C."""
_DTYPES = {"int64_t": torch.int64, "int32_t": torch.int32, "float": torch.float32}
_SERVED = {
    *("mode", "max_length", "select", "tie", "score_width", "score_signed", "score_scale", "score_zero_point"),
    *("clip_minimum", "clip_maximum", "temperature", "normaliser", "accumulator", "guard_bits"),
    *("probability_width", "probability_format", "output_levels", "integer_bits", "confidence"),
}
"""Numeric keys that the loops know, or that change no result they give; with any other one they serve no head."""
_SOFTMAX, _DIVIDER, _LOG_SOFTMAX, _LOSS = range(4)
_ABSOLUTE, _WINDOWS, _REFERENCE = range(3)


_DECLARATIONS = [
    *(f"int64_t {name};" for name in _INTEGERS),
    *(f"double {name};" for name in _REALS),
    *(f"const {kind} *{name};" for name, kind in _TABLES.items()),
]

_SOURCE = """
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    @FIELDS@
} head_t;

enum { SOFTMAX, DIVIDER, LOG_SOFTMAX, LOSS };
enum { ABSOLUTE, WINDOWS, REFERENCE };
enum { BY_POSITION = 1024, PARALLEL = 1 << 15 };

/* A processor that gathers slowly reads tables faster one by one. */
#if defined(__GNUC__) && !defined(__clang__)
#define SCALAR __attribute__((noinline, optimize("no-tree-vectorize")))
#else
#define SCALAR
#endif

/* Positions of the nearest codes, halves to even; whether a logit is NaN. */
static int quantise(const head_t *h, const float *x, uint16_t *position)
{
    const double scale = h->scale, inverse = h->inverse, least = h->least, largest = h->largest;
    const double sign = h->flip ? -1.0 : 1.0, origin = h->flip ? largest : -least;
    int nan = 0;
    /* Where the scale is a power of two the product is the quotient. */
#define LOOP(quotient)                                        \\
    for (int64_t i = 0; i < h->columns; i++) {                \\
        double r = rint(quotient);                            \\
        r = r > least ? r : least;                            \\
        r = r < largest ? r : largest;                        \\
        position[i] = (uint16_t)(int32_t)(sign * r + origin); \\
        nan |= x[i] != x[i];                                  \\
    }
    if (h->exact_inverse) {
        LOOP((double)x[i] * inverse)
    } else {
        LOOP((double)x[i] / scale)
    }
#undef LOOP
    return nan;
}

static int64_t shifted(int64_t value, int64_t by)
{
    return value >> (by < 63 ? by : 63);
}

/* The sum of the exponentials, and its reference. */
static SCALAR int64_t sum_of(const head_t *h, const uint16_t *restrict position, int64_t *reference)
{
    const int64_t n = h->columns;
    int64_t total = 0;
    *reference = 0;
    if (h->sum_kind == ABSOLUTE) {
        const int64_t *restrict terms = h->terms;
        for (int64_t i = 0; i < n; i++) total += terms[position[i]];
        return total;
    }
    if (h->sum_kind == REFERENCE) {
        int64_t running = h->coarse[position[0]];
        for (int64_t i = 0; i < n; i++) {
            const int64_t coarse = h->coarse[position[i]];
            if (coarse > running) {
                total = shifted(total, h->step * (coarse - running));
                running = coarse;
            }
            total += shifted(h->terms[position[i]], h->step * (running - coarse));
        }
        *reference = running;
        return total;
    }
    int32_t highest = 0;
    for (int64_t i = 0; i < n; i++) {
        const int32_t window = h->coarse[position[i]];
        highest = window > highest ? window : highest;
    }
    int64_t high = 0, before = 0, after = 0, i = 0;
    for (; h->coarse[position[i]] != highest; i++)
        if (h->coarse[position[i]] == highest - 1) before += h->terms[position[i]];
    for (; i < n; i++) {
        const int64_t term = h->terms[position[i]], window = h->coarse[position[i]];
        if (window == highest) high += term;
        if (window == highest - 1) after += term >> h->significand_fraction;
    }
    const int64_t low = (before >> h->significand_fraction) + after;
    *reference = highest;
    return (high << (h->accumulator_fraction - h->significand_fraction)) + (low >> (h->step - h->accumulator_fraction));
}

/* Exponent and significand of the sum. */
static int64_t leading_one(const head_t *h, int64_t reference, int64_t total, int64_t *divisor)
{
    const int64_t leading = 63 - __builtin_clzll((uint64_t)total), down = leading - h->divisor_fraction;
    *divisor = down >= 0 ? total >> down : total << -down;
    return h->step * reference + leading - h->accumulator_fraction + h->numerator_octaves;
}

static float by_division(const head_t *h, int64_t sum_exponent, int64_t divisor, int32_t position)
{
    const int64_t distance = sum_exponent - h->exponent[position];
    const int64_t quotient = (h->significand[position] << h->shift) / divisor;
    const int64_t code = (shifted(quotient, distance > 0 ? distance : 0) + 1) >> 1;
    return (float)(code < h->maximum ? code : h->maximum) / (float)h->levels;
}

static float magnitude(const head_t *h, int64_t logarithm, int32_t position)
{
    int64_t difference = (logarithm - h->position[position]) >> h->shift;
    difference = difference < 0 ? 0 : difference;
    return (float)(difference < h->limit ? difference : h->limit) * (float)h->unit;
}

/* The results of a vector: of each element, or of each position where there are fewer positions than elements. */
#define RESULTS(name, result)                                                                                  \\
    static SCALAR void name(const head_t *h, int64_t exponent, int64_t divisor, int64_t logarithm,             \\
                            const uint16_t *restrict position, float *restrict values)                         \\
    {                                                                                                          \\
        const int32_t *restrict steps = h->steps;                                                              \\
        const float *restrict results = h->results;                                                            \\
        const int32_t top = (int32_t)h->top, count = (int32_t)h->count, working = (int32_t)logarithm;          \\
        const int64_t n = h->columns;                                                                          \\
        (void)steps, (void)results, (void)top, (void)working, (void)exponent, (void)divisor, (void)logarithm; \\
        if (count <= BY_POSITION && count < n) {                                                               \\
            float table[BY_POSITION];                                                                          \\
            for (int32_t p = 0; p < count; p++) table[p] = (result);                                           \\
            for (int64_t i = 0; i < n; i++) values[i] = table[position[i]];                                    \\
        } else {                                                                                               \\
            for (int64_t i = 0; i < n; i++) {                                                                  \\
                const int32_t p = position[i];                                                                 \\
                values[i] = (result);                                                                          \\
            }                                                                                                  \\
        }                                                                                                      \\
    }

static inline int32_t within(int32_t value, int32_t top)
{
    value = value < 0 ? 0 : value; /* positions above the sum do not occur, but have an entry in `table` */
    return value < top ? value : top;
}

RESULTS(divided, by_division(h, exponent, divisor, p))
RESULTS(antilogarithms, results[within(working - steps[p], top)])
RESULTS(logarithms, -magnitude(h, logarithm, p))

static int forward_row(const head_t *h, const float *x, int64_t label, uint16_t *position, float *values)
{
    const int64_t n = h->columns;
    int64_t reference, divisor;
    const int nan = quantise(h, x, position);
    const int64_t total = sum_of(h, position, &reference);
    const int64_t exponent = leading_one(h, reference, total, &divisor);
    if (h->kind == DIVIDER) {
        divided(h, exponent, divisor, 0, position, values);
        return nan;
    }
    const int64_t cut = divisor >> (h->divisor_fraction - h->fraction - 1);
    int64_t logarithm = h->logarithm[(cut >> 1) - ((int64_t)1 << h->fraction)];
    logarithm += (cut & 1) << (h->working_fraction - h->fraction - 1);
    if (h->kind == SOFTMAX) {
        antilogarithms(h, 0, 0, logarithm + (exponent << h->working_fraction) - 1, position, values);
        return nan;
    }
    logarithm += h->octave[exponent];
    if (h->kind == LOG_SOFTMAX)
        logarithms(h, 0, 0, logarithm, position, values);
    else if ((uint64_t)label < (uint64_t)n)
        values[0] = magnitude(h, logarithm, position[label]);
    else
        values[0] = (float)h->limit * (float)h->unit;
    return nan;
}

/* Whether a logit is NaN; positions [V, N] and values [V, N], or [V] for losses, are written. */
int forward(const head_t *h, int64_t rows, const float *x, const int64_t *labels, uint16_t *position, float *values)
{
    const int64_t n = h->columns, width = h->kind == LOSS ? 1 : n;
    int nan = 0;
#pragma omp parallel for reduction(| : nan) if (rows * n >= PARALLEL)
    for (int64_t row = 0; row < rows; row++)
        nan |= forward_row(h, x + row * n, labels ? labels[row] : 0, position + row * n, values + row * width);
    return nan;
}

/* 2^x for x ≤ 0, from 2^-126 up. */
static inline float power(float x)
{
    x = x > -126.0f ? x : -126.0f;
    const float whole = floorf(x + 0.5f), f = x - whole;
    float p = 1.535336188319500e-4f;
    p = p * f + 1.339887440266574e-3f;
    p = p * f + 9.618437357674640e-3f;
    p = p * f + 5.550332471162809e-2f;
    p = p * f + 2.402264791363012e-1f;
    p = p * f + 6.931472028550421e-1f;
    p = p * f + 1.0f;
    const int32_t bits = ((int32_t)whole + 127) << 23;
    float octave;
    memcpy(&octave, &bits, sizeof octave);
    return p * octave;
}

static void backward_row(const head_t *h, const float *x, int64_t label, const uint16_t *position,
                         const float *restrict gradient, float *restrict result)
{
    const int64_t n = h->columns;
    const float low = (float)h->low_real, high = (float)h->high_real, rate = (float)h->rate, slope = (float)h->slope;
    const int32_t clip_low = (int32_t)h->clip_low, clip_high = (int32_t)h->clip_high;
    const int clips = clip_low > 0 || clip_high < (int32_t)h->count - 1;
    int32_t best = 0;
    for (int64_t i = 0; i < n; i++) best = position[i] > best ? position[i] : best;
    best = best < clip_high ? best : clip_high;
    best = best > clip_low ? best : clip_low;
    float sum = 0.0f, dot = 0.0f, whole = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        int32_t p = position[i];
        p = p < clip_high ? p : clip_high;
        p = p > clip_low ? p : clip_low;
        const float e = power(rate * (float)(best - p));
        result[i] = e;
        sum += e;
    }
    const float share = 1.0f / sum;
    if (h->kind == LOSS) {
        const int labelled = (uint64_t)label < (uint64_t)n;
        const float factor = labelled ? gradient[0] * slope : 0.0f;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) result[i] *= share * factor;
        if (labelled) result[label] -= factor;
    } else if (h->kind == LOG_SOFTMAX) {
#pragma omp simd reduction(+ : whole)
        for (int64_t i = 0; i < n; i++) whole += gradient[i];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) result[i] = slope * (gradient[i] - result[i] * share * whole);
    } else {
#pragma omp simd reduction(+ : dot)
        for (int64_t i = 0; i < n; i++) dot += result[i] * gradient[i];
        const float mean = dot * share, factor = share * slope;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) result[i] *= factor * (gradient[i] - mean);
    }
    if (h->stops)
        for (int64_t i = 0; i < n; i++) result[i] = (x[i] >= low) & (x[i] <= high) ? result[i] : 0.0f;
    if (clips)
        for (int64_t i = 0; i < n; i++)
            result[i] = (position[i] >= clip_low) & (position[i] <= clip_high) ? result[i] : 0.0f;
}

/* The gradient of the logits [V, N] for that of the values. */
void backward(const head_t *h, int64_t rows, const float *x, const int64_t *labels, const uint16_t *position,
              const float *gradient, float *result)
{
    const int64_t n = h->columns, width = h->kind == LOSS ? 1 : n;
#pragma omp parallel for if (rows * n >= PARALLEL)
    for (int64_t row = 0; row < rows; row++)
        backward_row(h, x + row * n, labels ? labels[row] : 0, position + row * n, gradient + row * width, result + row * n);
}
""".replace("@FIELDS@", "\n    ".join(_DECLARATIONS))


class _Head(ctypes.Structure):
    """The numbers and tables of a head, as the C source declares them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _INTEGERS),
        *((name, ctypes.c_double) for name in _REALS),
        *((name, ctypes.c_void_p) for name in _TABLES),
    )


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The compiled loops; None where there is no C compiler, or where it refuses them.

    Compiled anew by each process, for the processor it runs on, which takes less than a second.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with temporary_folder() as folder:
        for flags in (["-march=native", "-fopenmp"], ["-march=native"], []):
            with contextlib.suppress(OSError):
                return _compiled(compiler, flags, folder)
    return None


def _compiled(compiler: str, flags: list[str], folder: Path) -> ctypes.CDLL:
    """Raises `OSError` where the compiler refuses the loops, and where they cannot be loaded."""
    (folder / "kernel.c").write_text(_SOURCE, encoding="utf-8")
    # Linked without a run-time library of OpenMP: the loops take the one of PyTorch, with its threads, if it is of that kind.
    for command in ([*_FLAGS, *flags, "-c", "kernel.c"], ["-shared", "kernel.o", "-o", "kernel.so", "-lm"]):
        if code := run([compiler, *command], folder, folder / "log", _COMPILER_SECONDS):
            raise OSError(f"{compiler}: ended with exit code {code}")
    loops = ctypes.CDLL(str(folder / "kernel.so"))
    loops.forward.restype, loops.backward.restype = ctypes.c_int, None
    return loops


class Kernel:
    """The loops for one head."""

    def __init__(self, config: Config, head: nn.Module, stops: bool, loops: ctypes.CDLL) -> None:
        self.per_element, self.loops = config.traits.per_element, loops
        self._tables: list[Tensor] = []
        low, high = (
            end - config.score_zero_point for end in (config.score_format.minimum, config.score_format.maximum)
        )
        clip_low, clip_high = config.clip_positions
        self._numbers = {
            "scale": config.score_scale,
            "inverse": 1 / config.score_scale,
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
            "count": 1 << config.score_width,
            "unit": 2.0**-config.probability_width,
            "levels": config.levels,
            **self._sum(head),
            **self._results(config, head),
        }
        self._heads: dict[int, _Head] = {}

    def _table(self, values: Tensor, name: str) -> int:
        """The address of a table, which lives as long as the kernel."""
        self._tables.append(values.cpu().to(_DTYPES[_TABLES[name]]).contiguous())
        return self._tables[-1].data_ptr()

    def _sum(self, head: Any) -> dict[str, int]:
        widths = head.accumulate.widths
        kind = _ABSOLUTE if widths.absolute else _WINDOWS if widths.windows else _REFERENCE
        numbers = {
            "sum_kind": kind,
            "terms": self._table(head.accumulate.terms, "terms"),
            "step": widths.reference_step,
            "accumulator_fraction": widths.accumulator_fraction,
            "significand_fraction": widths.significand_fraction,
            "numerator_octaves": widths.numerator_octaves,
            "divisor_fraction": widths.divisor_fraction,
        }
        if kind != _ABSOLUTE:
            numbers["coarse"] = self._table(head.accumulate.coarse, "coarse")
        return numbers

    def _results(self, config: Config, head: Any) -> dict[str, int]:
        if isinstance(head, Softmax):
            normaliser = head.normaliser
            if isinstance(normaliser, Divider):
                return self._division(normaliser)
            tables = normaliser.tables
            results = normaliser.by_distance.float() / config.levels
            return {
                "kind": _SOFTMAX,
                "fraction": tables.fraction,
                "working_fraction": tables.working_fraction,
                "logarithm": self._table(normaliser.logarithm, "logarithm"),
                "steps": self._table(normaliser.position, "steps"),
                "results": self._table(results, "results"),
                "top": len(results) - 1,
            }
        tables = head.numbers.tables
        return {
            "kind": _LOG_SOFTMAX if config.traits.per_element else _LOSS,
            "fraction": tables.fraction,
            "working_fraction": tables.working_fraction,
            "logarithm": self._table(head.logarithm, "logarithm"),
            "octave": self._table(head.octave, "octave"),
            "position": self._table(head.position, "position"),
            "shift": tables.shift,
            "limit": head.numbers.limit,
        }

    def _division(self, normaliser: Divider) -> dict[str, int]:
        widths = normaliser.widths
        return {
            "kind": _DIVIDER,
            "exponent": self._table(normaliser.exponential.exponent, "exponent"),
            "significand": self._table(normaliser.exponential.significand, "significand"),
            "shift": widths.probability_width + 1 + widths.divisor_fraction - widths.significand_fraction,
            "maximum": widths.probability_maximum,
        }

    def _head(self, columns: int) -> _Head:
        if columns not in self._heads:
            self._heads[columns] = _Head(columns=columns, **self._numbers)
        return self._heads[columns]

    def forward(self, values: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor, bool]:
        """(results, positions as 16-bit integers, whether a logit is NaN) of contiguous float32 logits [V, N]."""
        rows, columns = values.shape
        positions = torch.empty(values.shape, dtype=torch.int16)
        results = torch.empty(values.shape if self.per_element else values.shape[:1])
        tensors = map(_address, (values, labels, positions, results))
        nan = self.loops.forward(ctypes.byref(self._head(columns)), ctypes.c_int64(rows), *tensors)
        return results, positions, bool(nan)

    def backward(self, values: Tensor, labels: Tensor | None, positions: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of logits [V, N] for that of the results."""
        rows, columns = values.shape
        results = torch.empty(values.shape)
        tensors = map(_address, (values, labels, positions, gradient, results))
        self.loops.backward(ctypes.byref(self._head(columns)), ctypes.c_int64(rows), *tensors)
        return results


def _address(tensor: Tensor | None) -> ctypes.c_void_p:
    """The address of a contiguous tensor."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


@functools.lru_cache(maxsize=64)
def kernel_of(config: Config, *, stops: bool) -> Kernel | None:
    """The loops for a configuration; None for a head that they do not serve, or without a C compiler.

    `stops`: whether the gradient of a logit beyond the score format is 0.
    """
    traits = config.traits
    softmax = traits.softmax and not (config.exact_sum or config.two_pass)
    keys = {key.name for key in config.changed_keys() if key.numeric}
    plain = keys <= _SERVED and composition(config) is None
    if not plain or not (softmax or (traits.logarithmic and not traits.relative_sum)):
        return None
    head = MODES[config.mode](config)
    if softmax and not isinstance(head.normaliser, (Divider, Logarithm)):
        return None
    loops = _library()
    return None if loops is None else Kernel(config, head, stops, loops)
