"""Stages in a row under a clock enable, from a frame to outputs: without a credit, they stop with the outputs alone."""

from collections.abc import Callable, Sequence
from typing import Any

from amaranth import Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import PIPES
from softstream.hw.options.groups import GroupEnds, PacketEnds
from softstream.hw.options.member_sum import MemberSum
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.streams.flow import Fork, Skid
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between, observed
from softstream.sim.proofs.response.bound import TAKES, uncovered

__all__ = ["TAG_STAGES", "EnabledStages", "last_frame"]

TAG_STAGES = (PacketEnds, VectorFlags)
"""Stages behind the others that hold no beat, and wait for a tag, which comes before."""


class EnabledStages:
    """A row of stages from a place to outputs, each of which moves in the cycles of a clock enable that the outputs decide.

    `paths`: the steps to those outputs; `source`: the number of the place from which the beats come. Raises `Uncovered` where a
    stage has no contract that says when it answers.
    """

    def __init__(self, config: Config, paths: Sequence[Sequence[Any]], source: int) -> None:
        self.config, self.source = config, source
        trial = observed(config)
        places = counting.places_of(trial)
        rows = [[step.target for step in path] for path in paths]
        [frame_number, *others] = {last_frame(places, row) for row in rows}
        if others or frame_number is None:
            raise uncovered(config, "stages stand before or behind the head")
        self._frame = frame_number
        numbers = {number for row in rows for number in row}
        kinds = {type(places[number].part) for number in numbers if places[number].part is not None}
        stages = {Fork, GroupEnds, NullBeats, MemberSum, Frame, Skid, Maximum, SkewedMaximum, *TAG_STAGES, *PIPES}
        strange = [counting.PART_NAMES[kind] for kind in kinds - stages]
        if strange:
            raise uncovered(config, f"no contract states when the {min(strange)} answers")
        # Those behind the frame; others stand before it, in rows of their own.
        stages_behind = dict.fromkeys(number for row in rows for number in row[row.index(self._frame) :])
        self._enabled = [number for number in stages_behind if places[number].enable is not None]
        self._last = [_last(places, row) for row in rows]
        frame = places[self._frame]
        signals = [places[source].leaves, frame.arrives, frame.vectors]
        signals += [_answers(places[number]) for number in self._last]
        enters, arrives, leaves, *answers = trial.traces(signals, stalls=False)
        before = cycles_between(enters, arrives)
        behind = [cycles_between(leaves, answer) for answer in answers]
        if before is None or None in behind:
            raise uncovered(config, "the cycles of a beat depend on others")
        self._before, self._behind = before, [cycles for cycles in behind if cycles is not None]

    @property
    def latency(self) -> int:
        """Cycles from a vector's end to its last answer."""
        return self._before + max(self._behind)

    def state(self, head: InsideHead, places: Sequence[Any], outputs_ready: Callable[[int], Value]) -> None:
        """States that nothing stops while the outputs are taken, and how long a beat and an end take then.

        `outputs_ready`: whether the outputs were taken in this cycle and in so many before.
        """
        ready = outputs_ready(TAKES - 1)
        for number in self._enabled:
            enable: Any = places[number].enable
            head.after(SETTLING + TAKES, f"{places[number].name}: it moves", ~ready | enable)
        frame, enters = places[self._frame], places[self.source].leaves
        ready = outputs_ready(TAKES + self._before)
        head.after(
            SETTLING + TAKES + self._before,
            f"{frame.name}: a beat arrives {self._before} cycles after it has left the {places[self.source].name}",
            ~ready | (frame.arrives == head.before(enters, self._before)),
        )
        for number, cycles in zip(self._last, self._behind, strict=True):
            ready = outputs_ready(TAKES + cycles)
            head.after(
                SETTLING + TAKES + cycles,
                f"{places[number].name}: an answer comes {cycles} cycles after the frame has marked the end",
                ~ready | (_answers(places[number]) == head.before(frame.vectors, cycles)),
            )


def last_frame(places: Sequence[Any], numbers: Sequence[int]) -> int | None:
    """The last frame among some places; None where there is none."""
    return next((number for number in reversed(numbers) if isinstance(places[number].part, Frame)), None)


def _last(places: Sequence[Any], numbers: Sequence[int]) -> int:
    """The output of a path, or the last place before the stages that hold no beat and change its mark of the end."""
    *stages, output = numbers
    if not isinstance(places[stages[-1]].part, TAG_STAGES):
        return output
    return next(number for number in reversed(stages) if not isinstance(places[number].part, TAG_STAGES))


def _answers(place: Any) -> Value:
    """Whether the answer to a vector, or the last beat of it, leaves at an output or the last stage before it."""
    if place.part is not None:
        return place.vectors
    arrives: Value = place.arrives
    return arrives if place.end_arrives is None else arrives & place.end_arrives
