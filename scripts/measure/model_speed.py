"""Speed of the two models of a head: the golden model in NumPy, and the C model of `generate --c-model`, on one core."""

import math
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import sidebands
from softstream.hw.verilog import TOP
from softstream.scripts.emit.c_model import header_text
from softstream.scripts.emit.head import GeneratedHead
from softstream.sim.golden import golden

__all__ = ["c_model_speed", "golden_speed"]

RUNS = 5
"""The best of so many runs counts."""
_VECTORS, _LENGTH = 4000, 1000

_MAIN = """
#include "model.h"
#include <stdio.h>
#include <time.h>

static @score_code scores[${vectors}u * ${length}u];
static @code codes[${length}u];

int main(void)
{
    double best = 1e9;
    int run;
    size_t i;
    uint32_t state = 1u;
    int64_t check = 0;
    for (i = 0u; i < ${vectors}u * ${length}u; i++) {
        state = state * 1664525u + 1013904223u;
        scores[i] = (@score_code)(state >> 24);
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
    return 0;
}
"""


def golden_speed(config: Config) -> float:
    """Scores per second of the golden model, in processor time; the sideband of the scores is 0."""
    fmt = config.score_format
    shape = (_VECTORS - _VECTORS % config.ensemble, min(_LENGTH, config.max_length))
    scores = np.random.default_rng(1).integers(fmt.minimum, fmt.maximum, shape, endpoint=True)
    zeros = {
        field.array: np.zeros(shape if field.per == "element" else shape[:1], dtype=np.int64)
        for field in sidebands(config)
    }
    first = slice(10 * config.ensemble)
    golden(config, scores[first], sideband={name: values[first] for name, values in zeros.items()})
    best = math.inf
    for _ in range(RUNS):
        begun = time.process_time()
        golden(config, scores, sideband=zeros)
        best = min(best, time.process_time() - begun)
    return round(scores.size / best, -3)


def c_model_speed(config: Config) -> float | None:
    """Scores per second of the C model of a softmax head of 8-bit scores; None where no C compiler is there.

    Raises `ToolFailure` where the compiler refuses the model.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    length = min(_LENGTH, config.max_length)
    head = GeneratedHead(plan(config), TOP, f"{TOP}.v")
    main = _MAIN.replace("@", f"{TOP}_")
    for name, value in {"vectors": _VECTORS, "length": length, "runs": RUNS}.items():
        main = main.replace(f"${{{name}}}", str(value)).replace(f"${name}", str(value))
    with tempfile.TemporaryDirectory(prefix="softstream-speed-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        (place / "model.h").write_text(header_text(head), encoding="ascii")
        (place / "main.c").write_text(main, encoding="ascii")
        build = [compiler, "-std=c99", "-O2", "main.c", "-o", "main"]
        done = subprocess.run(build, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolFailure(f"{compiler} refuses the C model: {done.stderr.strip()[:500]}")
        timed = subprocess.run([place / "main"], capture_output=True, text=True, check=True)
    return round(_VECTORS * length / float(timed.stdout.split()[0]), -3)
