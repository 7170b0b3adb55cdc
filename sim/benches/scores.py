"""A person's scores through the hardware at full speed: every result and the cycle it came in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import Output, byte_bits, outputs
from softstream.sim.beats import score_beats, unpack
from softstream.sim.benches.drivers import Sink, Source
from softstream.sim.benches.monitor import Payload
from softstream.sim.benches.session import Session
from softstream.sim.golden import Result, golden

__all__ = ["scores"]


@cocotb.test()
async def scores(dut: Any) -> None:
    """All vectors back to back, sinks always ready; compared with the golden model where the job says so."""
    with Session(dut, "scores", "scores") as session:
        with np.load(session.job.scores_path) as file:
            sideband = dict(file)
        values, lengths = sideband.pop("scores"), sideband.pop("lengths")
        config, mask = session.config, sideband.get("mask")
        source = Source(score_beats(config, values, lengths, sideband=sideband), repeat(False))
        sinks = {
            output.prefix: Sink(
                output.prefix,
                None,
                repeat(False),
                fields=session.fields[output.prefix],
                count=int(output.beats(config, lengths, mask).sum()),
                packets=len(values) // config.ensemble,
            )
            for output in outputs(config)
        }
        await session.harness.reset()
        try:
            await session.harness.run(
                source,
                sinks,
                patience=session.patience(int(lengths.max())),
                drain=session.drain,
                progress=session.job.tell_progress,
            )
        finally:
            session.count(source, sinks)
        came = {prefix: sink.beats for prefix, sink in sinks.items()}
        result = _result(config, values.shape, lengths, mask, came)
        sent, beats = config.beats(lengths), outputs(config)[0].beats(config, lengths, mask)
        starts = np.array(source.times)[np.cumsum(sent) - sent][:: config.ensemble]
        times = np.array(sinks["m_axis"].times)
        last = np.cumsum(beats) - 1
        np.savez(
            session.job.results_path,
            start_cycle=starts - starts[0],
            first_output_cycle=times[last - beats + 1] - starts,
            last_output_cycle=times[last] - starts,
            **result,
        )
        if session.job.compare:
            _compare(result, golden(config, values, lengths, sideband))


Beats = Mapping[str, Sequence[Payload]]
"""The beats of each output stream."""


def _result(
    config: Config, shape: tuple[int, ...], lengths: np.ndarray, mask: np.ndarray | None, came: Beats
) -> Result:
    """Collected beats as arrays. Raises AssertionError where tlast, tkeep or tuser contradict the framing."""
    if not config.groups:
        return Result(_arrays(config, outputs(config), shape, lengths, mask, came))
    groups, vectors = Grouping(config.groups, lengths), config.replace(groups=[])
    inner: list[Output] = []
    group_beats: dict[str, Sequence[Payload]] = {}
    for output, plain in zip(outputs(config), outputs(vectors), strict=True):
        # Beats as those of vectors: the end of a group stands in tlast, where the packet's end was.
        ends = [beat[-1] >> len(output.flags) & 1 if output.ends else 1 for beat in came[output.prefix]]
        final = [beat[-2] for beat, end in zip(came[output.prefix], ends, strict=True) if end]
        misplaced = np.flatnonzero(np.array(final) != groups.final) if len(final) == len(groups.final) else [0]
        assert not len(misplaced), f"{output.prefix}: tlast is not as it should be at the end of group {misplaced[0]}"
        inside = [beat for beat, end in zip(came[output.prefix], ends, strict=True) if beat[-2] and not end]
        assert not inside, f"{output.prefix}: tlast inside a group"
        group_beats[output.prefix] = [
            (*beat[:-2], end, beat[-1]) for beat, end in zip(came[output.prefix], ends, strict=True)
        ]
        inner.append(replace(plain, flags_at_last=output.flags_at_last))
    rows = groups.lengths
    split = None if mask is None else groups.split(mask)
    arrays = _arrays(vectors, inner, (len(rows), int(rows.max())), rows, split, group_beats)
    arrays["incomplete"] = arrays.pop("overlong")
    return Result(
        {
            name: groups.join_groups(values) if values.ndim == 1 else groups.join(values, shape[1])
            for name, values in arrays.items()
        }
    )


def _arrays(
    config: Config,
    streams: Sequence[Output],
    shape: tuple[int, ...],
    lengths: np.ndarray,
    mask: np.ndarray | None,
    came: Beats,
) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for output in streams:
        prefix, lanes = output.prefix, output.lanes(config)
        words, *keeps, lasts, flags = (np.array(column, dtype=object) for column in zip(*came[prefix], strict=True))
        beats = output.beats(config, lengths, mask)
        rows = np.repeat(np.arange(len(beats)), beats)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(beats) - beats, beats)
        misplaced = rows[(place == beats[rows] - 1) != lasts]
        assert not len(misplaced), f"{prefix}: tlast is not at the end of vector {misplaced[0]}"
        for bit, flag in enumerate(output.flags):
            raised = (flags >> bit & 1).astype(bool)
            at_end = arrays.setdefault(flag.array, raised[np.cumsum(beats) - 1])
            due = at_end[rows] & ((place == beats[rows] - 1) | (not output.flags_at_last))
            unlike = rows[due != raised]
            assert not len(unlike), (
                f"{prefix}: tuser, {flag.name}, is not as it should be in all beats of vector {unlike[0]}"
            )
        values = unpack(output, words.tolist(), lanes)
        if output.per == "vector":
            arrays |= {field.array: value[:, 0] for field, value in zip(output.fields, values, strict=True)}
            continue
        columns = place[:, None] * lanes + np.arange(lanes)
        held = columns < output.places(config, lengths, mask)[rows][:, None]
        if keeps:
            bits = sum(byte_bits(field.width) for field in output.fields) // 8
            due = [(1 << bits * int(count)) - 1 for count in held.sum(axis=1)]
            unlike = rows[np.array(due, dtype=object) != keeps[0]]
            assert not len(unlike), f"{prefix}: tkeep is not that of the scores in vector {unlike[0]}"
        for field, value in zip(output.fields, values, strict=True):
            arrays[field.array] = np.zeros(output.shape(config, shape), dtype=np.int64)
            arrays[field.array][np.broadcast_to(rows[:, None], held.shape)[held], columns[held]] = value[held]
    return arrays


def _compare(hardware: Result, model: Result) -> None:
    for name, got in hardware.items():
        due = model[name]
        if np.array_equal(got, due):
            continue
        places = np.argwhere(got != due)
        place = tuple(int(i) for i in places[0])
        raise AssertionError(
            f"{name} differs in {len(np.unique(places[:, 0]))} of {len(got)} vectors; first in vector {place[0]}"
            f"{f', element {place[1]}' if len(place) > 1 else ''}: hardware {got[place]}, model {due[place]}"
        )
