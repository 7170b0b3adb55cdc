"""Heads without a credit: stages in a row under a clock enable."""

from typing import Any

from amaranth import Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import PIPES
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.streams.flow import Skid
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between
from softstream.sim.proofs.response.bound import FRONT, TAKES, Bound, front_of, outputs_ready, uncovered

__all__ = ["EnabledHead"]


class EnabledHead:
    """A head without a credit: stages in a row, each of which moves in the cycles of a clock enable that the outputs decide."""

    def __init__(self, config: Config) -> None:
        paths = counting.paths_of(config)
        trial = InsideHead(config)
        places = counting.places_of(trial)
        frames = {step.target for path in paths for step in path if isinstance(places[step.target].part, Frame)}
        if len(frames) != 1 or not all(path[-1].target in range(len(places)) for path in paths):
            raise uncovered(config, "stages stand before or behind the head")
        [self._frame] = frames
        numbers = dict.fromkeys(step.target for path in paths for step in path)
        kinds = {type(places[number].part) for number in numbers if places[number].part is not None}
        stages = {NullBeats, Frame, Skid, Maximum, SkewedMaximum, *PIPES}
        strange = [counting.PART_NAMES[kind] for kind in kinds - stages]
        if strange:
            raise uncovered(config, f"no contract states when the {min(strange)} answers")
        self._enabled = [number for number in numbers if places[number].enable is not None]
        self._outputs = [path[-1].target for path in paths]
        frame, front = places[self._frame], front_of(places)
        # Behind null beats, where a beat may wait for the next one, what leaves the skid buffer is counted from.
        self._source = places.index(front.skid) if front else 0
        signals = [places[self._source].leaves, frame.arrives, frame.vectors]
        signals += [_answers(places[number]) for number in self._outputs]
        enters, arrives, leaves, *answers = trial.traces(signals, stalls=False)
        before = cycles_between(enters, arrives)
        behind = [cycles_between(leaves, answer) for answer in answers]
        if before is None or None in behind:
            raise uncovered(config, "the cycles of a beat depend on others")
        self._before, self._behind = before, [cycles for cycles in behind if cycles is not None]
        self.config, self.head = config, InsideHead(config)

    @property
    def bound(self) -> Bound:
        """The cycles of the response: of the stages, of the frame, and of a skid buffer that was full."""
        front = FRONT if self._source else 0
        return Bound(TAKES, 0, 0, 0, 0, self._before + max(self._behind) + 2, front=front)

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """No more than number and order rely on."""
        return {}

    def state(self) -> None:
        """States that nothing stops while the outputs are taken, and how long a beat and an end take then."""
        head, places = self.head, counting.places_of(self.head)
        ready = outputs_ready(head, self.config, TAKES - 1)
        head.after(SETTLING + TAKES, "input: it is free", ~ready | head.top.s_axis_tready)
        for number in self._enabled:
            enable: Any = places[number].enable
            head.after(SETTLING + TAKES, f"{places[number].name}: it moves", ~ready | enable)
        frame, enters = places[self._frame], places[self._source].leaves
        ready = outputs_ready(head, self.config, TAKES + self._before)
        head.after(
            SETTLING + TAKES + self._before,
            f"{frame.name}: a beat arrives {self._before} cycles after it has left the {places[self._source].name}",
            ~ready | (frame.arrives == head.before(enters, self._before)),
        )
        for number, cycles in zip(self._outputs, self._behind, strict=True):
            ready = outputs_ready(head, self.config, TAKES + cycles)
            head.after(
                SETTLING + TAKES + cycles,
                f"{places[number].name}: an answer comes {cycles} cycles after the frame has marked the end",
                ~ready | (_answers(places[number]) == head.before(frame.vectors, cycles)),
            )


def _answers(place: Any) -> Value:
    """Whether the answer to a vector, or the last beat of it, leaves at an output."""
    arrives: Value = place.arrives
    return arrives if place.end_arrives is None else arrives & place.end_arrives
