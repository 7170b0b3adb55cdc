"""The shortest run of a simulation that shows what a proof refutes.

A proof starts from arbitrary contents, and its trace may have resets anywhere. `softstream run --engine rtl` starts from the
initial values of the Verilog, resets once, and sends the scores of a file. So a fault is looked for again under these
conditions, each search by bounded model checking, which finds the shortest trace:

1. as `run` drives a head: a beat is offered in each cycle until the last one has gone, and the sinks are always ready;
2. as `run --stalls` does: the source pauses between beats and the sinks stall as they like;
3. from the initial values with any resets and any beats, which tells why there is no such run;
4. where that finds nothing either, the fault starts from contents that no search from the initial values has reached.

The cycles of 1 and 2 are those of `sim/benches/scores.py`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, Value

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import byte_bits, outputs, sidebands, stream_fields
from softstream.hw.processes import TemporaryFolder
from softstream.hw.verilog import TOP
from softstream.sim.beats import Beat, pad_vectors, score_beats
from softstream.sim.golden.head import checked, checked_sideband
from softstream.sim.proofs.engine import Verdict, prepare, shortest_trace
from softstream.sim.proofs.harness import TRANSFER, Premises, Property
from softstream.sim.proofs.proof import Claim, Progress
from softstream.sim.proofs.waveform import beats_in

__all__ = ["Reproduction", "reproduce"]

_RESET_CYCLES = 4
_FIRST = _RESET_CYCLES + 1
"""The cycle in which the bench may offer a beat for the first time, and in which its sinks may be ready."""

_NO_SCORES = "no run shows it, for a file of scores has no null beats and no more than max_length scores in a vector"

_DEEPEST = 200
"""Cycles of the longest trace that is looked for."""


@dataclass(frozen=True)
class Reproduction:
    """What shows a fault in a simulation, or why nothing does."""

    statement: Property | None
    """The property that the run breaks; None where there is no run."""
    reason: str
    """Why there is no run, for a person; else empty."""
    cycles: int = 0
    """Of the trace, resets included."""
    scores: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """Score codes, [V, N]."""
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Elements of each vector, [V]."""
    sideband: Mapping[str, np.ndarray] = field(default_factory=dict)
    stalls: Mapping[str, str] = field(default_factory=dict)
    """Stream → a digit for each cycle, 1 for a pause, as `run --stalls` takes them; empty where no stream pauses."""


