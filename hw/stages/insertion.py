"""The systolic insertion list: a vector's K largest scores, sorted as they arrive."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.modes.top_k import tag_width
from softstream.hw.plan.ports import outputs
from softstream.hw.stages.frame import earlier_participant
from softstream.hw.streams.layouts import framed_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["Insertion", "order_layout", "write_layout"]


def write_layout(config: Config) -> data.StructLayout:
    """An element for the list: whether it is among the K best so far, and the tag of its place."""
    return data.StructLayout(
        {
            "enters": 1,
            "tag": tag_width(config.top_k),
            "index": config.index_width,
            "position": config.score_width,
            "last": 1,
        }
    )


def order_layout(config: Config) -> data.StructLayout:
    """A complete vector: the tags of its K best, the first one lowest; their number less one; the vector's flags."""
    width = tag_width(config.top_k)
    flags = {flag.name: 1 for flag in outputs(config)[0].flags}
    return data.StructLayout({"tags": width * config.top_k, "left": width, **flags})


class Insertion(wiring.Component):
    r"""The sorted list of the K best so far: s_0 >= s_1 >= … >= s_(K−1), equal ones in the order of their indices.

    With `tie = last` equal ones have the reverse order, and every ">" below is a ">=".

    An element x beats slot k, W_k, where the slot is empty or x > s_k; strictly, so the first index stays ahead. With W_k
    also W_(k+1). Then every slot with W_k takes from the one before it where W_(k−1), and x where not:

        s_k' = s_k                      not W_k
        s_k' = x                        W_k and not W_(k−1)
        s_k' = s_(k−1)                  W_k and W_(k−1)

    A vector's first element beats every slot, and all slots behind it are empty then.

    No comparison stands before an insertion: the next element y is compared with the list before x is in it, and with x
    itself, and the results move as the slots do. Let e_k tell whether y beats the present content of slot k. Then y beats
    the next content exactly if

        W_k(y) = e_k                    not W_k(x)
        W_k(y) = y > x                  W_k(x) and not W_(k−1)(x)
        W_k(y) = e_(k−1)                W_k(x) and W_(k−1)(x)

    The list holds an element's score and a tag. The tag names the place of its index in the store behind the list: an
    element that enters takes the tag of the element that leaves, so the tags are a permutation of 0…K − 1 at all times.

    A masked element beats no slot. A fully masked vector still yields one element: its last one enters under index 0,
    because the store must hand out one beat per vector.

    Ports: `i`, framed elements; `write`, each element 2 cycles later; `o`, order of a complete vector 2 cycles after its
    last element; no back-pressure. One element per cycle, no bubble between vectors.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(pulse(framed_layout(config))),
                "write": Out(pulse(write_layout(config))),
                "o": Out(pulse(order_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, element = self.config, self.i.payload
        count = config.top_k
        # A fully masked vector still yields one beat: its last element enters the list, because downstream counts one result
        # per vector.
        valid_now, first_now, index_now = self.i.valid, element.first, element.index
        if config.mask:
            participant = Signal()
            earlier = earlier_participant(m, config, element, self.i.valid, participant)
            alone = element.mask & element.last & ~earlier
            valid_now = self.i.valid & (~element.mask | alone)
            first_now = ~earlier
            index_now = Mux(element.mask, 0, element.index)
        width, tag_bits = config.score_width, tag_width(config.top_k)
        # The list keeps complements of scores: y + rest carries exactly if y is larger.
        candidate = Signal(width, reset_less=True)
        index = Signal(config.index_width, reset_less=True)
        valid, first, last = Signal(), Signal(), Signal()
        overlong = Signal(reset_less=True)
        m.d.sync += [
            candidate.eq(~element.position),
            index.eq(index_now),
            overlong.eq(element.overlong),
            valid.eq(valid_now),
            first.eq(valid_now & first_now),
            last.eq(self.i.valid & element.last),
        ]
        rests = [Signal(width, name=f"rest_{k}", reset_less=True) for k in range(count)]
        tags = [Signal(tag_bits, name=f"tag_{k}", init=k) for k in range(count)]
        occupied = Signal(count)  # which slots hold an element
        beats = [Signal(name=f"beats_{k}") for k in range(count)]
        above_candidate = Signal()
        larger = valid_now & self._carry(m, element.position, candidate, first_now, "larger")
        m.d.sync += above_candidate.eq(larger)
        # Behind a first element all other slots are empty, so the next element beats them.
        afresh = first_now | first
        stays: list[Signal] = []
        before: list[Signal] = []
        comparisons: list[Value] = []
        for k in range(count):
            exceeds = self._carry(m, element.position, rests[k], ~occupied[k] | afresh, f"exceeds_{k}")
            stays.append(Signal(name=f"stays_{k}"))
            before.append(Signal(name=f"before_{k}"))
            comparisons.append(valid_now & exceeds)
            m.d.sync += [stays[k].eq(comparisons[k]), before[k].eq(beats[k])]
            # The choice between the results of both comparisons stands behind their registers, but for a clock enable that an
            # iCE40 distributes slowly: there one half of it stands before a register.
            moves: Value = above_candidate
            if k and self.config.profile == "fast":
                moves = Signal(name=f"moves_{k}")
                m.d.sync += moves.eq(Mux(beats[k - 1], comparisons[k - 1], larger))
            elif k:
                moves = Mux(before[k - 1], stays[k - 1], above_candidate)
            m.d.comb += beats[k].eq(Mux(before[k], moves, stays[k]))
            above = beats[k - 1] if k else C(0, 1)
            with m.If(beats[k]):
                m.d.sync += [
                    rests[k].eq(Mux(above, rests[k - 1], candidate) if k else candidate),
                    tags[k].eq(Mux(above, tags[k - 1], tags[-1]) if k else tags[-1]),
                ]
        with m.If(valid):
            m.d.sync += occupied.eq(Mux(first, 1, Cat(C(1, 1), occupied[:-1])))

        passing, low = valid, delay(m, index[:tag_bits], 1, "index")
        if config.mask:
            # With masks the index of the last element does not tell the number of elements in the list.
            passing, low = (
                delay(m, self.i.valid, 1, "passing", reset=True),
                Signal(tag_bits, name="number", reset_less=True),
            )
            with m.If(valid):
                m.d.sync += low.eq(Mux(first, 0, low + 1))
            m.d.comb += self.o.payload.all_masked.eq(delay(m, alone, 2, "all_masked"))
        # The memory behind needs its enable early in the cycle.
        written = Signal.like(self.write.payload, name="written", reset_less=True)
        enters = Signal()
        m.d.sync += [
            self.write.valid.eq(passing),
            enters.eq(beats[-1]),
            written.tag.eq(tags[-1]),
            written.index.eq(index),
            written.position.eq(~candidate),
            written.last.eq(last),
        ]
        m.d.comb += [
            Value.cast(self.write.payload).eq(Value.cast(written)),
            self.write.payload.enters.eq(enters),
            self.o.valid.eq(delay(m, last, 1, "ends", reset=True)),
            self.o.payload.tags.eq(Cat(tags)),
            self.o.payload.left.eq(Mux(occupied[-1], count - 1, low)),
            self.o.payload.overlong.eq(delay(m, overlong, 1, "overlong")),
        ]
        publish(
            platform,
            self,
            occupied=occupied,
            valid=valid,
            first=first,
            candidate=candidate,
            index=index,
            **{register.name: register for register in (*rests, *tags, *beats)},
            **({"participant": participant, "number": low} if config.mask else {}),
        )
        return m

    def _carry(self, m: Module, position: Value, rest: Value, always: Value, name: str) -> Value:
        """Whether a position goes before the one whose complement is `rest`, or `always` is set."""
        last_wins = self.config.last_wins
        total = Signal(self.config.score_width + 1 + last_wins, name=f"total_{name}")
        # One bit below brings a carry into the chain, so that an equal position carries as well.
        m.d.comb += total.eq(Cat(C(1, 1), position) + Cat(C(1, 1), rest) if last_wins else position + rest)
        exceeds = Signal(name=name)
        m.d.comb += exceeds.eq(total[-1] | always)
        return exceeds
