"""A proof: the verdicts of the model checker on the properties of a harness, with the shortest trace of one that fails."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.processes import tool_folder
from softstream.hw.verilog import TOP
from softstream.hw.verilog import verilog as generate
from softstream.sim.proofs.engine import Verdict, decide, prepare
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.waveform import beats_in, trace_waveform

__all__ = ["Claim", "Progress", "Proof", "Prover"]

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
    def refuted(self) -> list[Property]:
        """The statements that are refuted."""
        return [verdict.statement for verdict in self.verdicts if verdict.answer == "refuted"]

    @property
    def answer(self) -> str:
        """`proved`, `refuted`, `vacuous` where a law never has a case to judge, or `open` where the time was over."""
        answers = {verdict.answer for verdict in self.verdicts}
        if "refuted" in answers:
            return "refuted"
        if "unreachable" in answers:
            return "vacuous"
        return "open" if "open" in answers else "proved"


@dataclass(frozen=True)
class Claim:
    """What is to be proved of one head."""

    harness: Callable[..., str]
    """Writes the RTLIL around the Verilog of the head; `harness_rtlil` takes `premises`."""
    properties: tuple[Property, ...]
    abstract: bool = False
    """Whether a first attempt leaves the head's memories out, which is quicker and proves more than is asked."""


@dataclass(frozen=True)
class Prover:
    """The proof of one statement about heads."""

    claim: Callable[[Config, str], Claim]
    """The claim about a configuration and the name of its top module."""

    def __call__(
        self,
        config: Config,
        *,
        verilog: str | None = None,
        top: str = TOP,
        files: Mapping[str, str] | None = None,
        seconds: float = 60.0,
        reading_seconds: float | None = None,
        progress: Progress = lambda fraction, what: None,
    ) -> Proof:
        """Decides the properties of the statement for the generated Verilog of a head.

        `verilog`: another text of the same ports in the place of the generated one; `top`: its top module; `files`: what it reads
        with `$readmemh`, by name. `seconds`: limit of each step of each tool;
        `reading_seconds`: of reading the Verilog, if that may take longer. Raises `MissingTool` and `ToolFailure`.
        """
        text = generate(config, top) if verilog is None else verilog
        return _decide(
            config, text, files or {}, self.claim(config, top), seconds, reading_seconds or seconds, progress
        )


def _decide(
    config: Config,
    verilog: str,
    files: Mapping[str, str],
    claim: Claim,
    seconds: float,
    reading_seconds: float,
    progress: Progress,
) -> Proof:
    """Decides the properties of a claim about a Verilog text and the files that it reads."""
    items = claim.properties
    began = time.monotonic()
    with tool_folder(files) as folder:
        verdicts: dict[Property, Verdict] = {}
        beats: tuple[dict[str, int], ...] = ()
        waveform = ""
        for memories in (False, True) if claim.abstract else (True,):
            undecided = [item for item in items if item not in verdicts]
            if not undecided:
                break
            progress(0.6 if memories else 0.1, "reading the Verilog")
            graph = prepare(verilog, claim.harness(), folder, memories=memories, seconds=reading_seconds)
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
    return Proof(config, tuple(verdicts[item] for item in items), time.monotonic() - began, beats, waveform)
