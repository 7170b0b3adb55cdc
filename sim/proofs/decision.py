"""Proof of the decision: the winner is the first maximum of its vector, and a list gives larger scores first, for all inputs.

It follows from the number and the order of beats and ends (`counting`), which is proved first, and from contracts that compare
with the definition, at the real width and length of the head:

* the frame gives each beat of a vector's first max_length scores the position of its score, its place, and the marks of the
  vector's edges;
* the comparison names the first of the largest positions, or the last one with `tie = last`;
* the list of the largest orders the positions, and its store gives what was written under each place of the order;
* a register, a queue or a skid buffer gives what it was given.

Here the head is shown to hand on what these contracts speak of, unchanged: from `s_axis` to the frame, between the parts, and to
all bits of the fields at the output. The contracts take the order of the scores from the configuration (`definitions`), not from
the functions that the hardware uses.

All this is about the description of the head, from which `hw/verilog` writes the text. The writer is not covered here: benches
simulate what it writes, and `law` and `whole` prove about the text itself.

Not covered, and refused: heads in which something stands before the frame, comparisons that stop with their output (argmax,
`profile = 'small'`), those with a mask, a margin or groups, softmax in two passes, lists of several lanes or with probabilities,
and draws.
"""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from amaranth import C, Cat, Value

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.contracts.catalogue import contract_of, has_contract
from softstream.hw.contracts.definitions import code_at, index_bits
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import Field, outputs, sidebands
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.streams.flow import Hold, Queue, Skid
from softstream.hw.streams.layouts import each_lane, keep_names
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead, cycles_between, observed
from softstream.sim.proofs.proof import Progress, Proof
from softstream.sim.proofs.refusal import Uncovered, refusal

__all__ = ["is_decided", "prove_decision"]


