"""Proof that as many beats and ends leave a head as enter it, in order, each once, at the head's full size.

A path leads from `s_axis` to each output, through parts that have a contract: the frame, the ring, queues, registers, rigid
stages, the comparison, the list of the largest, its store and the one-hot stage. Each of these puts out what it takes once and
in order, or one result for each end, or as many beats as such a result tells (`hw/contracts`). So the statement follows from
what is between the parts, each proved for all inputs and all time:

* what arrives at a part left the one before it a fixed number of cycles before, and nothing else arrives, with the same mark of
  a vector's end; or what arrives are the ends alone, at a part that holds one payload per vector;
* each ring and each queue has room (`rooms`), and so have the registers in which winners wait;
* the ring learns that a vector is complete a fixed number of cycles after its last beat has entered, by the address of that beat;
* a part with a clock enable takes and gives a payload in the cycles with the enable only, and does not change in any other;
* the one-hot stage is told the number of a vector's beats, and what the list and its store take left the part before unchanged,
  as their contracts assume;
* the marks of groups arrive at the queues in which they wait for the ends of the groups, and these have room; so do the flags of
  ensembles, each with the end of the ensemble's sums;
* what waits in a queue beside one on a path, under the same credit, left the same part with the beat that it belongs to, and
  leaves in the same cycle, so that the n-th of one meets the n-th of the other;
* what a fork is offered waits until it is taken, if what `s_axis` is offered does.

The sums over M members give one vector for each M vectors, of as many beats as the first of them, so behind them ensembles count.
Their contract assumes that no vector has more than max_length scores. The frame before them assures it, and the parts between the
frame and the sums leave the number of beats and their ends as they are.

The frame leaves out beats beyond max_length, as the plan says, and ends the vector there. A null beat, which has no element, is
left out before, and with tlast it marks the beat before it in its vector as the last one. An element of a complete vector leaves
the ring when it may; that it may some time is no part of the statement.

A simulation finds the paths. A head is refused if one of its outputs has none.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from amaranth import Cat, Const, Value
from amaranth.lib import data

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import PIPES, contract_of, counting_contract_of, has_contract, parts_of
from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.flow import credit_invariants
from softstream.hw.errors import UserError
from softstream.hw.modes.hardmax import Hardmax, OneHot
from softstream.hw.modes.inverse_cdf import InverseCdf
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.options.groups import GroupEnds, PacketEnds
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.member_sum import FLAGS, MemberSum
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.options.smoothing import Smoothing
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.plan.ports import Field, Output, outputs
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.draw_set import DrawSet
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import Replay
from softstream.hw.streams.flow import Credit, Fork, Hold, Queue, Skid
from softstream.hw.streams.layouts import each_lane
from softstream.sim.proofs.draws import state_draw
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between, observed
from softstream.sim.proofs.proof import Progress, Proof
from softstream.sim.proofs.refusal import Uncovered, refusal
from softstream.sim.proofs.requests import FINDS, requested, state_requests
from softstream.sim.proofs.rooms import READ_OUTS, Link, credit_history, room_links, state_rooms
from softstream.sim.proofs.stores import conclusion, prove_contracts

__all__ = [
    "PART_NAMES",
    "Place",
    "Step",
    "field_bits",
    "is_covered",
    "paths_of",
    "places_of",
    "prove_counting",
    "prove_from_counting",
    "registers_behind",
    "state_registers",
    "state_step",
    "steps_of",
]

PART_NAMES: dict[type, str] = {
    NullBeats: "null beats",
    Frame: "frame",
    Replay: "ring",
    Queue: "queue",
    Hold: "register",
    Skid: "skid buffer",
    Fork: "fork",
    Maximum: "comparison",
    SkewedMaximum: "comparison",
    GroupEnds: "group ends",
    PacketEnds: "packet ends",
    Smoothing: "smoothing",
    MemberSum: "sums over members",
    MeanProbabilities: "means of members",
    VectorFlags: "vector flags",
    OneHot: "one-hot",
    Insertion: "list",
    RankedStore: "ranked store",
    LaneMerge: "lane merge",
    TwoPass: "two passes",
    CdfSearch: "search",
    **PIPES,
}
_ASSURED: dict[type, type] = {Insertion: Frame, RankedStore: Insertion, LaneMerge: Insertion, OneHot: Queue}
"""Part whose contract assumes something of the payloads that arrive → the part before it, whose contract assures that."""

_INPUT = "s_axis"


def _never() -> Value:
    return Const(0, 1)


@dataclass(frozen=True, eq=False)
class Place:
    """A part of the path, or a port at one of its ends."""

    name: str
    part: Any = None
    arrives: Value = field(default_factory=_never)
    leaves: Value = field(default_factory=_never)
    end_arrives: Value | None = None
    """Mark of a vector's end in what arrives; None where each payload is one of a vector."""
    end_leaves: Value | None = None
    enable: Value | None = None
    """Clock enable of the part."""

    @property
    def rigid(self) -> bool:
        """Whether payloads arrive without a handshake: others assure that there is room."""
        return isinstance(self.part, (Queue, Replay, *READ_OUTS))

    @property
    def vectors(self) -> Value:
        """Whether the end of a vector leaves."""
        return self.leaves if self.end_leaves is None else self.leaves & self.end_leaves


