"""A whole top in Amaranth's simulator: vectors in as AXI4-Stream beats, every output held against the golden model.

Any mode, any option, any number of output streams: the beats are those that the cocotb benches send and expect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth import Cat, ClockDomain, ClockSignal, Module, Signal
from amaranth.sim import Simulator

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs, stream_fields
from softstream.sim.beats import Beat, due_beats, pad_vectors, score_beats, with_null_beats
from softstream.sim.golden import golden
from softstream.sim.stalls import stalls_in_cycle
from softstream.sim.stimulus import random_sideband

__all__ = ["HeadTrace", "check_beats", "check_head"]


@dataclass
class HeadTrace:
    """Cycles of the transfers, and what the head put out."""

    inputs: list[int]
    outputs: dict[str, list[int]]
    """By the streams' prefixes."""
    beats: dict[str, list[Beat]]
    """Likewise: the fields of `stream_fields`, with 0 in the lanes that hold nothing."""


def check_head(
    config: Config,
    vectors: list[np.ndarray],
    *,
    source: str = "never",
    sink: str = "never",
    seed: int = 1,
    reset: int = 0,
) -> HeadTrace:
    """Sends vectors under pauses on both sides; the outputs must equal the golden model's, with no beat more.

    The head is in reset for the first `reset` cycles, and the first beat is offered from the second of them on. With the key
    `tkeep`, where the source pauses, null beats come between the others.
    """
    scores, lengths = pad_vectors(vectors, config.score_format.minimum)
    extra = random_sideband(config, scores)
    rng = np.random.default_rng(seed)
    beats = score_beats(config, scores, lengths, rng, extra)
    if source != "never":
        beats = with_null_beats(config, beats, rng)
    due = due_beats(config, golden(config, scores, lengths, extra), lengths, extra.get("mask"))
    return check_beats(config, beats, due, source=source, sink=sink, seed=seed, reset=reset)


def check_beats(
    config: Config,
    beats: list[Beat],
    due: Mapping[str, list[Beat]],
    *,
    source: str = "never",
    sink: str = "never",
    seed: int = 1,
    reset: int = 0,
) -> HeadTrace:
    """Sends beats as `check_head` does; the outputs must equal those of `due`, with no beat more."""
    pause_source, pause_sink = stalls_in_cycle(source, seed), stalls_in_cycle(sink, seed + 1)
    prefixes = [output.prefix for output in outputs(config)]
    fields = {prefix: stream_fields(config, prefix) for prefix in ("s_axis", *prefixes)}
    m = Module()
    m.domains.bench = ClockDomain(reset_less=True)
    m.submodules.top = top = AxiTop(config)
    running = Signal()
    m.d.comb += [top.aclk.eq(ClockSignal("bench")), top.aresetn.eq(running)]

    def wires(prefix: str, *names: str) -> list[Any]:
        return [getattr(top, f"{prefix}_{name}") for name in names]

    offer = wires("s_axis", "tvalid", *fields["s_axis"])
    readies = Cat(*(wires(prefix, "tready")[0] for prefix in prefixes))
    watched = [wire for prefix in prefixes for wire in wires(prefix, "tvalid", *fields[prefix])]
    trace = HeadTrace([], {prefix: [] for prefix in prefixes}, {prefix: [] for prefix in prefixes})
    patience = 8 * plan(config).last_output_cycle(config.max_length) + 200

    def check(prefix: str, beat: Beat, cycle: int) -> None:
        times, expected = trace.outputs[prefix], due[prefix]
        assert len(times) < len(expected), f"{prefix}: a beat more than the {len(expected)} that were due"
        model_beat, names = expected[len(times)], fields[prefix]
        if "tkeep" in names:
            held = sum(0xFF << 8 * byte for byte in range(beat[1].bit_length()) if beat[1] >> byte & 1)
            beat = (beat[0] & held, *beat[1:])
        assert beat == model_beat, f"{prefix}, beat {len(times)} of {names}: {beat}, due {model_beat}"
        times.append(cycle)
        trace.beats[prefix].append(beat)

    async def run(ctx: Any) -> None:
        sent, cycle, moved, offered, ready = 0, 0, 0, False, 0
        ctx.set(running, not reset)
        async for _, _, accepts, *now in ctx.tick("bench").sample(*wires("s_axis", "tready"), *watched):
            if offered and accepts and cycle >= reset:
                trace.inputs.append(cycle)
                sent, offered, moved = sent + 1, False, cycle
            at = 0
            for place, prefix in enumerate(prefixes):
                valid, *beat = now[at : at + 1 + len(fields[prefix])]
                at += 1 + len(fields[prefix])
                if valid and ready >> place & 1:
                    check(prefix, tuple(beat), cycle)
                    moved = cycle
            cycle += 1
            ctx.set(running, cycle >= reset)
            done = sent == len(beats) and all(len(trace.outputs[prefix]) == len(due[prefix]) for prefix in prefixes)
            assert cycle - moved < patience or done, f"no beat in {patience} cycles, {sent} of {len(beats)} sent"
            if done and cycle - moved > 20:
                return
            if not offered:
                offered = sent < len(beats) and not pause_source(cycle)
                values = (1, *beats[sent]) if offered else (0,) * len(offer)
                for wire, value in zip(offer, values, strict=True):
                    ctx.set(wire, value)
            ready = sum((not pause_sink(cycle + place)) << place for place in range(len(prefixes)))
            ctx.set(readies, ready)

    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="bench")
    simulator.add_testbench(run)
    simulator.run()
    return trace
