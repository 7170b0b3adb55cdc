"""Sums over the members of ensembles: one vector of sums for each M vectors at the input."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.stage_cycles import memory_cycles, write_cycles
from softstream.hw.streams.layouts import each_lane, keep_names, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, store

__all__ = ["FLAGS", "MemberSum", "ensemble_sum", "member_layout", "sum_layout"]

FLAGS = data.StructLayout({"overlong": 1, "uneven": 1})
"""Flags of an ensemble: whether a member of its length was cut to it; whether a member is of another length."""


def member_layout(width: int, lanes: int = 1) -> data.StructLayout:
    """One beat of a member: a value per lane, the `keep` bits, its end, and, in its last beat, whether it was cut."""
    values = dict.fromkeys(each_lane("value", lanes), width)
    return data.StructLayout({**values, **dict.fromkeys(keep_names(lanes), 1), "last": 1, "overlong": 1})


def sum_layout(width: int, members: int, lanes: int = 1) -> data.StructLayout:
    """One beat of sums: one per lane, the `keep` bits, the ensemble's end, and, in its last beat, its flags."""
    sums = dict.fromkeys(each_lane("sum", lanes), width + ceil_log2(members))
    keeps = dict.fromkeys(keep_names(lanes), 1)
    return data.StructLayout({**sums, **keeps, "last": 1, **FLAGS.members})


