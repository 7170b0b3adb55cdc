"""A person's scores through the hardware at full speed: every result and the cycle it came in."""

from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from softstream.hw.ports import byte_bits

from ..beats import score_beats, unpack_probabilities, unpack_winner
from ..drivers import Sink, Source
from ..golden import Result, golden
from .session import Session

__all__ = ["scores"]


@cocotb.test()
async def scores(dut: Any) -> None:
    """All vectors back to back, sinks always ready; compared with the golden model where the job says so."""
    with Session(dut, "scores", "scores") as session:
        with np.load(session.job.scores_path) as file:
            values, lengths = file["scores"], file["lengths"]
        config, limit = session.config, session.config.max_length
        kept = np.minimum(lengths, limit)
        source = Source(score_beats(config, values, lengths), repeat(False))
        count = len(values)
        winner = Sink("winner", None, repeat(False), count=count, packets=count)
        sinks = {"m_axis": winner}
        if config.mode == "softmax":
            sinks = {
                "m_axis": Sink(
                    "m_axis",
                    None,
                    repeat(False),
                    fields=session.fields["m_axis"],
                    count=int(config.beats(kept).sum()),
                    packets=count,
                ),
                "m_axis_best": winner,
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
        result = _result(session, values.shape, kept, sinks)
        sent = config.beats(lengths)
        starts = np.array(source.times)[np.cumsum(sent) - sent]
        times = np.array(sinks["m_axis"].times)
        beats = config.beats(kept) if config.mode == "softmax" else np.ones(count, dtype=np.int64)
        last = np.cumsum(beats) - 1
        arrays = {name: value for name, value in vars(result).items() if value is not None}
        np.savez(
            session.job.results_path,
            start_cycle=starts - starts[0],
            first_output_cycle=times[last - beats + 1] - starts,
            last_output_cycle=times[last] - starts,
            **arrays,
        )
        if session.job.compare:
            _compare(result, golden(config, values, lengths))


def _result(session: Session, shape: tuple[int, ...], kept: np.ndarray, sinks: dict[str, Sink]) -> Result:
    """Collected beats as arrays. Raises AssertionError where tlast or tuser contradict the framing."""
    config = session.config
    winners = np.array(list(sinks.values())[-1].beats, dtype=np.int64)
    argmax, best = unpack_winner(config, winners[:, 0])
    overlong = winners[:, 2].astype(bool)
    assert winners[:, 1].all(), f"winner of vector {int(np.argmin(winners[:, 1]))}: tlast is 0"
    if config.mode == "argmax":
        return Result(argmax, best, overlong, None)
    beats = sinks["m_axis"].beats
    *keeps, lasts, flags = (np.array(column, dtype=object) for column in list(zip(*beats, strict=True))[1:])
    rows = np.repeat(np.arange(len(kept)), config.beats(kept))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(config.beats(kept)) - config.beats(kept), config.beats(kept))
    misplaced = rows[(place == config.beats(kept)[rows] - 1) != lasts]
    assert not len(misplaced), f"m_axis: tlast is not at the end of vector {misplaced[0]}"
    unlike = rows[overlong[rows] != flags]
    assert not len(unlike), f"vector {unlike[0]}: tuser differs between m_axis and m_axis_best"
    columns = place[:, None] * config.lanes + np.arange(config.lanes)
    held = columns < kept[rows][:, None]
    if keeps:
        bits = byte_bits(config.output_width) // 8
        due = [(1 << bits * int(lanes)) - 1 for lanes in held.sum(axis=1)]
        wrong = rows[np.array(due, dtype=object) != keeps[0]]
        assert not len(wrong), f"m_axis: tkeep is not that of the scores in vector {wrong[0]}"
    probabilities = np.zeros(shape, dtype=np.int64)
    fields = unpack_probabilities(config, [beat[0] for beat in beats])
    probabilities[np.broadcast_to(rows[:, None], held.shape)[held], columns[held]] = fields[held]
    return Result(argmax, best, overlong, probabilities)


def _compare(hardware: Result, model: Result) -> None:
    for name, got in vars(hardware).items():
        due = getattr(model, name)
        if got is None or np.array_equal(got, due):
            continue
        places = np.argwhere(got != due)
        place = tuple(int(i) for i in places[0])
        raise AssertionError(
            f"{name} differs in {len(np.unique(places[:, 0]))} of {len(got)} vectors; first in vector {place[0]}"
            f"{f', element {place[1]}' if len(place) > 1 else ''}: hardware {got[place]}, model {due[place]}"
        )