@dataclass(frozen=True)
class Step:
    """From a place to the next one; numbers of places, because each elaboration of a head has places of its own."""

    source: int
    target: int
    cycles: int
    ends: bool
    """Whether the ends of vectors alone arrive."""


def _end(stream: Any) -> Value | None:
    return _mark(stream.payload)


def _mark(payload: Any) -> Value | None:
    """The mark of a vector's end in a payload, or in one of the layouts in it."""
    members = getattr(payload, "shape", lambda: None)()
    members = getattr(members, "members", {})
    if "last" in members:
        return payload.last
    inner = [payload[name] for name, shape in members.items() if isinstance(shape, data.StructLayout)]
    return next((mark for mark in map(_mark, inner) if mark is not None), None)


def _source(part: Any) -> Any:
    """The stream that a part takes."""
    return part.order if isinstance(part, READ_OUTS) else part.i


def _assured(source: Any, target: Any) -> bool:
    """Whether a part may take what another one gives, as far as its contract assumes something of the payload."""
    if type(target) not in _ASSURED:
        return True
    return type(source) is _ASSURED[type(target)] and (not isinstance(source, Frame) or source.indexed)


def _transfer(stream: Any) -> Value:
    return stream.valid if stream.signature.always_ready else stream.valid & stream.ready


def _results(part: Any) -> list[Any]:
    if isinstance(part, Fork):
        return [getattr(part, f"o_{number}") for number in range(part.count)]
    return [part.o, part.o_best] if isinstance(part, (TwoPass, MeanProbabilities)) else [part.o]


def places_of(head: InsideHead) -> list[Place]:
    """The input, the parts that may lie on a path, and the outputs."""
    top = head.top
    within = [inner for part in head.parts if isinstance(part, MeanProbabilities) for inner in parts_of(part)]
    places = [Place(_INPUT, leaves=top.s_axis_tvalid & top.s_axis_tready, end_leaves=top.s_axis_tlast)]
    for part in head.parts:
        enable = head.probes.enable(part)
        if any(part is inner for inner in within):
            continue
        # A comparison beside a ring lies on no path: its winners come with the ends of vectors.
        off_path = isinstance(part, (Maximum, SkewedMaximum)) and enable is None
        if (
            type(part) not in PART_NAMES
            or off_path
            or (isinstance(part, (Insertion, CdfSearch)) and not has_contract(part))
        ):
            continue
        moves = Const(1, 1) if enable is None else enable
        for result in _results(part):
            transfers = _transfer(_source(part)) & moves, _transfer(result) & moves
            places.append(Place(PART_NAMES[type(part)], part, *transfers, _end(_source(part)), _end(result), enable))
    for output in outputs(head.config):
        valid, ready, last = (getattr(top, f"{output.prefix}_{name}") for name in ("tvalid", "tready", "tlast"))
        places.append(Place(output.prefix, arrives=valid & ready, end_arrives=None if output.per == "vector" else last))
    return places