class MemberSum(wiring.Component):
    """sum_i = start + Σ_m value_m,i modulo 2^width over the M members of an ensemble, i below the first member's length.

    Members come one after the other. The first member's length is the ensemble's. Where another member is shorter, its missing
    elements count as 0; where it is longer, its surplus elements are dropped; both set `uneven`. `overlong` is set where a
    member of the ensemble's length was cut to it.

        member ─► place ─► memory of sums ─┬─► start, sum so far or forwarded ─► register ─► adder ─┬─► sums, with the last member
                              └────────────┼──── written back, but for the last ◄───────────────────┘
                                           └──── sums of the last few beats, still on their way to the memory

    The sum of the beat directly before is forwarded behind that register, because the adder computes it in the same cycle.
    With `write`, a register more between adder and memory, sums on their way are chosen in two cycles. With `flat`, the end of a
    member is decided in fewer levels of logic, for a few cells more.

    The first member's values overwrite the sums of an earlier ensemble, so nothing needs to be cleared.

    Ports: `i`, a stream of beats of members, not ready while the elements leave that a short last member lacks; `o`, sums,
    without back-pressure. Rigid: a clock enable from outside stops it. Latency `latency` = `memory` + 2 cycles from a beat of the
    last member, one beat per cycle, vectors of one element included.
    """

    def __init__(
        self,
        width: int,
        members: int,
        beats: int,
        memory: int,
        *,
        lanes: int = 1,
        start: int = 0,
        write: int = 0,
        flat: bool = False,
    ) -> None:
        self.members, self.beats, self.lanes = members, beats, lanes
        self.latency = memory + 2
        self._memory, self._start, self._write, self.flat = memory, start, write, flat
        self._layout = sum_layout(width, members, lanes)
        super().__init__({"i": In(stream.Signature(member_layout(width, lanes))), "o": Out(pulse(self._layout))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, beat = self.lanes, self.i.payload
        # Counts from −1, so that the sign of `left` marks the ensemble's last place without a comparison.
        place, left = (Signal(range(-1, max(1, self.beats - 1)), name=name, init=-1) for name in ("place", "left"))
        limit = Signal.like(place, reset_less=True)
        keeps, limit_keeps = Cat(beat[name] for name in keep_names(lanes)), Signal(lanes - 1, reset_less=True)
        member = Signal(range(self.members))
        first, final = Signal(init=1), Signal()
        filling, dropping, overlong, uneven = Signal(), Signal(), Signal(), Signal()

        transferred, inside, at_limit, ends, short, done = (
            Signal(name=name) for name in ("transferred", "inside", "at_limit", "ends", "short", "done")
        )
        cut, unlike, other_keeps = Signal(), Signal(), keeps != limit_keeps
        # Behind a short last member's end the ensemble continues to its own end.
        if self.flat:
            # From registers alone, because `done` decides the enables of all counters. The last member is not the first one.
            end = Mux(filling, left[-1], self.i.valid & beat.last & ~(final & ~dropping & ~left[-1]))
        else:
            end = Mux(filling, at_limit, ends & ~(short & final))
        m.d.comb += [
            self.i.ready.eq(~filling),
            transferred.eq(self.i.valid & ~filling),
            inside.eq(filling | (transferred & ~dropping)),
            at_limit.eq(left[-1] & ~first),
            ends.eq(transferred & beat.last),
            short.eq(ends & ~dropping & ~first & ~left[-1]),
            done.eq(end),
            cut.eq(ends & ~dropping & (first | (at_limit & ~other_keeps)) & beat.overlong),
            unlike.eq(transferred & ~dropping & at_limit & (~beat.last | other_keeps)),
        ]
        m.d.sync += [
            filling.eq(Mux(filling, ~at_limit, short & final)),
            dropping.eq(~done & (dropping | (inside & at_limit))),
        ]
        with m.If(inside):
            m.d.sync += [
                overlong.eq((overlong & ~first) | cut),
                uneven.eq((uneven & ~first) | short | unlike),
            ]
        with m.If(ends & first):
            m.d.sync += [limit.eq(place), limit_keeps.eq(keeps)]
        with m.If(done):
            m.d.sync += [
                place.eq(-1),
                left.eq(Mux(first, place, limit)),
                member.eq(Mux(final, 0, member + 1)),
                first.eq(final),
                final.eq(member == self.members - 2),
            ]
        with m.Elif(inside):
            m.d.sync += [place.eq(place + 1), left.eq(left - 1)]

        present = [~filling, *(keep & ~filling for keep in keeps)]
        values = Cat(Mux(keep, beat[name], 0) for name, keep in zip(each_lane("value", lanes), present, strict=True))
        closes = at_limit & final
        edges = Cat(
            ~(closes.replicate(lanes - 1) & ~limit_keeps),
            closes,
            closes & (overlong | cut),
            closes & (uneven | unlike),
        )
        self._added(m, inside, place, first, final, values, edges)
        publish(
            platform,
            self,
            place=place,
            left=left,
            limit=limit,
            limit_keeps=limit_keeps,
            member=member,
            first=first,
            final=final,
            filling=filling,
            dropping=dropping,
            overlong=overlong,
            uneven=uneven,
        )
        return m

    def _added(
        self, m: Module, inside: Value, place: Value, first: Value, final: Value, values: Value, edges: Value
    ) -> None:
        """The memory of sums, the adders, and the delay of the edges."""
        lanes, memory = self.lanes, self._memory
        names = each_lane("sum", lanes)
        width = self._layout[names[0]].width
        address = place[: max(1, ceil_log2(self.beats))]
        adds, write = memory + 1, self._write
        valid = delay(m, inside, adds, "valid", reset=True)
        writes = valid & ~delay(m, final, adds, "final")
        added = Signal(lanes * width)
        written, writes = delay(m, added, write, "written"), delay(m, writes, write, "writes", reset=True)
        read, writing = store(m, "sums", written, writes, delay(m, address, adds + write, "address"), 1 << len(address))
        m.d.comb += [*writing, read.addr.eq(address)]
        so_far = delay(m, read.data, memory - 1 - write, "so_far")
        # The nearest beat of the same place that is not in the memory yet when it is read; the first member needs none.
        earlier, was = place, inside
        same: list[Value] = []
        for distance in range(1, adds + write + 1):
            earlier, was = (
                delay(m, earlier, 1, f"place_{distance}_before"),
                delay(m, was, 1, f"was_{distance}", reset=True),
            )
            same.append(was & (earlier == place))
        sums = [delay(m, added, 1, "sum_1_before")]
        for distance in range(2, adds):
            sums.append(delay(m, sums[-1], 1, f"sum_{distance}_before"))
        for distance in reversed(range(2 + write, adds + write + 1)):
            hit = delay(m, same[distance - 1], memory - write, f"same_{distance}")
            so_far = Mux(hit, sums[distance - 2 - write], so_far)
        if write:
            so_far = Mux(delay(m, same[1], memory, "same_2"), sums[0], delay(m, so_far, write, "chosen"))
        start = Cat(C(self._start % (1 << width), width) for _ in range(lanes))
        base = delay(m, Mux(delay(m, first, memory, "first"), start, so_far), 1, "base")
        base = Mux(delay(m, same[0] & ~first, adds, "same_1"), sums[0], base)
        values = delay(m, values, adds, "values")
        value_width = len(values) // lanes
        m.d.comb += added.eq(
            Cat(
                (base.word_select(lane, width) + values.word_select(lane, value_width))[:width] for lane in range(lanes)
            )
        )
        result = self.o.payload
        m.d.sync += self.o.valid.eq(valid & delay(m, final, adds, "final_out"))
        m.d.comb += [
            Cat(result[name] for name in names).eq(sums[0]),
            Value.cast(result)[lanes * width :].eq(delay(m, edges, adds + 1, "edges")),
        ]


def ensemble_sum(config: Config, width: int, *, start: int = 0, flat: bool = False) -> MemberSum:
    """The sums over the members of a head's ensembles, of values of `width` bits; each sum begins with `start`.

    `flat` where the sums decide the clock.
    """
    return MemberSum(
        width,
        config.ensemble,
        config.beats(config.max_length),
        memory_cycles(config),
        lanes=config.lanes,
        start=start,
        write=write_cycles(config),
        flat=flat,
    )
