"""A trace of the model checker as a waveform: the harness is simulated with the trace's inputs and initial values."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softstream.sim.proofs.engine import run_yosys

__all__ = ["beats_in", "trace_waveform"]


def _frames(trace: Path) -> list[str]:
    """Values of the graph's inputs, a text of digits for each cycle. The first line of a trace holds the latches."""
    lines = trace.read_text(encoding="utf-8").splitlines()[1:]
    return [line for line in lines if line and set(line) <= set("01x")]


def _witness(names: dict[str, Any], frames: Sequence[str]) -> dict[str, Any]:
    """The trace in the form that Yosys simulates ("Yosys Witness Trace").

    Initial values of registers are inputs of the first cycle alone; they come last, as the form asks for.
    """
    steady, initial = [*names["inputs"], *names["seqs"]], names["inits"]
    steps = []
    for cycle, frame in enumerate(frames):
        entries = [*steady, *initial] if cycle == 0 else steady
        # The last signal stands first.
        steps.append({"bits": "".join(frame[entry["input"]] for entry in reversed(entries)).replace("x", "0")})
    signals = [
        {"path": entry["path"], "width": 1, "offset": entry["offset"], "init_only": entry in initial}
        for entry in [*steady, *initial]
    ]
    clocks = [{key: entry[key] for key in ("path", "edge", "offset")} for entry in names["clocks"]]
    return {"format": "Yosys Witness Trace", "clocks": clocks, "signals": signals, "steps": steps}


def trace_waveform(graph: Path, trace: Path) -> str:
    """Simulates a trace on the model behind a graph: the text of a VCD file. Raises `ToolFailure` where Yosys fails."""
    names = json.loads(graph.with_suffix(".yw").read_text(encoding="utf-8"))
    steps = trace.with_suffix(".yw")
    steps.write_text(json.dumps(_witness(names, _frames(trace))), encoding="utf-8")
    commands = [f"read_rtlil {graph.stem}.il", f"sim -hdlname -r {steps.name} -vcd {trace.stem}.vcd -q"]
    run_yosys(commands, graph.parent, seconds=60)
    return trace.with_suffix(".vcd").read_text(encoding="utf-8")


def beats_in(graph: Path, trace: Path) -> list[dict[str, int]]:
    """Inputs of the harness in each cycle of a trace: port → value."""
    names = json.loads(graph.with_suffix(".yw").read_text(encoding="utf-8"))
    cycles = []
    for frame in _frames(trace):
        values: dict[str, int] = {}
        for entry in names["inputs"]:
            if len(entry["path"]) == 1 and frame[entry["input"]] == "1":
                port = entry["path"][0].removeprefix("\\")
                values[port] = values.get(port, 0) | 1 << entry["offset"]
        cycles.append(values)
    return cycles