@lru_cache(maxsize=8)
def steps_of(config: Config) -> tuple[Step, ...]:
    """What a simulation suggests: each place and the ones that payloads seem to come from, the nearest first."""
    head = observed(config)
    places = places_of(head)
    none = Const(0, 1)
    signals = [
        none if value is None else value
        for place in places
        for value in (place.arrives, place.end_arrives, place.leaves, place.end_leaves)
    ]
    columns = head.traces(signals)
    rows = [columns[4 * number : 4 * number + 4] for number in range(len(places))]
    steps = []
    for target, place in enumerate(places):
        arrives, end_arrives, _, _ = rows[target]
        for source, origin in enumerate(places):
            _, _, leaves, end_leaves = rows[source]
            same = place.part is not None and place.part is origin.part  # two outputs of one part
            if source == target or same or not any(leaves) or not _assured(origin.part, place.part):
                continue
            if (place.end_arrives is None) == (origin.end_leaves is None):
                cycles = cycles_between(leaves, arrives)
                marks = [arrived & end for arrived, end in zip(arrives, end_arrives, strict=True)]
                left = [gone & end for gone, end in zip(leaves, end_leaves, strict=True)]
                if cycles is not None and (place.end_arrives is None or cycles_between(left, marks) == cycles):
                    steps.append(Step(source, target, cycles, ends=False))
            elif place.end_arrives is None:
                cycles = cycles_between([gone & end for gone, end in zip(leaves, end_leaves, strict=True)], arrives)
                if cycles is not None:
                    steps.append(Step(source, target, cycles, ends=True))
    # Beats pass a fork, the ends of groups and of packets and the flags of vectors in the same cycle, and a simulation may not
    # tell these parts from what is around them. Of a stream with beats and one with a payload per vector, the latter is nearer to
    # a part that takes one per vector.
    passes = [isinstance(place.part, (Fork, GroupEnds, PacketEnds, VectorFlags)) for place in places]
    return tuple(sorted(steps, key=lambda step: (step.cycles, not passes[step.source], step.ends)))


def _path(steps: Sequence[Step], target: int) -> tuple[Step, ...]:
    """The steps from the input to a place; empty where there are none."""
    for step in steps:
        if step.target == target:
            if step.source == 0:
                return (step,)
            if before := _path([other for other in steps if other.target != target], step.source):
                return (*before, step)
    return ()


