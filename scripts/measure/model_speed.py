"""Speed of the models of a head on one core, on the same scores, beside what others compute from them.

The models are the golden model in NumPy, and the C model of `generate --c-model`. The others are onnxruntime's QLinearSoftmax,
which puts out codes as the head does, but rounds them otherwise, and its Softmax of float32.
"""

import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure
from softstream.hw.extras import is_installed
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import sidebands
from softstream.hw.verilog import TOP
from softstream.scripts.emit.c_model import header_text
from softstream.scripts.emit.head import GeneratedHead
from softstream.sim.golden import golden

__all__ = ["c_model_speed", "golden_speed", "onnxruntime_speeds"]

RUNS = 5
"""The best of so many runs counts."""
_VECTORS, _LENGTH = 4000, 1000

_MAIN = """
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static @score_code scores[${vectors}u * ${length}u];
static @code codes[${length}u];

int main(void)
{
    double best = 1e9;
    int run;
    size_t i;
    int64_t check = 0;
    FILE *file = fopen("scores", "rb");
    if (!file || fread(scores, sizeof scores[0], ${vectors}u * ${length}u, file) != ${vectors}u * ${length}u) {
        return EXIT_FAILURE;
    }
    for (run = 0; run < $runs; run++) {
        const clock_t begun = clock();
        double seconds;
        for (i = 0u; i < ${vectors}u; i++) {
            const @vector vector = {scores + i * ${length}u, ${length}u};
            @result result;
            @run(&vector, codes, &result);
            check += codes[i % ${length}u] + result.argmax;
        }
        seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
        best = seconds < best ? seconds : best;
    }
    printf("%.9f %lld\\n", best, (long long)check);
    return EXIT_SUCCESS;
}
"""


def _scores(config: Config) -> np.ndarray:
    """The scores of all measurements: vectors in rows, uniform over the codes."""
    fmt = config.score_format
    shape = (_VECTORS - _VECTORS % config.ensemble, min(_LENGTH, config.max_length))
    return np.random.default_rng(1).integers(fmt.minimum, fmt.maximum, shape, endpoint=True)


def _per_second(scores: np.ndarray, compute: Callable[[], object]) -> float:
    """Scores per second of processor time, in the best of the runs."""
    best = math.inf
    for _ in range(RUNS):
        begun = time.process_time()
        compute()
        best = min(best, time.process_time() - begun)
    return round(scores.size / best, -3)


def golden_speed(config: Config) -> float:
    """Scores per second of the golden model, in processor time; the sideband of the scores is 0."""
    scores = _scores(config)
    shape = scores.shape
    zeros = {
        field.array: np.zeros(shape if field.per == "element" else shape[:1], dtype=np.int64)
        for field in sidebands(config)
    }
    first = slice(10 * config.ensemble)
    golden(config, scores[first], sideband={name: values[first] for name, values in zeros.items()})
    return _per_second(scores, lambda: golden(config, scores, sideband=zeros))


def onnxruntime_speeds(config: Config) -> dict[str, float]:
    """Scores per second of onnxruntime's operators, on one thread, for a softmax head of signed 8-bit scores.

    Empty where the packages of the extra `onnx` are not installed. The float32 operator starts from scores in nats, so their
    conversion is not counted.
    """
    if not (is_installed("onnx") and is_installed("onnxruntime")):
        return {}
    import onnxruntime
    from onnx import TensorProto, helper

    codes = _scores(config).astype(np.int8)
    scalars = {
        "score_scale": (TensorProto.FLOAT, config.score_scale),
        "score_zero": (TensorProto.INT8, 0),
        "scale": (TensorProto.FLOAT, 1 / config.levels),
        "zero": (TensorProto.INT8, -128),
    }
    quantised = helper.make_node("QLinearSoftmax", ["x", *scalars], ["y"], domain="com.microsoft", axis=-1, opset=13)
    rows = {
        "QLinearSoftmax": (quantised, TensorProto.INT8, codes),
        "float32 Softmax": (
            helper.make_node("Softmax", ["x"], ["y"], axis=-1),
            TensorProto.FLOAT,
            codes.astype(np.float32) * np.float32(config.score_scale),
        ),
    }
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    speeds = {}
    for name, (node, kind, scores) in rows.items():
        ends = [helper.make_tensor_value_info(end, kind, scores.shape) for end in ("x", "y")]
        constants = [helper.make_tensor(scalar, *row[:1], [], [row[1]]) for scalar, row in scalars.items()]
        graph = helper.make_graph([node], name, ends[:1], ends[1:], constants if node is quantised else [])
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
        # A version of the format that every onnxruntime of the last years reads.
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        feed = {"x": scores}
        session.run(None, feed)
        speeds[name] = _per_second(scores, partial(session.run, None, feed))
    return speeds


def c_model_speed(config: Config) -> float | None:
    """Scores per second of the C model of a softmax head of 8-bit scores; None where no C compiler is there.

    Raises `ToolFailure` where the compiler refuses the model.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    scores = _scores(config)
    vectors, length = scores.shape
    head = GeneratedHead(plan(config), TOP, f"{TOP}.v")
    main = _MAIN.replace("@", f"{TOP}_")
    for name, value in {"vectors": vectors, "length": length, "runs": RUNS}.items():
        main = main.replace(f"${{{name}}}", str(value)).replace(f"${name}", str(value))
    with tempfile.TemporaryDirectory(prefix="softstream-speed-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        (place / "model.h").write_text(header_text(head), encoding="ascii")
        (place / "main.c").write_text(main, encoding="ascii")
        scores.astype(np.int8 if config.score_signed else np.uint8).tofile(place / "scores")
        build = [compiler, "-std=c99", "-O2", "main.c", "-o", "main"]
        done = subprocess.run(build, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolFailure(f"{compiler} refuses the C model: {done.stderr.strip()[:500]}")
        timed = subprocess.run([place / "main"], cwd=place, capture_output=True, text=True, check=True)
    return round(scores.size / float(timed.stdout.split()[0]), -3)
