"""What stands around a head: rows of stages before its frame, credits taken there, and stages behind its queues.

A row is rigid stages and a skid buffer behind them, whose ready is their clock enable. Beats in it wait for the frame. The sums
over an ensemble's members also stop the stages before them while they give the beats that a short last member lacks: no more than
a vector has, one in each cycle of their enable, as their contract says.

A credit of entry is taken before the frame for each vector, and comes back as the vector's result leaves the head's last queue or
register: that of a group's mark, of an ensemble's flags, or of the mass that a floor leaves. The payload for which it is taken
waits in a queue until the result asks for it. Where the result comes at least as late as the queue offers, it never waits. While
such a credit is not available no vector begins or ends, so all that are complete are answered, and it is available again.

Stages behind a queue move in each cycle, from some cycles after the outputs are taken on, so they add their latency. The sums of
the probabilities of an ensemble pause the queue before them while they give what a short last member lacks: no longer than the
first member was, which has left before. So the pauses of all ensembles are no longer than the elements inside, in front of
the frame and on the way to the sums are many, and one more vector, the first member of the ensemble whose last one leaves first.
Behind each pause it takes as
long as at the beginning until the ring has room for good; elements that have left it in between do not come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

from amaranth import Cat, Const, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import PIPES, contract_of
from softstream.hw.contracts.response import settled_credit
from softstream.hw.modes.hardmax import OneHot
from softstream.hw.options.groups import GroupEnds
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.member_sum import MemberSum
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.options.smoothing import Smoothing
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, maximum_latency
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.replay import Replay
from softstream.hw.streams.flow import Credit, Fork, Hold, Queue, Skid
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead, observed
from softstream.sim.proofs.response.bound import TAKES, Bound, all_of, name_of, parts_of, uncovered
from softstream.sim.proofs.response.clock_enable import TAG_STAGES, EnabledStages, last_frame
from softstream.sim.proofs.rooms import READ_OUTS, Link

__all__ = [
    "Entry",
    "Row",
    "Surroundings",
    "check_tag_latency",
    "is_gated",
    "row_beats",
    "rows_of",
    "state_row",
    "surroundings_of",
    "tail_of",
]

_SKID = 2
"""Beats in a skid buffer, and cycles in which it gives them where its output is taken."""

_WIRE_STAGES = (GroupEnds, Fork)
"""Stages before a frame that hold no beat."""

_ROW_STAGES = {NullBeats, Frame, MemberSum, *PIPES}
"""Stages of a row."""

_STORES = (Replay, Queue, Hold, OneHot, Insertion, *READ_OUTS, CdfSearch)
"""Parts of a gated head behind its frame."""


@dataclass(frozen=True)
class Row:
    """Rigid stages before the frame and the skid buffer behind them, by the numbers of their places."""

    stages: tuple[int, ...]
    skid: int


@dataclass(frozen=True)
class Entry:
    """A credit that a vector takes before the frame."""

    credit: int
    """Its number."""
    place: int
    """Number of the place from which the result leaves as the credit comes back."""
    cycles: int
    """Cycles from the frame to that place, at least."""
    rows: int
    """Rows before the place at which it is taken."""


@dataclass(frozen=True)
class Surroundings:
    """What stands around a head, by numbers, because each elaboration has parts of its own."""

    frame: int
    """Number of the place of the frame."""
    rows: tuple[Row, ...]
    """From the input to the frame."""
    entries: tuple[Entry, ...] = ()
    tail: tuple[int, ...] = ()
    """Numbers of the places behind queues and registers."""
    side: EnabledStages | None = None
    """Stages between a fork and the outputs to which no path leads through the frame."""
    fork: int | None = None
    """Rows before that fork."""

    def beats(self, places: Sequence[Any]) -> int:
        """Beats that may wait between the input and the frame."""
        return sum(row_beats(places, row) for row in self.rows)

    def substitutes(self, places: Sequence[Any]) -> int:
        """Beats that a row gives at most before it takes one, and for ensembles that are in front of it as a whole."""
        stages = [places[stage].part for row in self.rows for stage in row.stages]
        longest = sum(part.beats for part in stages if isinstance(part, MemberSum))
        return longest + self.beats(places) if longest else 0

    def latency(self, places: Sequence[Any], interval: int) -> int:
        """Cycles from the last queue or register to the output, of elements that come every `interval` cycles."""
        return sum(_latency(places[number].part, interval) for number in self.tail)

    def total_bound(self, bound: Bound, places: Sequence[Any], vectors: int = 0) -> Bound:
        """The cycles of the response of a head with what stands around it, in which so many vectors may be."""
        means = self._means(places)
        if means is not None:
            members = means.member_sum.members
            bound = replace(
                bound,
                # First members may be in front of the frame, inside, or on the way from the ring to the sums.
                pause_cycles=means.member_sum.beats + self.beats(places) + bound.elements + bound.leaves,
                pause_count=-(-(vectors + self.beats(places)) // members) + 1,
            )
        return replace(
            bound,
            leaves=max(bound.leaves, 0 if self.side is None else self.side.latency),
            front=self.beats(places),
            substitutes=self.substitutes(places),
            buffers=len(self.rows),
            entries=len({entry.rows for entry in self.entries}),
            tail=self.latency(places, bound.interval),
        )

    def frame_ready(self, places: Sequence[Any]) -> Value:
        """Whether the frame takes what it is offered."""
        frame = places[self.frame]
        ready: Value = frame.part.i.ready if frame.enable is None else frame.enable
        return ready

    def _means(self, places: Sequence[Any]) -> MeanProbabilities | None:
        """The means behind a queue, which pause it."""
        parts = (places[number].part for number in self.tail)
        return next((part for part in parts if isinstance(part, MeanProbabilities)), None)

    def ready(self, head: InsideHead, places: Sequence[Any], links: dict[int, Link], cycles: int) -> Value:
        """Whether all outputs were taken in this cycle and in some before, without a reset.

        It says besides that no result waited for its tag, and that no sums paused the queue before them.
        """
        means = self._means(places)
        now = self._outputs_ready(head, places, links) & (Const(1) if means is None else means.member_sum.i.ready)
        return now & all_of(head.before(now, cycle) for cycle in range(1, cycles + 1))

    def _outputs_ready(self, head: InsideHead, places: Sequence[Any], links: dict[int, Link]) -> Value:
        """Whether all outputs are taken, and no result waits for its tag."""
        ready = all_of(getattr(head.top, f"{output.prefix}_tready") for output in outputs(head.config))
        return ready & all_of(_tagged(places, links[entry.credit].store) for entry in self.entries)

    def state(self, head: InsideHead, places: Sequence[Any], links: dict[int, Link]) -> None:
        """States what is before the frame and behind the queues."""
        credits = parts_of(head, Credit)
        entries = [credits[entry.credit] for entry in self.entries]
        self._state_input(head, places, entries, links)
        for entry, credit in zip(self.entries, entries, strict=True):
            _state_entry(head, places, entry, credit, self.ready(head, places, links, 0))
        if self.side is not None:
            self.side.state(head, places, partial(self.ready, head, places, links))
        now = self._outputs_ready(head, places, links)
        ready = now & all_of(head.before(now, cycle) for cycle in range(1, TAKES))
        for number in self.tail:
            if (enable := places[number].enable) is not None:
                name = f"{places[number].name}: it moves, {TAKES} cycles after the outputs are taken"
                head.after(SETTLING + TAKES, name, ~ready | enable)

    def _state_input(
        self, head: InsideHead, places: Sequence[Any], entries: Sequence[Credit], links: dict[int, Link]
    ) -> None:
        """Each row, and the frame behind the last one, takes what is offered to it where the credits of entry are available."""
        allowed = all_of(credit.available for credit in entries)
        sinks = [places[row.stages[0]].enable for row in self.rows] + [self.frame_ready(places)]
        sources = [head.top.s_axis_tready, *(places[row.skid].part.o.ready for row in self.rows)]
        offers = [head.top.s_axis_tvalid, *(places[row.skid].part.o.valid for row in self.rows)]
        for number, (source, sink) in enumerate(zip(sources, sinks, strict=True)):
            name = "input" if number == 0 else f"skid buffer {number}"
            target = places[self.frame if number == len(self.rows) else self.rows[number].stages[0]]
            what = f"the {target.name}"
            if number == self.fork:
                # The fork serves a stage that moves while the outputs are taken.
                ready = self.ready(head, places, links, TAKES - 1)
                open_input = ~(ready & sink & allowed) | source
                name = f"{name}: it is open where {what} is, {TAKES} cycles after the outputs are taken"
                head.after(SETTLING + TAKES, name, open_input)
            elif not entries:
                head.after(SETTLING, f"{name}: it is that of {what}", source == sink)
                head.after(SETTLING, f"{name}: its beat is offered to {what}", target.part.i.valid == offers[number])
            else:
                open_input = ~(sink & allowed) | source
                head.after(SETTLING, f"{name}: it is open where {what} and the credits of entry are", open_input)
        for number, row in enumerate(self.rows, 1):
            state_row(head, places, row, f"skid buffer {number}")
        for credit in entries:
            # What enters leaves the input or one of the skid buffers.
            sources_move = [place.leaves for place in (places[0], *(places[row.skid] for row in self.rows))]
            name = f"entry: {name_of(credit)} is taken as a beat passes, and never else"
            head.after(SETTLING, name, ~credit.take | Cat(*sources_move).any())


def row_beats(places: Sequence[Any], row: Row) -> int:
    """Beats that may wait in a row."""
    return sum(_latency(places[stage].part, 0) for stage in row.stages) + _SKID


def state_row(head: InsideHead, places: Sequence[Any], row: Row, name: str) -> None:
    """States that the stages of a row move while the skid buffer behind them is open, and when it opens."""
    skid, last = places[row.skid].part, places[row.stages[-1]].part
    moves: Value = skid.i.ready
    for stage in reversed(row.stages):
        place = places[stage]
        head.after(SETTLING, f"{name}: the {place.name} moves while it is open", place.enable == moves)
        moves &= place.part.i.ready if isinstance(place.part, MemberSum) else Const(1)
    head.after(SETTLING, f"{name}: it takes what they offer", skid.i.valid == last.o.valid)
    opens = ~head.before(skid.o.ready) | skid.i.ready
    head.after(SETTLING, f"{name}: it is open behind a cycle in which its beat is taken", opens)


def _latency(part: Any, interval: int) -> int:
    """Cycles that a beat takes through a stage which moves, and so the beats in it."""
    if isinstance(part, TAG_STAGES):
        return 0
    if isinstance(part, NullBeats):
        return 2  # the beat that waits, and the one whose `keep` bits are joined
    if isinstance(part, Frame):
        return 1
    if isinstance(part, Skid):
        return _SKID
    if isinstance(part, MeanProbabilities):
        # The register, the sums, and the way to both outputs.
        return 1 + part.member_sum.latency + max(part.sums_to_means, part.sums_to_best)
    if isinstance(part, Smoothing):
        # A window moves as an element comes, and behind a last one. A queue may give an element a cycle late.
        return sum((window.radius + 1) * (interval + 1) for window in part.windows) + sum(part.links)
    return int(part.latency)


def _minimum_latency(part: Any) -> int:
    """Cycles that a beat takes through a part at least."""
    if isinstance(part, SkewedMaximum):
        return maximum_latency(part.config)
    if isinstance(part, (Skid, Maximum, Hold)):
        return 1
    return int(part.latency) if type(part) in PIPES else 0


def _tagged(places: Sequence[Any], queue: Any) -> Value:
    """Whether a tag is offered where a result asks for it."""
    for place in places:
        if isinstance(place.part, TAG_STAGES) and place.part.queue is queue:
            part: Any = place.part
            flagged: Value = Const(1) if place.end_arrives is None else place.end_arrives
            if isinstance(part, VectorFlags) and not part.output.flags_at_last:
                flagged = Const(1)
            return ~(part.i.valid & flagged) | queue.o.valid
    asked: Value = queue.o.ready
    return ~asked | queue.o.valid


def _state_entry(head: InsideHead, places: Sequence[Any], entry: Entry, credit: Credit, ready: Value) -> None:
    """States when a credit of entry comes back."""
    place = places[entry.place]
    name = f"entry: {name_of(credit)} comes back as an end leaves the {place.name}, where the outputs are taken"
    head.after(SETTLING, name, ~ready | (credit.give == place.vectors))


def is_gated(places: Sequence[Any], paths: Sequence[Sequence[Any]]) -> bool:
    """Whether beats wait in stores behind the frame, so that a gate with credits stands there."""
    return any(_first_store(places, path) is not None for path in paths)


def surroundings_of(config: Config, paths: Sequence[Sequence[Any]]) -> Surroundings:
    """What stands around a head, of the paths through it. Raises `Uncovered` where no contract says when it answers."""
    head = observed(config)
    places = counting.places_of(head)
    main = [path for path in paths if _first_store(places, path) is not None] or [*paths]
    side_paths = [path for path in paths if path not in main]
    frames = {_frame_of(places, path) for path in main}
    [frame, *others] = frames
    if others or frame is None:
        raise uncovered(config, "stages stand before or behind the head")
    rows: tuple[Row, ...] = ()
    tails: list[list[int]] = []
    ends: dict[int, int] = {}
    for path in main:
        numbers = [step.target for step in path[:-1]]
        at = numbers.index(frame)
        rows = rows_of(config, places, numbers[:at])
        tails.append(tail_of(config, places, numbers[at + 1 :]))
        cycles = 1  # from the frame's input to its output
        for step in path[at + 1 : -1]:
            cycles += step.cycles + _minimum_latency(places[step.target].part)
            ends.setdefault(step.target, cycles)
    side, fork = _side_stages(config, places, side_paths)
    tail = tuple(dict.fromkeys(number for row in tails for number in row))
    return Surroundings(frame, rows, _entries(config, head, places, frame, rows, ends), tail, side, fork)


def _side_stages(
    config: Config, places: Sequence[Any], paths: Sequence[Sequence[Any]]
) -> tuple[EnabledStages | None, int | None]:
    """(the stages behind a fork that lead to outputs past the frame, the number of rows before the fork)."""
    if not paths:
        return None, None
    numbers = [step.target for step in paths[0]]
    forks = [place for place, number in enumerate(numbers) if isinstance(places[number].part, Fork)]
    if len(paths) != 1 or len(forks) != 1:
        raise uncovered(config, "an output has a path of its own from the input")
    [fork] = forks
    rows = [number for number in numbers[:fork] if isinstance(places[number].part, Skid)]
    return EnabledStages(config, paths, numbers[fork]), len(rows)


def _first_store(places: Sequence[Any], path: Sequence[Any]) -> int | None:
    """The place in a path at which beats wait first behind a gate; None where there is none."""
    kinds = [places[step.target].enable is None and isinstance(places[step.target].part, _STORES) for step in path]
    return kinds.index(True) if any(kinds) else None


def _frame_of(places: Sequence[Any], path: Sequence[Any]) -> int | None:
    """Number of the last frame of a path before beats wait."""
    return last_frame(places, [step.target for step in path[: _first_store(places, path)]])


def rows_of(config: Config, places: Sequence[Any], numbers: Sequence[int]) -> tuple[Row, ...]:
    """The rows before a frame."""
    rows: list[Row] = []
    stages: list[int] = []
    for number in numbers:
        part = places[number].part
        if isinstance(part, Skid):
            rows.append(Row(tuple(stages), number))
            stages = []
        elif type(part) in _ROW_STAGES and places[number].enable is not None:
            stages.append(number)
        elif not isinstance(part, _WIRE_STAGES):
            raise uncovered(config, f"no contract states when the {places[number].name} answers")
    return tuple(rows)


def tail_of(config: Config, places: Sequence[Any], numbers: Sequence[int]) -> list[int]:
    """The places behind the last queue or register of a path; behind none of them those alone that hold no beat."""
    giving = [place for place, number in enumerate(numbers, 1) if isinstance(places[number].part, _STORES)]
    if not giving:
        return [number for number in numbers if isinstance(places[number].part, TAG_STAGES)]
    behind = [*numbers[max(giving) :]]
    known = (*TAG_STAGES, Smoothing, MeanProbabilities, Skid, *PIPES)
    strange = next((places[number].name for number in behind if type(places[number].part) not in known), None)
    if strange:
        raise uncovered(config, f"no contract states when the {strange} answers")
    return behind


def _entries(
    config: Config, head: InsideHead, places: Sequence[Any], frame: int, rows: Sequence[Row], ends: dict[int, int]
) -> tuple[Entry, ...]:
    """The credits that come back as ends leave a place, of those that neither the frame's beats nor its ends take."""
    credits = parts_of(head, Credit)
    # Of an ensemble whose probabilities are averaged, the first member takes one for all.
    members = config.ensemble if config.ensemble_mean == "probabilities" else 1
    sources = [places[0], *(places[row.skid] for row in rows)]
    signals = [value for credit in credits for value in (credit.take, credit.give)]
    signals += [places[frame].leaves, places[frame].vectors, *(place.leaves for place in sources)]
    signals += [places[number].vectors for number in ends]
    columns = head.traces(signals)
    beats, vectors, *others = columns[2 * len(credits) :]
    passes, left = others[: len(sources)], others[len(sources) :]
    entries = []
    for number, credit in enumerate(credits):
        take, give = columns[2 * number : 2 * number + 2]
        place = next((place for place, row in zip(ends, left, strict=True) if row == give), None)
        if place is None or take in (beats, vectors) or _falls_behind(take, vectors, members):
            continue
        if settled_credit(credit) < 1:
            raise uncovered(
                config, f"the {contract_of(credit).title} has no room for a vector beside the unfinished one"
            )
        # It is taken as a beat leaves the input or one of the skid buffers.
        levels = [level for level, row in enumerate(passes) if not any(t > p for t, p in zip(take, row, strict=True))]
        entries.append(Entry(number, place, ends[place], max(levels, default=0)))
    return tuple(entries)


def _falls_behind(takes: Sequence[int], vectors: Sequence[int], members: int) -> bool:
    """Whether vectors may leave the frame before their credit is taken, as that of a draw, which is taken behind the ring.

    So many vectors take one credit together.
    """
    counts = zip(accumulate(takes), accumulate(vectors), strict=True)
    return any(members * credits_out < left for credits_out, left in counts)


def check_tag_latency(config: Config, entry: Entry, link: Link) -> None:
    """Raises `Uncovered` where a result may come before its tag is offered."""
    if entry.cycles < link.cycles + QUEUE_LATENCY:
        raise uncovered(
            config, f"a result may come before its tag, which waits under the {contract_of(link.credit).title}"
        )