def paths_of(config: Config) -> list[tuple[Step, ...]]:
    """The path of each output. Raises `Uncovered` where an output has none."""
    head = observed(config)
    # Of a vector of one element, each draw would seem to come at a fixed time, whatever the search does.
    if any(
        isinstance(part, CdfSearch) and not part.config.ranked_draw and not has_contract(part) for part in head.parts
    ):
        raise _uncovered(config, "no contract states when a search with a mask draws")
    steps = steps_of(config)
    count = len(outputs(config))
    places = places_of(head)
    numbers = range(len(places) - count, len(places))
    paths = [_path(steps, number) for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        if not path:
            raise _uncovered(
                config,
                f"the beats of {places[number].name} pass through parts without a contract, or whose cycles depend on the sinks",
            )
        kinds = [type(places[step.target].part) for step in path]
        if not all(
            Frame in kinds[:place] for place, kind in enumerate(kinds) if kind in (MemberSum, MeanProbabilities)
        ):
            raise _uncovered(config, "no frame bounds the beats of the members")
    return paths


def state_step(head: InsideHead, places: Sequence[Place], step: Step) -> None:
    """States what arrives at a place, and the mark of the end."""
    source, target = places[step.source], places[step.target]
    left = source.vectors if step.ends else source.leaves
    name = f"{source.name} to {target.name}"
    what = "the ends of vectors arrive" if step.ends else "each beat arrives"
    if (
        isinstance(target.part, Hold)
        and target.enable is None
        and source.part is not None
        and not isinstance(source.part, (Hold, Queue))
    ):
        # Payloads come from a rigid pipe: one that finds the register full would be lost.
        arrives, state = target.part.i.valid, head.always
    else:
        arrives, state = target.arrives, head.after
    state(
        step.cycles + SETTLING,
        f"{name}: {what}, {step.cycles} cycles later, and nothing else",
        arrives == head.before(left, step.cycles),
    )
    if target.end_arrives is not None and source.end_leaves is not None:
        same = ~target.arrives | (target.end_arrives == head.before(source.end_leaves, step.cycles))
        head.after(step.cycles + SETTLING, f"{name}: with the same mark of the end", same)
    if isinstance(source.part, Frame) and isinstance(target.part, Insertion) and head.config.lanes > 1:
        _state_lists(head, source.part, target.name)
    elif isinstance(target.part, LaneMerge):
        _state_orders(head, target.part)
    elif type(target.part) in _ASSURED:
        same = Value.cast(_source(target.part).payload) == Value.cast(source.part.o.payload)
        head.after(SETTLING, f"{name}: unchanged", ~target.arrives | same)
    if isinstance(target.part, (MemberSum, MeanProbabilities)):
        same = target.part.i.payload.overlong == source.part.o.payload.overlong
        head.after(SETTLING, f"{name}: with the same mark of a cut", ~(target.arrives & target.end_arrives) | same)
    if isinstance(source.part, MemberSum):
        result, flags = source.part.o.payload, target.part.i.payload.flags
        same = Cat(flags[flag] == result[flag] for flag in FLAGS.members).all()
        head.after(SETTLING, f"{name}: with the same flags", ~target.arrives | same)
    if isinstance(target.part, NullBeats):
        null = target.part.i.payload.null == ~head.top.s_axis_tkeep.any()
        head.after(SETTLING, f"{name}: a beat without a byte is a null beat", ~target.arrives | null)


def _lists(head: InsideHead) -> list[Insertion]:
    """The lists of the lanes."""
    return [part for part in head.parts if isinstance(part, Insertion)]


def _state_lists(head: InsideHead, frame: Frame, name: str) -> None:
    """States that the list of each lane takes every beat of the frame, with its number and its marks."""
    for lane, insertion in enumerate(_lists(head)):
        beat, framed = insertion.i.payload, frame.o.payload
        same = insertion.i.valid == _transfer(frame.o)
        marks = Cat(beat[mark] == framed[mark] for mark in ("index", "first", "last", "overlong")).all()
        text = f"frame to {name} of lane {lane}: each beat arrives, with its number and its marks"
        head.after(SETTLING, text, same & (~insertion.i.valid | marks))


def _state_orders(head: InsideHead, merge: LaneMerge) -> None:
    """States that the merge takes the orders of all lanes, unchanged and in the same cycle."""
    for lane, (insertion, name) in enumerate(zip(_lists(head), each_lane("order", head.config.lanes), strict=True)):
        order = getattr(merge, name)
        same = order.valid == insertion.o.valid
        unchanged = Value.cast(order.payload) == Value.cast(insertion.o.payload)
        text = f"list of lane {lane} to lane merge: each order arrives with that of the first lane, unchanged"
        head.after(SETTLING, text, same & (order.valid == merge.order.valid) & (~order.valid | unchanged))


def _state_length(head: InsideHead, source: Place, queue: Queue, cycles: int) -> None:
    """States that the number of a vector's beats arrives with its end, less one, and whether it is 0.

    The counters of beats are as wide, and do not wrap, because the frame's contract says that no vector has more than max_length.
    """
    vector: Any = queue.i.payload
    [hardmax] = [part for part in head.parts if isinstance(part, Hardmax)]
    beat = head.latest_beat(source.leaves, source.vectors, len(vector.left))
    place, single, known, ended = (head.before(value, cycles - 1) for value in beat)
    name = f"{source.name} to queue"
    head.after(SETTLING, f"{name}: the first beat leads if its winner is there", ~vector.leads | (vector.before == 0))
    head.always(
        cycles + SETTLING,
        f"{name}: with the number of beats since the end before",
        (head.probes.registers(hardmax)["starts"] == ended)
        & (ended | known)
        & (~known | ((vector.left == place) & (vector.alone == single))),
    )


def _state_enable(head: InsideHead, place: Place) -> None:
    """States that a part with a clock enable does not change in a cycle without it."""
    part = place.part
    results, inside = _results(part), [part]
    if isinstance(part, MeanProbabilities):
        results, inside = [*results, part.hold.o, part.member_sum.o], [part.member_sum]
    marks = [value for result in results for value in (result.valid, _end(result)) if value is not None]
    if isinstance(part, DrawSet):
        marks.append(part.o.payload.first)
    held: Any = Cat(*marks, *(register for inner in inside for register in head.probes.registers(inner).values()))
    # 0 behind a reset, which needs no enable.
    ran = head.before(Const(1, 1))
    same = ~ran | head.before(place.enable) | (held == head.before(held))
    head.after(SETTLING, f"{place.name}: it does not change without its clock enable", same)


def _state_marks(head: InsideHead, packets: PacketEnds) -> None:
    """States that the marks of groups arrive at the stage that ends packets."""
    [groups] = [part for part in head.parts if isinstance(part, GroupEnds)]
    left, arrives = groups.marks, packets.marks
    final: Any = left.payload.final == arrives.payload.final
    same = (left.valid == arrives.valid) & (~left.valid | final)
    head.after(SETTLING, "packet ends: the marks of groups arrive", same)


def _state_flags(head: InsideHead, places: Sequence[Place], path: Sequence[Step]) -> None:
    """States that the flags of each ensemble arrive at the stage that adds them, with the last beat of its sums."""
    parts = [places[step.target].part for step in path]
    for flags in [part for part in parts if isinstance(part, VectorFlags)]:
        [first, *_] = [places[step.target] for step in path if isinstance(places[step.source].part, MemberSum)]
        tag = flags.tag
        same = Value.cast(tag.payload) == Value.cast(first.part.o.payload.flags)
        name = f"{first.name} to vector flags"
        head.after(
            SETTLING, f"{name}: a tag arrives with each end of a vector, and no other", tag.valid == first.vectors
        )
        head.after(SETTLING, f"{name}: with the flags of that vector", ~tag.valid | same)


def _state_offer(head: InsideHead, fork: Fork) -> None:
    """States that a fork's payload waits until it is taken, if what `s_axis` is offered does."""
    top = head.top
    names = [
        port for port in top.signature.members if port.startswith("s_axis_t") and not port.endswith(("valid", "ready"))
    ]
    offered: Any = Cat(*(getattr(top, name) for name in names))
    payload: Any = Value.cast(fork.i.payload)
    lawful = _waits(head, top.s_axis_tvalid, top.s_axis_tready, offered)
    head.after(SETTLING, "fork: what it is offered waits", ~lawful | _waits(head, fork.i.valid, fork.i.ready, payload))


def _waits(head: InsideHead, valid: Value, ready: Value, payload: Any) -> Value:
    """Whether a stream holds what was not taken in the cycle before."""
    waiting = head.before(valid) & ~head.before(ready)
    return ~waiting | (valid & (payload == head.before(payload)))


@lru_cache(maxsize=8)
def registers_behind(config: Config, path: tuple[Step, ...]) -> tuple[int, list[int], Step] | None:
    """(number of the credit, numbers of the registers in a row, the step to them) of the winners that wait in registers."""
    head = observed(config)
    places = places_of(head)
    step = next((step for step in path if step.ends and isinstance(places[step.target].part, Hold)), None)
    if step is None:
        return None
    chain = [later.target for later in path[path.index(step) :] if isinstance(places[later.target].part, Hold)]
    credits = _credits(head)
    source, last = places[step.source], places[chain[-1]]
    takes, gives, *columns = head.traces(
        [source.vectors, last.leaves, *(value for c in credits for value in (c.take, c.give))]
    )
    pairs = [*zip(columns[::2], columns[1::2], strict=True)]
    matches = [n for n, pair in enumerate(pairs) if pair == (takes, gives) and credits[n].limit == len(chain)]
    if not matches:
        raise _uncovered(config, "no credit is known to assure the room of the registers of winners")
    return matches[0], chain, step


def _credits(head: InsideHead) -> list[Credit]:
    return [part for part in head.parts if isinstance(part, Credit)]


def state_registers(head: InsideHead, places: Sequence[Place], number: int, chain: Sequence[int], step: Step) -> None:
    """States that a credit counts the winners on the way to a row of registers and inside, so that each arrival finds room."""
    credit = _credits(head)[number]
    holds = [places[place].part for place in chain]
    fill = step.cycles + SETTLING
    out = sum((head.before(credit.take, cycle) for cycle in range(1, step.cycles + 1)), start=Const(0, 1))
    out = sum((hold.o.valid for hold in holds), start=out)
    registers = head.probes.registers(credit)
    name = f"{len(holds)} registers behind {contract_of(credit).title}"
    for statement, holds_true in credit_invariants(credit, registers, out, *credit_history(head, credit)).items():
        head.always(fill, f"{name}: {statement}", holds_true)
    source = places[step.source]
    head.after(fill, f"{name}: each end takes one", credit.take == source.vectors)
    head.after(fill, f"{name}: it comes back as a winner leaves", credit.give == _transfer(holds[-1].o))
    head.always(fill, f"{name}: a winner that arrives finds room", ~holds[0].i.valid | holds[0].i.ready)


def _companions(rooms: Sequence[Link], links: Sequence[Link]) -> list[tuple[Link, Link]]:
    """The queues on no path whose payloads take the credit of a queue on one: (that one, the one on the path)."""
    stores = [link.store for link in rooms]
    return [
        (link, partner)
        for link in links
        for partner in rooms
        if link.store not in stores
        and link.credit is partner.credit
        and isinstance(link.store, Queue)
        and isinstance(partner.store, Queue)
        and link.vectors is partner.vectors is None
    ]


def _state_pair(
    head: InsideHead, companion: Link, partner: Link, source: Place, cycles: int, target: Place, output: Output
) -> None:
    """States that what waits beside a beat leaves with it. That both took the same credit in turn is stated with their room.

    The beats come from `source`, arrive in their queue some cycles later, and go on to `target`, which may be the output.
    """
    queue: Any = companion.store
    name = f"queue of {queue.room} beside the queue of {partner.store.room}"
    head.after(SETTLING, f"{name}: both are taken in the same cycle", _transfer(queue.o) == _transfer(partner.store.o))
    early = cycles - (partner.cycles - companion.cycles)
    enters, leaves = _members(queue.i.payload), _members(queue.o.payload)
    left = {} if source.part is None else _members(source.part.o.payload)
    if early >= 0 and (names := [member for member in enters if member in left]):
        same = Cat(*(enters[member] for member in names)) == head.before(
            Cat(*(left[member] for member in names)), early
        )
        text = f"{name}: {' and '.join(names)} as they left the {source.name}"
        head.after(SETTLING + early, text, ~queue.i.valid | same)
    goes = _carried(head, output) if target.part is None else _members(_source(target.part).payload)
    if names := [member for member in leaves if member in goes]:
        same = Cat(*(leaves[member] for member in names)) == Cat(*(goes[member] for member in names))
        head.after(SETTLING, f"{name}: {' and '.join(names)} at {target.name}", ~_transfer(queue.o) | same)


def field_bits(head: InsideHead, output: Output) -> dict[str, tuple[Field, Value]]:
    """The fields of lane 0 of an output by their names, each with all its bits of tdata."""
    data, low, fields = getattr(head.top, f"{output.prefix}_tdata"), 0, {}
    for part in output.fields:
        fields[part.name] = part, data[low : low + part.bits]
        low += part.bits
    return fields


def _carried(head: InsideHead, output: Output) -> dict[str, Any]:
    """The fields of lane 0 of an output without what extends them, and its flags."""
    user = getattr(head.top, f"{output.prefix}_tuser")
    fields = {name: bits[: part.width] for name, (part, bits) in field_bits(head, output).items()}
    return fields | {flag: user[number] for number, flag in enumerate(output.user)}


def _state_edges(head: InsideHead, output: Output) -> None:
    """States that a reset at the port reaches the output, and that one beat for a vector is marked as its last."""
    prefix = output.prefix
    valid, last = (getattr(head.top, f"{prefix}_{port}") for port in ("tvalid", "tlast"))
    head.after(SETTLING, f"{prefix}: nothing is offered in the cycle behind a reset", ~head.behind_reset | ~valid)
    if output.per == "vector":
        head.after(SETTLING, f"{prefix}: each beat is marked as a last one", ~valid | last)


def _members(payload: Any) -> dict[str, Any]:
    """The fields of a payload that has some."""
    return {name: payload[name] for name in getattr(payload.shape(), "members", ())}


def _state_first(head: InsideHead, config: Config, source: Any, before: Sequence[Any]) -> None:
    """States that a part whose contract assures it marks a vector's first beat.

    `source`: the part from which the ring takes its beats; `before`: the ones from which that one takes them.
    """
    if isinstance(source, Frame):
        return
    if not (isinstance(source, Skid) and len(before) == 1 and isinstance(before[0], DrawSet)):
        raise _uncovered(config, "no contract assures the mark of the first beat that enters the ring")
    [draw_set] = before
    same = Value.cast(source.i.payload) == Value.cast(draw_set.o.payload)
    head.after(SETTLING, "draw set to skid buffer: unchanged", ~source.i.valid | same)


def _state_ring(head: InsideHead, config: Config, ring: Replay, number: int, into: Step, first: Value) -> None:
    """States that the ring learns of each complete vector by the address and the only beat of its end.

    `number`: of the ring among the parts; `into`: the step to it; `first`: mark of a vector's first beat as it left the frame.
    """
    other = observed(config)
    twin = other.parts[number]
    ends, complete, last, address = other.traces(
        [
            twin.i.valid & twin.i.payload.last,
            twin.complete.valid,
            twin.complete.payload.last,
            other.probes.registers(twin)["write_address"],
        ]
    )
    cycles = cycles_between(ends, complete)
    if cycles is None:
        raise _uncovered(config, "a vector is complete at no fixed time after its end")
    completion = ring.complete.payload
    fill = into.cycles + cycles + SETTLING
    arrives = head.before(ring.i.valid & ring.i.payload.last, cycles)
    head.after(
        fill, f"ring: a vector is complete {cycles} cycles after its end has entered", ring.complete.valid == arrives
    )
    due = completion.last == head.before(head.probes.registers(ring)["write_address"], cycles)
    # A draw stores the address of each end, which looks like a counter where every beat is an end.
    stored = any(isinstance(part, InverseCdf) for part in head.parts)
    if (
        not stored and last[cycles:] == address[: len(address) - cycles]
    ):  # a counter of its own, which agrees in every cycle
        head.always(fill, "ring: it is told the address of the end", due)
    else:
        head.after(fill, "ring: it is told the address of the end", ~ring.complete.valid | due)
    single = completion.single == head.before(first, into.cycles + cycles)
    head.after(fill, "ring: it is told whether the end is the only beat", ~ring.complete.valid | single)


class _CountedHead(NamedTuple):
    """A head with the statements about its paths, and what the proof relies on beside them."""

    head: InsideHead
    places: list[Place]
    paths: tuple[Sequence[Step], ...]
    parts: list[Any]
    """Those that have a contract."""
    asked: list[Link]
    """Queues that are read on request."""
    pairs: list[tuple[Link, Link]]
    """Queues whose payloads leave with those of another queue."""


def prove_counting(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves that each output carries what enters, once and in order: every beat, or one result for each end of a vector.

    Arguments and errors are those of a `Prover`; raises `UserError` for a head that is not covered. `verilog` is not read.
    """
    began = time.monotonic()
    progress(0.0, "finding the paths")
    try:
        counted = _counted_head(config)
    except Uncovered as error:
        raise refusal(error, config, is_covered) from None
    progress(0.2, "what is between the parts")
    verdicts = counted.head.prove(seconds)
    contracts = {counting_contract_of(part).title: (part, counting_contract_of) for part in counted.parts}
    verdicts += prove_contracts(
        contracts, seconds=seconds, progress=lambda part, what: progress(0.4 + 0.6 * part, what)
    )
    results = [f"queue for {link.store.room}: {FINDS}" for link in counted.asked]
    results += [
        _result(config, output, counted, path) for output, path in zip(outputs(config), counted.paths, strict=True)
    ]
    return conclusion(config, verdicts, results, began)


def prove_from_counting(
    head: InsideHead,
    contracts: Mapping[str, tuple[Any, Callable[[Any], Contract]]],
    results: Iterable[str],
    *,
    began: float,
    seconds: float,
    progress: Progress,
) -> Proof:
    """Proves what follows from the counting, the statements about a head, and the contracts of its parts.

    `contracts`: title → (part, its contract); those that the counting has proved are not proved again. `results`: what follows.
    """
    counts = prove_counting(head.config, seconds=seconds, progress=lambda part, what: progress(0.5 * part, what))
    verdicts = [verdict for verdict in counts.verdicts if verdict.answer != "proved"]
    if not verdicts:
        text = Property("number and order of beats and ends", "", False)
        verdicts = [Verdict(text, "proved", "contracts", None, counts.seconds)]
    progress(0.5, "what is between the parts")
    verdicts += head.prove(seconds)
    shared = [verdict.statement.name for verdict in counts.verdicts]
    others = {title: row for title, row in contracts.items() if f"contract of {title}" not in shared}
    verdicts += prove_contracts(others, seconds=seconds, progress=lambda part, what: progress(0.7 + 0.3 * part, what))
    return conclusion(head.config, verdicts, results, began)


def _result(config: Config, output: Output, counted: _CountedHead, path: Sequence[Step]) -> str:
    """What an output carries, as a person reads it."""
    whole = f"ensemble of {config.ensemble} vectors" if config.ensemble > 1 else "packet" if config.groups else "vector"
    beats = f"each beat of a {whole} once"
    beats = f"as many beats for each {whole} as its first one has" if config.ensemble > 1 else beats
    what = {
        "vector": f"one result for each {whole}",
        "rank": f"the first {config.top_k} of each {whole}, or all where it has fewer, with an end"
        + ", masked ones left out, but one where all are masked" * config.mask,
    }.get(output.per, f"{beats}, with its end")
    places = counted.places
    route = " → ".join(places[number].name for number in (0, *(step.target for step in path)))
    null = "; null beats are dropped, one with tlast ends its vector before it" if config.reads_tkeep else ""
    stores = [places[step.target].part for step in path]
    waits = "; what waits in a queue beside it leaves with it" * any(b.store in stores for _, b in counted.pairs)
    return f"{output.prefix} carries {what}, in order: {route}{waits}{null}"


def _counted_head(config: Config) -> _CountedHead:
    """A head with the statements about its paths. Raises `Uncovered` for one with a path of which too little is known."""
    paths = paths_of(config)
    accounts = [registers_behind(config, path) for path in paths]
    head = InsideHead(config)
    places = places_of(head)
    steps = dict.fromkeys(step for path in paths for step in path)
    parts = {step.target: places[step.target].part for step in steps if places[step.target].part is not None}
    inside = [inner for part in parts.values() for inner in parts_of(part)]
    if any(isinstance(part, LaneMerge) for part in parts.values()):
        inside += _lists(head)
    for step in steps:
        search, ring = places[step.target].part, places[step.source].part
        if isinstance(search, CdfSearch):
            [framed] = [places[other.source].part for other in steps if places[other.target].part is ring]
            inside += state_draw(head, config, search, framed.o.payload)
    links = room_links(config, head)
    rooms = [link for link in links if link.store in [*parts.values(), *inside]]
    pairs = _companions(rooms, links)
    companions = [companion for companion, _ in pairs]
    asked = requested(head, links, [*rooms, *companions])
    inside += [link.store for link in (*companions, *asked)]
    state_rooms(head, [*rooms, *companions, *asked])
    for link in asked:
        state_requests(head, link, [(places[step.source], places[step.target]) for step in paths[0]])
    # What arrives at a part with two outputs is stated once.
    arrivals = {
        (step.source, step.cycles, step.ends, id(places[step.target].part or step.target)): step for step in steps
    }
    for step in arrivals.values():
        state_step(head, places, step)
    # A part with two outputs has two places.
    for number in {id(places[step.target].part or step.target): step.target for step in steps}.values():
        if places[number].enable is not None:
            _state_enable(head, places[number])
        if isinstance(places[number].part, PacketEnds):
            _state_marks(head, places[number].part)
        if isinstance(places[number].part, Fork):
            _state_offer(head, places[number].part)
    for account in accounts:
        if account is not None:
            state_registers(head, places, *account)
    for output in outputs(config):
        _state_edges(head, output)
    for path in paths:
        _state_flags(head, places, path)
    for companion, partner in pairs:
        for output, path in zip(outputs(config), paths, strict=True):
            for step, following in pairwise(path):
                if places[step.target].part is partner.store:
                    source, target = places[step.source], places[following.target]
                    _state_pair(head, companion, partner, source, step.cycles, target, output)
    for step in steps:
        part = places[step.target].part
        if isinstance(part, Queue) and "left" in getattr(part.i.payload.shape(), "members", ()):
            _state_length(head, places[step.source], part, step.cycles)
        if isinstance(part, Replay):
            source = places[step.source].part
            before = [places[other.source].part for other in steps if other.target == step.source]
            _state_first(head, config, source, before)
            _state_ring(head, config, part, head.parts.index(part), step, source.o.payload.first)
    rigid = [(places[number].name, part) for number, part in parts.items() if places[number].rigid]
    rigid += [("queue of marks", part.queue) for part in parts.values() if isinstance(part, (PacketEnds, VectorFlags))]
    for name, part in rigid:
        if part not in [link.store for link in rooms]:
            raise _uncovered(config, f"no credit is known to assure the room of a {name}")
    return _CountedHead(head, places, tuple(paths), [*parts.values(), *inside], asked, pairs)


def is_covered(config: Config) -> bool:
    """Whether all is known that `prove_counting` states about a head, so that it does not refuse it."""
    try:
        _counted_head(config)
    except UserError:
        return False
    return True


def _uncovered(config: Config, reason: str) -> Uncovered:
    return Uncovered(f"prove --counting: mode = {config.mode!r}; {reason}")
