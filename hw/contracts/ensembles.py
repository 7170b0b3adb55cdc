"""Contracts of ensembles: one vector of sums for each M vectors, and the flags of each around the head."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.queued_marks import QueuedMarksContract
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.member_sum import FLAGS, MemberSum
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.streams.layouts import each_lane, keep_names
from softstream.hw.streams.registers import delay

__all__ = ["MeanProbabilitiesContract", "MemberSumContract", "VectorFlagsContract"]

_QUICKLY_SUMMED = 4
"""Members of an ensemble that a short trace sums. The induction itself starts from every member, whatever their number."""


class MemberSumContract(Contract):
    """Sums over M members: for each M vectors that enter, one leaves, of as many beats as the first of them.

    It leaves while the last member enters, a fixed number of cycles later. Where that one is short, the input is closed until the
    other beats have left; where it is longer, its surplus beats leave nothing. Nothing leaves for any other member. The flags are
    those of the M vectors. The values of the sums are no part of the contract.

    The surroundings assure that no vector has more beats than the memory of sums.
    """

    component: MemberSum
    memories = False

    @property
    def title(self) -> str:
        """The sums, their size and their latency."""
        component = self.component
        width = component.i.payload.shape()[each_lane("value", component.lanes)[0]].width
        return (
            f"sums of {component.members} members of {component.lanes} × {width} bits, up to {component.beats} beats, "
            f"{component.latency} cycles{', flat' if component.flat else ''}"
        )

    def statements(self, m: Module) -> None:
        """Counts the beats of each member, and the members of the ensemble."""
        component, registers = self.component, self.registers
        i, o, beats, final = component.i, component.o, component.beats, component.members - 1
        self.settling = component.latency
        beat, names = i.payload, keep_names(component.lanes)
        self.offers(m, i)
        # The beats of the current member so far, and of the first one; the members before.
        place, length = Signal(range(beats + 2)), Signal(range(beats + 2))
        number = Signal(range(component.members + 1))
        keeps, first_keeps = Cat(beat[name] for name in names), Signal(len(names))
        filling, cut, odd = Signal(), Signal(), Signal()
        moves, ends, is_first, is_last = (Signal(name=name) for name in ("moves", "ends", "is_first", "is_last"))
        at_end, short, leaves, closes = (Signal(name=name) for name in ("at_end", "short", "leaves", "closes"))
        same, cut_now, odd_now = (Signal(name=name) for name in ("same", "cut_now", "odd_now"))
        m.d.comb += [
            moves.eq(i.valid & i.ready),
            ends.eq(moves & beat.last),
            is_first.eq(number == 0),
            is_last.eq(number == final),
            at_end.eq(place + 1 == length),
            short.eq(~is_first & (place + 1 < length)),
            leaves.eq(filling | (moves & is_last & (place < length))),
            closes.eq(leaves & at_end),
            # A member of the length of the first one was cut to it.
            same.eq(is_first | (at_end & (keeps == first_keeps))),
            cut_now.eq(~is_first & cut | (ends & same & beat.overlong)),
            odd_now.eq(~is_first & (odd | (moves & ((short & beat.last) | (at_end & ~beat.last) | (at_end & ~same))))),
        ]
        with m.If(filling):
            m.d.sync += place.eq(place + 1)
            with m.If(at_end):
                m.d.sync += [filling.eq(0), place.eq(0), number.eq(0)]
        with m.Elif(moves):
            m.d.sync += [cut.eq(cut_now), odd.eq(odd_now), place.eq(place + 1)]
            with m.If(beat.last):
                with m.If(is_first):
                    m.d.sync += [length.eq(place + 1), first_keeps.eq(keeps)]
                with m.If(short & is_last):
                    m.d.sync += filling.eq(1)
                with m.Else():
                    m.d.sync += [place.eq(0), number.eq(Mux(is_last, 0, number + 1))]
        self.assumptions.append(~moves | beat.last | (place + 1 < beats))
        inside = place < length  # the place is one of the ensemble's
        counted = Mux(is_first | inside, place, length)
        self.invariants |= {
            "no more members than an ensemble has": number <= final,
            "no more beats than the memory has": place < beats,
            "the first member has beats": is_first | ((length != 0) & (length <= beats)),
            "it fills behind the last member": ~filling | (is_last & inside & (place != 0)),
            "its number of the member": (registers["member"] == number)
            & (registers["first"] == is_first)
            & (registers["final"] == is_last),
            "its place": registers["place"] + 1 == counted,
            "it fills": registers["filling"] == filling,
            "it drops": registers["dropping"] == (~is_first & ~inside),
            "its limit": is_first | (registers["limit"] + 2 == length),
            "the beats that the member lacks": is_first | ~inside | (registers["left"] + place + 2 == length),
            "the lanes of the first member's last beat": is_first | (registers["limit_keeps"] == first_keeps),
            "a member was cut": is_first | (registers["overlong"] == cut),
            "a member has another length": is_first | (registers["uneven"] == odd),
        }
        latency = component.latency
        due = delay(m, leaves, latency, "due", reset=True)
        marks = {"last": closes, "overlong": closes & cut_now, "uneven": closes & odd_now}
        marks |= {name: ~closes | kept for name, kept in zip(names, first_keeps, strict=True)}
        self.guarantees |= {
            "closed while it fills, and at no other time": i.ready == ~filling,
            "a beat of sums for each place of the ensemble, with the last member, and no other": o.valid == due,
            **{
                f"its {name}": ~due | (o.payload[name] == delay(m, mark, latency, name)) for name, mark in marks.items()
            },
        }
        if component.members <= _QUICKLY_SUMMED:
            self.covers["a vector of sums ends"] = o.valid & o.payload.last
            if beats > 1:
                self.covers |= {
                    "behind a short last member it fills": filling,
                    "of a longer last member beats are dropped": is_last & moves & ~inside,
                    "a vector of several beats of sums ends, of members of one length": (
                        o.valid & o.payload.last & ~o.payload.uneven & delay(m, o.valid, 1, "before", reset=True)
                    ),
                }


class VectorFlagsContract(QueuedMarksContract):
    """The stage that adds flags: each beat goes through; a vector's last one takes a tag, whose flags it carries."""

    component: VectorFlags

    @property
    def title(self) -> str:
        """The stage and its room for flags."""
        kind = "winners" if self.component.output.per == "vector" else "beats"
        return f"vector flags of {kind} of {len(Value.cast(self.component.o.payload))} bits, room for {self.component.queue.room}"

    def statements(self, m: Module) -> None:
        """Compares what goes through with the tag that the queue offers."""
        component = self.component
        i, o, queue, output = component.i, component.o, component.queue, component.output
        moves, last, takes = self.passage(m, component.tag, per_vector=output.per == "vector")
        names = component.tag.payload.shape().members
        flagged: Any = last if output.flags_at_last else Const(1, 1)
        others = Cat(o.payload[name] == i.payload[name] for name in o.payload.shape().members if name not in names)
        carried = Cat(o.payload[name] == (queue.o.payload[name] & flagged) for name in names)
        self.guarantees |= {
            "unchanged but for the flags": ~moves | others.all(),
            "a beat with flags has those of its vector's tag": ~moves | (carried.all() & (queue.o.valid | ~flagged)),
        }
        self.covers["a vector ends with a flag"] = takes & Cat(o.payload[name] for name in names).any()
        if output.per != "vector":
            self.covers["a beat that is not its vector's last goes through"] = moves & ~last


