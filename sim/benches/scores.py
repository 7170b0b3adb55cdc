"""Sends the scores of a user through the hardware, at full speed or with given stalls, and records all results and cycles."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import Output, outputs
from softstream.sim.beats import score_beats, unpack
from softstream.sim.benches.drivers import Sink, Source
from softstream.sim.benches.monitor import Payload
from softstream.sim.benches.session import Session
from softstream.sim.golden import Result, golden
from softstream.sim.stalls import stalls_of_digits

__all__ = ["scores"]


@cocotb.test()
async def scores(dut: Any) -> None:
    """All vectors under the stalls of the job, by default none, compared with the model if the job asks for it."""
    with Session(dut, "scores", "scores") as session:
        with np.load(session.job.scores_path) as file:
            sideband = dict(file)
        values, lengths = sideband.pop("scores"), sideband.pop("lengths")
        config, mask = session.config, sideband.get("mask")
        stalls = session.job.stalls
        source = Source(
            score_beats(config, values, lengths, sideband=sideband), stalls_of_digits(stalls.get("s_axis", ""))
        )
        sinks = {
            output.prefix: Sink(
                output.prefix,
                None,
                stalls_of_digits(stalls.get(output.prefix, "")),
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
                patience=session.patience(int(lengths.max())) + max(map(len, stalls.values()), default=0),
                drain=session.drain,
                progress=session.job.tell_progress,
            )
        finally:
            session.count(source, sinks)
        result = _result(config, values.shape, lengths, mask, {prefix: sink.beats for prefix, sink in sinks.items()})
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
"""The beats of each output stream by its prefix."""


def _result(
    config: Config, shape: tuple[int, ...], lengths: np.ndarray, mask: np.ndarray | None, beats: Beats
) -> Result:
    """Collected beats as arrays. Raises AssertionError if tlast, tkeep or tuser contradict the framing."""
    if not config.groups:
        return Result(_arrays(config, outputs(config), shape, lengths, mask, beats))
    groups, vectors = Grouping(config.groups, lengths), config.replace(groups=[])
    inner: list[Output] = []
    group_beats: dict[str, Sequence[Payload]] = {}
    for output, plain in zip(outputs(config), outputs(vectors), strict=True):
        # Each group becomes a vector: the end of the group replaces the packet's end in tlast.
        packet_beats = beats[output.prefix]
        ends = [beat[-1] >> len(output.flags) & 1 if output.ends else 1 for beat in packet_beats]
        final = [beat[-2] for beat, end in zip(packet_beats, ends, strict=True) if end]
        misplaced = np.flatnonzero(np.array(final) != groups.final) if len(final) == len(groups.final) else [0]
        assert not len(misplaced), f"{output.prefix}: tlast is wrong at the end of group {misplaced[0]}"
        inside = [beat for beat, end in zip(packet_beats, ends, strict=True) if beat[-2] and not end]
        assert not inside, f"{output.prefix}: tlast is set inside a group"
        group_beats[output.prefix] = [(*beat[:-2], end, beat[-1]) for beat, end in zip(packet_beats, ends, strict=True)]
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
    stream_beats: Beats,
) -> dict[str, np.ndarray]:
    """The arrays of the streams. Raises AssertionError if tlast, tkeep or tuser contradict the framing."""
    arrays: dict[str, np.ndarray] = {}
    for output in streams:
        prefix, lanes = output.prefix, output.lanes(config)
        words, *keeps, lasts, flags = (
            np.array(column, dtype=object) for column in zip(*stream_beats[prefix], strict=True)
        )
        beats = output.beats(config, lengths, mask)
        rows = np.repeat(np.arange(len(beats)), beats)
        beat_index = np.arange(len(rows)) - np.repeat(np.cumsum(beats) - beats, beats)
        misplaced = rows[(beat_index == beats[rows] - 1) != lasts]
        assert not len(misplaced), f"{prefix}: tlast is not at the end of vector {misplaced[0]}"
        for bit, flag in enumerate(output.flags):
            raised = (flags >> bit & 1).astype(bool)
            at_end = arrays.setdefault(flag.array, raised[np.cumsum(beats) - 1])
            due = at_end[rows] & ((beat_index == beats[rows] - 1) | (not output.flags_at_last))
            wrong = rows[due != raised]
            assert not len(wrong), f"{prefix}: tuser, {flag.name}, is wrong in a beat of vector {wrong[0]}"
        values = unpack(output, words.tolist(), lanes)
        if output.per == "vector":
            arrays |= {field.array: value[:, 0] for field, value in zip(output.fields, values, strict=True)}
            continue
        columns = beat_index[:, None] * lanes + np.arange(lanes)
        held = columns < output.places(config, lengths, mask)[rows][:, None]
        if keeps:
            bits = sum(field.bits for field in output.fields) // 8
            due = [(1 << bits * int(count)) - 1 for count in held.sum(axis=1)]
            wrong = rows[np.array(due, dtype=object) != keeps[0]]
            assert not len(wrong), f"{prefix}: tkeep does not match the number of scores in vector {wrong[0]}"
        for field, value in zip(output.fields, values, strict=True):
            arrays[field.array] = np.zeros(output.shape(config, shape), dtype=np.int64)
            arrays[field.array][np.broadcast_to(rows[:, None], held.shape)[held], columns[held]] = value[held]
    return arrays


def _compare(hardware: Result, model: Result) -> None:
    """Raises AssertionError with the first difference between the hardware and the model."""
    for name, values in hardware.items():
        due = model[name]
        if np.array_equal(values, due):
            continue
        differences = np.argwhere(values != due)
        first = tuple(int(i) for i in differences[0])
        raise AssertionError(
            f"{name} differs in {len(np.unique(differences[:, 0]))} of {len(values)} vectors; first in vector {first[0]}"
            f"{f', element {first[1]}' if len(first) > 1 else ''}: hardware {values[first]}, model {due[first]}"
        )
