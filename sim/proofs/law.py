"""Proof of the AXI4-Stream law of a head, at its full size, for all inputs and all time.

Assumed: the source keeps the law at `s_axis`; the first cycle is one of reset. Nothing else: sinks stall as they like, reset
comes at any time, registers and memories hold anything at the start.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure
from softstream.hw.plan.ports import top_ports
from softstream.sim.proofs.engine import Verdict, decide, prepare
from softstream.sim.proofs.harness import Property, harness_rtlil, properties
from softstream.sim.proofs.waveform import beats_in, trace_waveform

__all__ = ["Proof", "prove_law"]

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Proof:
    """The verdicts on a head."""

    config: Config
    verdicts: tuple[Verdict, ...]
    seconds: float
    """Wall time of everything, synthesis of the model included."""
    beats: tuple[dict[str, int], ...] = ()
    """Of a refuted law: inputs of the head in each cycle, port → value, of the shortest trace."""
    waveform: str = ""
    """Of a refuted law: the shortest trace as the text of a VCD file."""

    @property
    def answer(self) -> str:
        """`proved`, `refuted`, `vacuous` where a law never has a case to judge, or `open` where the time was over."""
        answers = {verdict.answer for verdict in self.verdicts}
        if "refuted" in answers:
            return "refuted"
        if "unreachable" in answers:
            return "vacuous"
        return "open" if "open" in answers else "proved"


def prove_law(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves the law of every output of a head, and that no law is vacuous.

    `verilog`: another text of the same ports in the place of the generated one. `seconds`: limit of each step of each tool.
    Raises `MissingTool` and `ToolFailure`.
    """
    from softstream.hw.verilog import TOP
    from softstream.hw.verilog import verilog as generate

    began = time.monotonic()
    ports = top_ports(config)
    text = generate(config, TOP) if verilog is None else verilog
    harness = harness_rtlil(TOP, ports)
    items = properties(ports)
    folder = Path(tempfile.mkdtemp(prefix="softstream-proof-"))
    try:
        verdicts: dict[Property, Verdict] = {}
        beats: tuple[dict[str, int], ...] = ()
        waveform = ""
        for memories in (False, True):
            undecided = [item for item in items if item not in verdicts]
            if not undecided:
                break
            progress(0.6 if memories else 0.1, "reading the Verilog")
            graph = prepare(text, harness, folder, memories=memories, seconds=seconds)
            if graph is None:
                verdicts |= {item: Verdict(item, "open", "–", None, seconds) for item in undecided}
                break
            for number, item in enumerate(undecided):
                progress(0.5 + 0.4 * number / len(undecided), item.name)
                verdict = decide(graph, item, seconds=seconds)
                if verdict.answer == "refuted" and not memories:
                    continue  # perhaps a trace of the free data alone: again with all memories
                verdicts[item] = verdict
                trace = graph.with_name(f"{item.signal}.aiw")
                if verdict.answer == "refuted" and trace.exists():
                    beats, waveform = tuple(beats_in(graph, trace)), trace_waveform(graph, trace)
        shutil.rmtree(folder, ignore_errors=True)
        return Proof(config, tuple(verdicts[item] for item in items), time.monotonic() - began, beats, waveform)
    except ToolFailure:
        raise  # the folder stays: its log says why
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
