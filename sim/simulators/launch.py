"""`python -P -m softstream.sim.simulators.launch SPEC.json`: one simulator process under cocotb's runner.

cocotb's runner waits for the simulator without a way to watch its progress or to end it, prints, and leaves with
`sys.exit`; here it may. `softstream.sim.simulators.runner` starts this, watches and ends it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Verilog, get_runner

from softstream.sim.simulators.build import TIMESCALE

__all__ = ["main"]


def main(path: Path) -> None:
    """Builds for Icarus (Verilator's build is given) and runs the test modules that the specification names."""
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
