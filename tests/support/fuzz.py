"""Random configurations of every mode and option until the time is over: make fuzz.

    PYTHONPATH=tests python -m support.fuzz --seconds 60 --seed 1

Each round takes 100 configurations of the golden model against the documented formulas (`bound_check`), then 10 heads in
Amaranth's simulator under random stalls, then the generated Verilog of one head (`hardware_check`), then the proof that the
Verilog of two heads is its description. The first failure is made as small as possible and printed with a command line that
reproduces it; the exit code is 1.
"""

import argparse
import random
import sys
import time

from support.bound_check import search
from support.hardware_check import check_translation, check_verilog, search_hardware

__all__ = ["main"]

MODELS, HEADS, TOPS, TEXTS = 100, 10, 1, 2
"""Configurations in one round: of the model, of heads in Amaranth's simulator, of Verilog texts, and of proofs."""


def main(arguments: list[str] | None = None) -> int:
    """Searches until the time is over. Returns 1 at the first failure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    numbers, begun = random.Random(options.seed), time.monotonic()
    drawn = {"models": 0, "heads": 0, "Verilog texts": 0, "proofs": 0}
    steps = (
        ("models", MODELS, search),
        ("heads", HEADS, search_hardware),
        ("Verilog texts", TOPS, lambda count, number: search_hardware(count, number, check_verilog)),
        ("proofs", TEXTS, lambda count, number: search_hardware(count, number, check_translation)),
    )
    while True:
        for name, count, step in steps:
            # The first step always runs, so that no search is empty.
            if time.monotonic() - begun >= options.seconds and drawn["models"]:
                counts = ", ".join(f"{total} {kind}" for kind, total in drawn.items())
                print(
                    f"{counts} drawn in {time.monotonic() - begun:.0f} s: every result within its bound, no difference"
                )
                return 0
            try:
                step(count, numbers.getrandbits(32))()
            except AssertionError as failure:
                print(failure, file=sys.stderr)
                return 1
            drawn[name] += count


if __name__ == "__main__":
    sys.exit(main())