class _Run:
    """What is assumed so that a trace is a run of `sim/benches/scores.py`, with or without stalls."""

    def __init__(self, config: Config, *, stalls: bool) -> None:
        self._config, self._stalls = config, stalls

    def __call__(self, m: Module, signals: Mapping[str, Signal]) -> list[Value]:
        """The premises of a harness."""
        valid, last = signals["s_axis_tvalid"], signals["s_axis_tlast"]
        fields = {name: signals[f"s_axis_{name}"] for name in stream_fields(self._config, "s_axis")}
        readies = Cat(*(signals[f"{output.prefix}_tready"] for output in outputs(self._config)))
        payload = Cat(*fields.values())
        cycle, running = Signal(range(_FIRST + 1)), Signal()
        m.d.comb += running.eq(cycle == _FIRST)
        with m.If(~running):
            m.d.sync += cycle.eq(cycle + 1)
        # Beats of the vector that have gone; a packet of groups has any number of them.
        most = -(-self._config.max_length // self._config.lanes)
        gone, inside, full = Signal(range(most)), Signal(), Signal()
        m.d.comb += full.eq(0 if self._config.groups else gone == most - 1)
        with m.If(valid & signals["s_axis_tready"]):
            m.d.sync += [inside.eq(~last), gone.eq(Mux(last, 0, Mux(full, gone, gone + 1)))]
        premises = [
            signals["aresetn"] == (cycle >= _RESET_CYCLES),
            running | ~(valid | payload.any() | readies.any()),
            ~valid | self._fits(fields, inside, full),
        ]
        before, paused = Signal(len(payload)), Signal()
        m.d.sync += [before.eq(payload), paused.eq(running & ~valid)]
        if not self._stalls:
            return [*premises, ~running | readies.all(), ~valid | ~paused, ~running | valid | ~(inside | payload.any())]
        # In a pause the source drives the complement of the next beat, which a trace may end before.
        complement = dict(zip(fields, _split(~payload, fields), strict=True))
        return [
            *premises,
            ~paused | (payload == Mux(valid, ~before, before)),
            ~running | valid | self._fits(complement, inside, full),
        ]

    def _fits(self, fields: Mapping[str, Value], inside: Value, full: Value) -> Value:
        """Whether a beat is one that `score_beats` makes of scores.

        `inside`: it is not the first one of its vector; `full`: it is the last one that a vector may have.
        """
        config = self._config
        width, bits, lanes = config.score_width, byte_bits(config.score_width), config.lanes
        data, last = fields["tdata"], fields["tlast"]
        held = [Const(1, 1)] * lanes
        rules: list[Value] = [~full | last]
        if config.reads_tkeep:
            keep = [fields["tkeep"].word_select(lane, bits // 8) for lane in range(lanes)]
            held = [lane.all() for lane in keep]
            rules += [one.all() | ~one.any() for one in keep]
            rules.append(~(full & Cat(*held[(config.max_length - 1) % lanes + 1 :]).any()))
            # Lanes fill from the lowest on; all of them before the end of the vector.
            rules += [
                held[0],
                *(low | ~high for low, high in itertools.pairwise(held)),
                last | Cat(*held).all(),
            ]
        for lane in range(lanes):
            code = data[lane * bits : (lane + 1) * bits]
            sign = code[width - 1] if config.score_signed else Const(0, 1)
            rules.append(code[width:] == sign.replicate(bits - width) if bits > width else Const(1, 1))
            rules.append(held[lane] | (code == (config.score_format.maximum & ((1 << bits) - 1))))
        low = 0
        for field_ in sidebands(config):
            for lane in range(field_.copies(config)):
                value = fields["tuser"][low : low + field_.width]
                low += field_.width
                present = held[lane] if field_.per == "element" else ~inside
                rules.append(Mux(present, value <= field_.limit, value == 0))
                if field_.array == "mask":  # the code of a masked element does not come from the file
                    rules.append(~value[0] | (data[lane * bits : (lane + 1) * bits] == 0))
        return Cat(*(rule.bool() for rule in rules)).all()


def _split(payload: Value, fields: Mapping[str, Value]) -> list[Value]:
    """The fields of a payload."""
    parts, low = [], 0
    for value in fields.values():
        parts.append(payload[low : low + len(value)])
        low += len(value)
    return parts


def reproduce(
    config: Config,
    claim: Callable[[Config, str], Claim],
    statements: Sequence[Property],
    *,
    verilog: str,
    seconds: float = 60.0,
    progress: Progress = lambda fraction, what: None,
) -> Reproduction:
    """The shortest run from a reset that breaks one of these statements, which a proof has refuted.

    `claim`: that of the proof; `verilog`: the text that it was about; `seconds`: limit of each step of each tool. Raises
    `MissingTool` and `ToolFailure` as a proof does.
    """
    statements = [item for item in statements if item.at_once] or statements
    folder = TemporaryFolder()
    try:
        for number, (what, stalls) in enumerate((("a run at full speed", False), ("a run with stalls", True))):
            progress(number / 3, f"looking for {what}")
            found, frames = _search(
                claim, config, statements, folder.path, verilog, _Run(config, stalls=stalls), seconds
            )
            if found is not None and found.answer == "refuted":
                return _run_of(config, found, frames, stalls=stalls)
        progress(2 / 3, "looking for a trace from a reset")
        found, frames = _search(claim, config, statements, folder.path, verilog, None, seconds)
        return Reproduction(None, _reason(found, frames))
    finally:
        folder.remove()


def _search(
    claim: Callable[[Config, str], Claim],
    config: Config,
    statements: Sequence[Property],
    folder: Path,
    verilog: str,
    premises: Premises | None,
    seconds: float,
) -> tuple[Verdict | None, list[dict[str, int]]]:
    """(verdict, inputs in each cycle) of the first statement that a trace from the initial values breaks, else of the last one.

    None where the Verilog is not read in time.
    """
    text = claim(config, TOP).harness(premises=premises)
    graph = prepare(verilog, text, folder, memories=True, seconds=max(seconds, 60), initial=True)
    verdict = None
    for item in statements if graph is not None else ():
        assert graph is not None
        trace = graph.with_name(f"{item.signal}.aiw")
        trace.unlink(missing_ok=True)
        verdict = shortest_trace(graph, item, _DEEPEST, seconds=seconds)
        if verdict.answer == "refuted":
            return verdict, beats_in(graph, trace) if trace.exists() else []
    return verdict, []


def _reason(verdict: Verdict | None, frames: Sequence[Mapping[str, int]]) -> str:
    """Why no run shows a fault, after the search from the initial values with any resets and beats."""
    if verdict is None or (verdict.answer == "open" and not verdict.depth):
        return "no run from a reset is known: the time was over before a search from the initial values began"
    if verdict.answer != "refuted":
        within = f"of {verdict.depth} cycles " if verdict.depth else ""
        return (
            f"no run is known: the trace starts from contents of registers or memories, and no trace {within}from the initial "
            "values and a reset breaks the statement"
        )
    resets = [number for number, frame in enumerate(frames) if number and not frame.get("aresetn")]
    if resets:
        return (
            f"no run shows it, for run resets once, at the start: the trace needs a reset in cycle {resets[-1] + 1} too"
        )
    return _NO_SCORES


def _run_of(config: Config, verdict: Verdict, frames: Sequence[Mapping[str, int]], *, stalls: bool) -> Reproduction:
    """The scores and stalls of a trace; what it leaves unfinished is offered, and ends the vector."""
    names = stream_fields(config, "s_axis")
    masks = {name: (1 << width) - 1 for name, width in _widths(config).items()}
    beats: list[Beat] = []
    pauses, offered, beat = "", False, tuple(0 for _ in names)
    for frame in frames[_FIRST:]:
        beat = tuple(frame.get(f"s_axis_{name}", 0) for name in names)
        if frame.get("s_axis_tvalid"):
            if not offered:
                pauses += "0"
                beats.append(beat)
            offered = not frame.get(TRANSFER)
        elif stalls:
            pauses += "1"
    if pauses.endswith("1"):
        beats.append(tuple(value ^ masks[name] for name, value in zip(names, beat, strict=True)))
    if not beats or not beats[-1][-1]:
        beats.append(_closing(config))
    patterns = {"s_axis": pauses.rstrip("0")}
    for output in outputs(config):
        ready = (frame.get(f"{output.prefix}_tready") for frame in frames[_FIRST:])
        patterns[output.prefix] = "".join("0" if one else "1" for one in ready).rstrip("0")
    vectors = sum(beat[-1] for beat in beats)
    beats += [_closing(config)] * (-vectors % config.ensemble)
    scores, lengths, sideband = _scores(config, beats)
    if (
        not _accepted(config, scores, lengths, sideband)
        or score_beats(config, scores, lengths, None, sideband) != beats
    ):
        return Reproduction(None, _NO_SCORES)
    return Reproduction(
        verdict.statement,
        "",
        len(frames),
        scores,
        lengths,
        sideband,
        {stream: pattern for stream, pattern in patterns.items() if pattern} if stalls else {},
    )


def _widths(config: Config) -> dict[str, int]:
    """Bits of each field of s_axis."""
    lanes, bits = config.lanes, byte_bits(config.score_width)
    user = sum(one.width * one.copies(config) for one in sidebands(config))
    return {"tdata": lanes * bits, "tkeep": lanes * bits // 8, "tuser": user, "tlast": 1}


def _closing(config: Config) -> Beat:
    """A beat of one score, 0, that ends a vector."""
    beat: Beat
    [beat] = score_beats(
        config,
        np.zeros((1, 1), dtype=np.int64),
        np.ones(1, dtype=np.int64),
        None,
        {one.array: np.zeros((1, 1) if one.per == "element" else 1, dtype=np.int64) for one in sidebands(config)},
    )
    return beat


def _scores(config: Config, beats: Sequence[Beat]) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """(score codes [V, N], lengths [V], sideband) of beats; the last one ends a vector."""
    width, bits, lanes = config.score_width, byte_bits(config.score_width), config.lanes
    names = stream_fields(config, "s_axis")
    codes: list[list[int]] = [[]]
    values: dict[str, list[list[int]]] = {one.array: [[]] for one in sidebands(config)}
    for beat in beats:
        row = dict(zip(names, beat, strict=True))
        held = bin(row["tkeep"]).count("1") * 8 // bits if config.reads_tkeep else lanes
        first, low = not codes[-1], 0
        for lane in range(held):
            code = row["tdata"] >> lane * bits & ((1 << width) - 1)
            codes[-1].append(code - (1 << width if config.score_signed and code >> (width - 1) else 0))
        for one in sidebands(config):
            copies = one.copies(config)
            user = [row["tuser"] >> (low + copy * one.width) & ((1 << one.width) - 1) for copy in range(copies)]
            low += copies * one.width
            if one.per == "element":
                values[one.array][-1] += user[:held]
            elif first:
                values[one.array][-1] += user
        if row["tlast"]:
            codes.append([])
            for rows in values.values():
                rows.append([])
    scores, lengths = pad_vectors([np.array(one) for one in codes[:-1]], 0)
    sideband = {
        one.array: pad_vectors([np.array(row) for row in values[one.array][:-1]], 0)[0] for one in sidebands(config)
    }
    per_vector = {one.array for one in sidebands(config) if one.per == "vector"}
    return scores, lengths, {name: array[:, 0] if name in per_vector else array for name, array in sideband.items()}


def _accepted(config: Config, scores: np.ndarray, lengths: np.ndarray, sideband: Mapping[str, np.ndarray]) -> bool:
    """Whether `run` takes these scores."""
    if not config.groups and lengths.max() > config.max_length:
        return False
    try:
        checked(config, scores, lengths)
        checked_sideband(config, sideband, scores.shape)
    except UserError:
        return False
    return True