class MeanProbabilitiesContract(Contract):
    """The mean of probabilities: its register and its sums have contracts of their own, and each beat of sums leaves as a mean.

    A mean leaves a fixed number of cycles after its sum, with the marks of the ensemble's end, and a winner after each last one.
    """

    component: MeanProbabilities
    memories = False

    @property
    def title(self) -> str:
        """The stage and its cycles behind the sums."""
        component = self.component
        return (
            f"means of {component.config.ensemble} × {len(Value.cast(component.i.payload))} bits, "
            f"{component.sums_to_means} and {component.sums_to_best} cycles behind the sums"
        )

    def statements(self, m: Module) -> None:
        """Compares what leaves with the sums, and what arrives at the sums with what enters."""
        component = self.component
        i, o, best, hold, sums = component.i, component.o, component.o_best, component.hold, component.member_sum
        means, winners = component.sums_to_means, component.sums_to_best
        self.settling = max(means, winners)
        self.offers(m, i)
        held, member, result = hold.o.payload, sums.i.payload, sums.o.payload
        passed = ("last", "overlong", *keep_names(component.config.lanes))
        due = delay(m, sums.o.valid, means, "due", reset=True)
        ended = sums.o.valid & result.last
        due_best = delay(m, ended, winners, "due_best", reset=True)
        flags = ("last", *FLAGS.members)
        self.guarantees |= {
            "each beat enters the register, and nothing else": (hold.i.valid == i.valid)
            & (i.ready == hold.i.ready)
            & (Value.cast(hold.i.payload) == Value.cast(i.payload)),
            "each beat leaves the register for the sums": (sums.i.valid == hold.o.valid)
            & (hold.o.ready == sums.i.ready)
            & Cat(member[name] == held[name] for name in passed).all(),
            "a mean for each sum, and no other": o.valid == due,
            **{
                f"its {name}": ~due | (o.payload[name] == delay(m, result[name], means, f"mean_{name}"))
                for name in flags
            },
            "a winner for each ensemble, and no other": best.valid == due_best,
            **{
                f"{name} of the winner": ~due_best
                | (best.payload[name] == delay(m, result[name], winners, f"best_{name}"))
                for name in FLAGS.members
            },
        }
        self.covers |= {"a mean leaves": o.valid, "a winner leaves": best.valid}
