"""A person's scores through the hardware at full speed: every result and the cycle it came in."""

from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from ..beats import score_words, unpack_winner
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
        column = np.arange(values.shape[1])
        sent = column < lengths[:, None]
        kept = np.minimum(lengths, limit)
        source = Source(
            score_words(config, values[sent]),
            (column == lengths[:, None] - 1)[sent].astype(int).tolist(),
            repeat(False),
        )
        count = len(values)
        winner = Sink("winner", None, repeat(False), count=count, packets=count)
        sinks = {"m_axis": winner}
        if config.mode == "softmax":
            sinks = {
                "m_axis": Sink("m_axis", None, repeat(False), count=int(kept.sum()), packets=count),
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
        starts = np.array(source.times)[np.cumsum(lengths) - lengths]
        times = np.array(sinks["m_axis"].times)
        beats = kept if config.mode == "softmax" else np.ones(count, dtype=np.int64)
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
    beats = np.array(sinks["m_axis"].beats, dtype=np.int64)
    inside = np.arange(shape[1]) < kept[:, None]
    probabilities, lasts, flags = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for array, column in zip((probabilities, lasts, flags), beats.T, strict=True):
        array[inside] = column
    misplaced = np.flatnonzero(((np.arange(shape[1]) == kept[:, None] - 1) != lasts).any(axis=1))
    assert not len(misplaced), f"m_axis: tlast is not at the end of vector {misplaced[0]}"
    unlike = np.flatnonzero(((flags != overlong[:, None]) & inside).any(axis=1))
    assert not len(unlike), f"vector {unlike[0]}: tuser differs between m_axis and m_axis_best"
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
