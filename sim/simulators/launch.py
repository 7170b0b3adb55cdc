"""Runs one simulator process under cocotb's runner.

Use: `python -P -m softstream.sim.simulators.launch SPEC.json`.

cocotb's runner waits for the simulator without a way to watch its progress or to end it. It also prints, and leaves with
`sys.exit`. So it has a process of its own, which `softstream.sim.simulators.runner` starts, watches and ends.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Verilog, get_runner

from softstream.sim.simulators.build import TIMESCALE

__all__ = ["main"]


def main(path: Path) -> None:
    """Builds the design for Icarus and runs the test modules of the specification.

    Verilator's build already exists; the specification names its folder.
    """
    spec: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    runner = get_runner(spec["simulator"])
    if spec["simulator"] == "icarus":
        runner.build(
            sources=[Verilog(Path(spec["verilog"]))],
            hdl_toplevel=spec["top"],
            build_dir=spec["build"],
            always=True,
            timescale=TIMESCALE,
            waves=spec["waves"],
        )
    runner.test(
        test_module=spec["modules"],
        hdl_toplevel=spec["top"],
        hdl_toplevel_lang="verilog",
        build_dir=spec["build"],
        test_dir=spec["directory"],
        results_xml=spec["results"],
        seed=spec["seed"],
        plusargs=spec["plusargs"],
        waves=spec["waves"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
