"""A proof: the verdicts of the model checker on the properties of a harness, with the shortest trace of one that fails."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure
from softstream.hw.processes import TemporaryFolder
from softstream.sim.proofs.engine import Verdict, decide, prepare
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.waveform import beats_in, trace_waveform

__all__ = ["Progress", "Proof", "decide_all"]

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


def decide_all(
    config: Config,
    verilog: str,
    harness: str,
    items: Sequence[Property],
    *,
    abstract: bool,
    seconds: float,
    progress: Progress,
    reading_seconds: float | None = None,
) -> Proof:
    """Decides the properties of a harness around the Verilog of a head.

    `abstract`: whether a first attempt leaves the head's memories out, which is quicker and proves more than is asked.
    `seconds`: limit of each step of each tool; `reading_seconds`: of reading the Verilog, if that may take longer. Raises
    `MissingTool` and `ToolFailure`.
    """
    began = time.monotonic()
    temporary = TemporaryFolder()
    folder = temporary.path
    try:
        verdicts: dict[Property, Verdict] = {}
        beats: tuple[dict[str, int], ...] = ()
        waveform = ""
        for memories in (False, True) if abstract else (True,):
            undecided = [item for item in items if item not in verdicts]
            if not undecided:
                break
            progress(0.6 if memories else 0.1, "reading the Verilog")
            graph = prepare(verilog, harness, folder, memories=memories, seconds=reading_seconds or seconds)
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
        temporary.remove()
        return Proof(config, tuple(verdicts[item] for item in items), time.monotonic() - began, beats, waveform)
    except ToolFailure:
        temporary.keep()  # its log says why
        raise
    except BaseException:
        temporary.remove()
        raise