class _Decision:
    """The parts that decide, between a frame and an output."""

    def __init__(self, config: Config) -> None:
        self.config, self.head = config, InsideHead(config)
        places = counting.places_of(self.head)
        traits = MODES[config.mode]
        decides = [output.port == "o_best" or (traits.order_only and not traits.one_hot) for output in outputs(config)]
        if not any(decides):
            raise _uncovered(config, "no output names a largest score")
        self.output = outputs(config)[decides.index(True)]
        path = counting.paths_of(config)[decides.index(True)]
        numbers = [step.target for step in path[:-1]]
        parts = [places[number].part for number in numbers]
        if not isinstance(parts[0], Frame):
            raise _uncovered(config, f"the {places[numbers[0]].name} stands before the frame")
        self.frame = parts[0]
        lists = [part for part in parts if isinstance(part, (Insertion, RankedStore))]
        comparisons = [part for part in self.head.parts if isinstance(part, (Maximum, SkewedMaximum))]
        self.deciding: list[Any] = lists or comparisons
        if len(self.deciding) != (2 if lists else 1) or not all(map(has_contract, self.deciding)):
            raise _uncovered(config, "no contract compares what it decides with the definition")
        self.stores = [part for part in parts[1:] if part not in self.deciding]
        strange = next((part for part in self.stores if type(part) not in (Hold, Queue, Skid)), None)
        if strange is not None or (lists and self.stores):
            raise _uncovered(
                config, f"the {counting.PART_NAMES[type(strange or self.stores[0])]} stands behind the decision"
            )
        if isinstance(self.deciding[0], Maximum) and not self.stores:
            raise _uncovered(config, "no contract says what a comparison decides that stops with its output")
        if isinstance(self.deciding[0], Maximum) and not self.frame.indexed:
            raise _uncovered(config, "the frame does not number the beats")
        # On the path, the counting says that a beat arrives where the clock enable is set.
        enabled = [part for part in self.deciding if self.head.probes.enable(part) is not None]
        if enabled and (lists or enabled[0] not in parts):
            raise _uncovered(config, f"the {counting.PART_NAMES[type(enabled[0])]} stands under a clock enable")

    def state(self) -> None:
        """States that the parts are given what the ones before them give."""
        self._state_input()
        if isinstance(self.deciding[0], Insertion):
            self._state_list(*self.deciding)
        else:
            self._state_comparison(self.deciding[0])
        last: Any = (self.stores or self.deciding)[-1]
        element = last.o.payload
        score = element.score if "score" in element.shape().members else code_at(self.config, element.position)
        fields = counting.field_bits(self.head, self.output)
        shown = _holds(*fields["index"], element.index) & _holds(*fields["score"], score)
        shown &= C(fields["index"][0].width >= index_bits(self.config))
        offered = getattr(self.head.top, f"{self.output.prefix}_tvalid")
        name = f"{self.output.prefix}: it offers index and score of the last part"
        self.head.after(SETTLING, name, ~offered | (last.o.valid & shown))

    def _state_input(self) -> None:
        """The frame takes the score of the input and what accompanies it; that it takes each beat and its end is counted."""
        top, payload = self.head.top, self.frame.i.payload
        fields = {"score": top.s_axis_tdata[: self.config.score_width]}
        low = 0
        for field in sidebands(self.config):
            fields[field.name] = top.s_axis_tuser[low:][: field.width]
            low += field.width
        same = Cat(Value.cast(payload[name]).as_unsigned() == field for name, field in fields.items()).all()
        name = f"frame: {', '.join(fields)} of s_axis arrive unchanged"
        self.head.after(SETTLING, name, ~self.frame.i.valid | same)

    def _state_list(self, insertion: Insertion, ranked: RankedStore) -> None:
        """The list takes the beats of the frame, and its store what the list gives."""
        self._state_beats(insertion, "list", 0, [*insertion.i.payload.shape().members])
        pairs = ((ranked.write, insertion.write, "element"), (ranked.order, insertion.o, "order"))
        for sink, source, what in pairs:
            same = (sink.valid == source.valid) & (Value.cast(sink.payload) == Value.cast(source.payload))
            self.head.after(SETTLING, f"ranked store: each {what} of the list arrives unchanged", same)

    def _state_comparison(self, comparison: Maximum | SkewedMaximum) -> None:
        """The comparison takes the beats of the frame, and the registers behind it hand its winners on."""
        config = self.config
        marks: tuple[str, ...] = ("first", "last", *each_lane("position", config.lanes), *keep_names(config.lanes))
        marks = marks if isinstance(comparison, SkewedMaximum) else (*marks, "index")  # the skewed one counts itself
        self._state_beats(comparison, "comparison", _lag(config), marks)
        if isinstance(comparison, Maximum):
            self.head.after(SETTLING, "comparison: it never stops", comparison.o.ready)
        elif comparison.gated:
            # A mark of a first beat may outlast a reset that clears the valid bit of its beat.
            valid, beat = comparison.i.valid, comparison.i.payload
            latest = self.head.latest_beat(valid, valid & beat.last, 1)
            begins = valid | ~beat.first | latest.ended
            self.head.after(SETTLING, "comparison: within a vector nothing begins where no beat arrives", begins)
        for source, sink in pairwise([comparison, *self.stores]):
            same = Value.cast(sink.i.payload) == Value.cast(source.o.payload)
            name = f"{counting.PART_NAMES[type(sink)]} {self.stores.index(sink) + 1}: each winner arrives unchanged"
            self.head.after(SETTLING, name, ~sink.i.valid | (source.o.valid & same))

    def _state_beats(self, part: Any, name: str, cycles: int, marks: Sequence[str]) -> None:
        """A part takes the beats that leave the frame, some cycles later."""
        o = self.frame.o
        source, target = (Cat(Value.cast(payload[mark]) for mark in marks) for payload in (o.payload, part.i.payload))
        arrives = part.i.valid == self.head.before(o.valid & o.ready, cycles)
        same = arrives & (~part.i.valid | (target == self.head.before(source, cycles)))
        self.head.after(
            SETTLING + cycles, f"{name}: each beat of the frame arrives unchanged, {cycles} cycles later", same
        )

    def contracts(self) -> dict[str, tuple[Any, Any]]:
        """The contracts that compare with the definition: title → (part, its contract)."""
        return {contract_of(part).title: (part, contract_of) for part in (self.frame, *self.deciding, *self.stores)}

    @property
    def result(self) -> str:
        """What is proved, as a person reads it."""
        config, prefix = self.config, self.output.prefix
        which = "last" if config.last_wins else "first"
        extreme = "smallest" if config.selects_smallest else "largest"
        if isinstance(self.deciding[0], Insertion):
            masks = ", masked ones left out, but index 0 where all are masked" * config.mask
            return (
                f"{prefix} gives the {config.top_k} {extreme} scores of each vector, or all where it has fewer, the {extreme} "
                f"first, and of equal ones the {which} index first{masks}"
            )
        return f"{prefix} names the {extreme} score of each vector, and of equal ones the {which} index"


def _holds(field: Field, bits: Value, content: Any) -> Value:
    """Whether all bits of a field are those of its content: the sign above a signed one, zeros above any other."""
    value = Value.cast(content)
    return bits.as_signed() == value.as_signed() if field.signed else bits == value.as_unsigned()


def _lag(config: Config) -> int:
    """Cycles from the frame to the comparison, as a simulation suggests."""
    head = observed(config)
    [comparison] = [part for part in head.parts if isinstance(part, (Maximum, SkewedMaximum))]
    [frame] = [part for part in head.parts if isinstance(part, Frame)]
    leaves, arrives = head.traces([frame.o.valid & frame.o.ready, comparison.i.valid])
    cycles = cycles_between(leaves, arrives)
    if cycles is None:
        raise _uncovered(config, "the beats of the frame do not all reach the comparison")
    return cycles


def prove_decision(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves which element the winner is, or in which order the elements of a list leave, by the definition.

    Arguments and errors are those of a `Prover`; raises `UserError` for a head that is not covered. `verilog` is not read.
    """
    began = time.monotonic()
    progress(0.0, "finding the parts")
    try:
        decision = _Decision(config)
        decision.state()
    except Uncovered as error:
        raise refusal(error, config, is_decided) from None
    return counting.prove_from_counting(
        decision.head, decision.contracts(), [decision.result], began=began, seconds=seconds, progress=progress
    )


def is_decided(config: Config) -> bool:
    """Whether the decision of a head is covered, so that `prove_decision` does not refuse it."""
    try:
        _Decision(config).state()
    except UserError:
        return False
    return True


def _uncovered(config: Config, reason: str) -> Uncovered:
    return Uncovered(f"prove --decision: mode = {config.mode!r}; {reason}")
