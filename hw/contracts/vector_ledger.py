"""Results of a head against its vectors: one vector, any one, is watched from its first score to its last result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["OutputRule", "VectorKey", "VectorLedger"]


@dataclass(frozen=True)
class VectorKey:
    """A vector as the head has seen it: its elements, cut to max_length, and whether it was cut."""

    elements: tuple[int, ...]
    overlong: bool = False
    complete: bool = True
    """Whether its last element is among them, or max_length elements; others occur in streaming outputs alone."""


@dataclass(frozen=True)
class OutputRule:
    """The demands on one output: the beats of every vector, each an integer of the payload's bits."""

    name: str
    payload_width: int
    beats: Mapping[VectorKey, Sequence[int]]
    streaming: bool
    """Whether beats leave before their vector is complete."""
    last_bit: int
    """Place of tlast in the payload, which ends the results of a vector."""


class VectorLedger(wiring.Component):
    """Whether the results of one vector are right, in order, as many as they must be, and there in time.

    `watch` chooses the vector: the first whose first score is transferred while `watch` is set. Nothing constrains `watch`,
    so a proof about the chosen vector is one about every vector. With the vectors numbered v = 0, 1, …, and R_m(v) the beats
    that output m must carry for vector v, a proof that no signal of this component is ever set says that output m carries
    R_m(0), R_m(1), … and nothing else.

    `wrong_<output>`: a beat is transferred that differs from the one that is due; or before its vector is complete; or
    without any vector. `late`: all outputs are taken, and for `patience` cycles in a row the watched vector is complete and
    lacks a result, or the input is not ready. `crowded`: more vectors are inside than the ledger counts; the other signals
    mean something only if it is never set.

    `answered_<output>`: the last beat of the watched vector is transferred. A proof must reach it, or it says nothing.

    With `null_beats` a beat whose `null` is set holds no score; with `last` it ends the vector at the score before it. A
    vector of max_length scores is then complete only when its end or one score more is transferred.

    Ports: the handshakes and payloads as they are at the head's ports; `reset`, active high, clears everything; `null`, 0
    where the head knows no null beats.
    """

    VECTORS = 15
    """Most vectors inside that the ledger counts."""

    def __init__(
        self, width: int, length: int, rules: Sequence[OutputRule], patience: int, *, null_beats: bool = False
    ) -> None:
        self.width, self.rules, self.patience = width, tuple(rules), patience
        self.null_beats = null_beats
        self._length = length
        ports: dict[str, Any] = {
            "watch": In(1),
            "reset": In(1),
            "valid": In(1),
            "ready": In(1),
            "element": In(width),
            "last": In(1),
            "null": In(1),
            "late": Out(1),
            "crowded": Out(1),
        }
        for rule in rules:
            ports |= {
                f"valid_{rule.name}": In(1),
                f"ready_{rule.name}": In(1),
                f"payload_{rule.name}": In(rule.payload_width),
                f"wrong_{rule.name}": Out(1),
                f"answered_{rule.name}": Out(1),
            }
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        length = self._length
        inside_vector, watching, watched = Signal(), Signal(), Signal()
        elements = [Signal(self.width, name=f"element_{k}") for k in range(length)]
        count, complete, overlong = Signal(range(length + 1)), Signal(), Signal()
        transfer, begins = Signal(), Signal()
        m.d.comb += [
            transfer.eq(self.valid & self.ready & ~self.reset),
            begins.eq(transfer & ~self.null & ~inside_vector),
        ]
        with m.If(transfer):
            m.d.sync += inside_vector.eq(~self.last & (inside_vector | ~self.null))
        chosen = Signal()
        m.d.comb += chosen.eq(begins & self.watch & ~watched)
        enters = Signal()
        # `watching`: the vector's scores still come in.
        full = self.null_beats & (count == length)
        m.d.comb += enters.eq(chosen | (transfer & ~self.null & watching & ~complete & ~full))
        place = Mux(chosen, 0, count)
        with m.If(chosen):
            m.d.sync += watched.eq(1)
        with m.If(enters), m.Switch(place):
            for k in range(length):
                with m.Case(k):
                    m.d.sync += [
                        elements[k].eq(self.element),
                        complete.eq(self.last | (k == length - 1 and not self.null_beats)),
                        overlong.eq(~self.last & (k == length - 1 and not self.null_beats)),
                        count.eq(k + 1),
                        watching.eq(~self.last & (k < length - 1 or self.null_beats)),
                    ]
        if self.null_beats:
            with m.If(transfer & watching & ~complete & Mux(self.null, self.last, full)):
                m.d.sync += [complete.eq(1), overlong.eq(~self.null), watching.eq(0)]
        key = Cat(*elements, count, overlong, complete)
        crowded, unanswered = [], []
        for rule in self.rules:
            unanswered_output, full = self._judge(m, rule, key, begins, chosen, watched, count, complete)
            unanswered.append(unanswered_output)
            crowded.append(full)
        takes = Cat(*(getattr(self, f"ready_{rule.name}") for rule in self.rules)).all()
        waits = Signal(range(self.patience + 1))
        owes = (watched & complete & Cat(*unanswered).any()) | ~self.ready
        m.d.sync += waits.eq(Mux(takes & owes & ~self.reset, Mux(waits == self.patience, waits, waits + 1), 0))
        m.d.comb += [self.late.eq(waits == self.patience), self.crowded.eq(Cat(*crowded).any())]
        with m.If(self.reset):
            m.d.sync += [
                inside_vector.eq(0), watching.eq(0), watched.eq(0), complete.eq(0), overlong.eq(0), count.eq(0),
                *(element.eq(0) for element in elements),
            ]  # fmt: skip
        return m

    def _judge(
        self, m: Module, rule: OutputRule, key: Any, begins: Any, chosen: Any, watched: Any, count: Any, complete: Any
    ) -> tuple[Any, Any]:
        """(whether a result is due, whether too many vectors are inside): the account of one output."""
        payload = getattr(self, f"payload_{rule.name}")
        transfer, ends = Signal(name=f"transfer_{rule.name}"), Signal(name=f"ends_{rule.name}")
        # Vectors inside that this output has not ended, and of these the ones before the watched one.
        inside = Signal(range(self.VECTORS + 1), name=f"inside_{rule.name}")
        ahead = Signal.like(inside, name=f"ahead_{rule.name}")
        most = max(map(len, rule.beats.values()))
        beat, answered = Signal(range(most + 1), name=f"beat_{rule.name}"), Signal(name=f"answered_yet_{rule.name}")
        m.d.comb += [
            transfer.eq(getattr(self, f"valid_{rule.name}") & getattr(self, f"ready_{rule.name}") & ~self.reset),
            ends.eq(transfer & payload[rule.last_bit]),
        ]
        m.d.sync += inside.eq(inside + begins - ends)
        with m.If(chosen):
            m.d.sync += ahead.eq(inside - ends)
        with m.Elif(ends & (ahead != 0)):
            m.d.sync += ahead.eq(ahead - 1)
        own = Signal(name=f"own_{rule.name}")
        m.d.comb += own.eq(transfer & watched & (ahead == 0) & ~answered)
        due, early = Signal(rule.payload_width, name=f"due_{rule.name}"), Signal(name=f"early_{rule.name}")
        m.d.comb += [due.eq(self._due(m, rule, key, beat)), early.eq(~complete)]
        if rule.streaming:
            m.d.comb += early.eq(beat >= count)
        with m.If(own):
            m.d.sync += [beat.eq(beat + 1), answered.eq(payload[rule.last_bit])]
        with m.If(self.reset):
            m.d.sync += [signal.eq(0) for signal in (inside, ahead, beat, answered)]
        m.d.comb += [
            getattr(self, f"wrong_{rule.name}").eq((own & (early | (payload != due))) | (transfer & (inside == 0))),
            getattr(self, f"answered_{rule.name}").eq(own & payload[rule.last_bit]),
        ]
        return ~answered, inside == self.VECTORS

    def _due(self, m: Module, rule: OutputRule, key: Any, beat: Any) -> Any:
        """The payload that beat number `beat` of the vector must have: a table over all vectors."""
        due = Signal(rule.payload_width, name=f"table_{rule.name}")
        rows: dict[int, list[int]] = {}
        for vector, beats in rule.beats.items():
            rows.setdefault(self._number(vector), list(beats))
        with m.Switch(key):
            for number, beats in rows.items():
                with m.Case(number):
                    padded = [Const(word, rule.payload_width) for word in beats]
                    m.d.comb += due.eq(Array(padded)[beat] if len(padded) > 1 else padded[0])
        return due

    def _number(self, vector: VectorKey) -> int:
        """The key of a vector as the registers hold it."""
        word = 0
        for place, element in enumerate(vector.elements):
            word |= element << (place * self.width)
        bits = self._length * self.width
        word |= len(vector.elements) << bits
        bits += self._length.bit_length()
        return word | int(vector.overlong) << bits | int(vector.complete) << (bits + 1)
