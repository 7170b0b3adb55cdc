"""The K largest of a vector from the lists of its lanes: a merge of sorted lists, one rank per cycle."""

from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.modes.top_k import FILL_CYCLES, JOIN_LATENCY, list_of, tag_width
from softstream.hw.stages.frame import takes_part
from softstream.hw.stages.insertion import Insertion, order_layout, write_layout
from softstream.hw.stages.ranked_store import RankedStore, ranked_layout, read_out_ports
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import each_lane, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, store

__all__ = ["LaneMerge", "connect_lists", "insertion_lists", "list_inputs"]


def joined_layout(config: Config) -> data.StructLayout:
    """A complete vector: tags and number of elements of each lane's list, the number of results less one, the flags."""
    lists = [list_of(config, lane) for lane in range(config.lanes)]
    members: dict[str, Any] = {}
    for lane, tags, count in zip(lists, each_lane("tags", config.lanes), each_lane("count", config.lanes), strict=True):
        members |= {tags: lane.top_k * tag_width(lane.top_k), count: range(lane.top_k + 1)}
    flags = {name: 1 for name in ranked_layout(config).members if name not in ("index", "position", "last")}
    return data.StructLayout({**members, "left": tag_width(config.top_k), **flags})


class LaneMerge(wiring.Component):
    r"""The K best of all lanes: a merge of the lanes' sorted lists, one rank per cycle.

        x_r = max over l of s_(l, 0),  and where lane l had it, s_(l, k) ← s_(l, k + 1)

    Of equal scores the first index comes first: that of the earlier beat, and inside a beat that of the lower lane. With
    `tie = last` it is that of the later beat, and inside a beat that of the upper lane. An empty list beats no other.

    No comparison stands before a choice: for each two lanes i < j a register tells whether j leads. While an element leaves,
    its successor n is compared with the heads h of all other lists, so the registers are right in the next cycle:

        j leads i' = h_j > n_i          where an element of i leaves
        j leads i' = n_j > h_i          where one of j leaves

    Elements are stored by their tags, list by list, as in `RankedStore`. All lists begin and end with a vector: once K
    elements have left, the merge drops the rest at once. The heads of the next vector fill the registers in `FILL_CYCLES`
    cycles.

    Ports: `write`, `write_1`, … and `order`, `order_1`, …, the outputs of the lanes' `Insertion`s, all in the same cycles.
    All other ports are those of `RankedStore`: credits assure that of `vectors` vectors one is coming in and the others are
    complete. `o`, stream of ranked elements, min(K, N) for each vector, one for a fully masked vector. Latency
    `JOIN_LATENCY` + `QUEUE_LATENCY` + `MERGE_LATENCY` cycles from the orders to the first element, one element per cycle,
    and `FILL_CYCLES` between vectors. Two comparators for each two lanes. Cuts the ready path. Members: `queue`, that of the
    joined orders; `room`, complete vectors that it holds at most; `held`, vectors at most whose last element is read and has
    not left.
    """

    def __init__(self, config: Config, vectors: int) -> None:
        self.config, self.vectors, self.room, self.held = config, vectors, vectors - 1, 1
        self.queue = Queue(joined_layout(config), vectors)
        self._lists = [list_of(config, lane) for lane in range(config.lanes)]
        writes = zip(each_lane("write", config.lanes), self._lists, strict=True)
        orders = zip(each_lane("order", config.lanes), self._lists, strict=True)
        super().__init__(
            {
                **{name: In(pulse(write_layout(lane))) for name, lane in writes},
                **{name: In(pulse(order_layout(lane))) for name, lane in orders},
                **read_out_ports(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, vectors = self.config, self.vectors
        m.submodules.orders = orders = self.queue
        self._join(m, orders)
        write_slot, read_slot = Signal(range(vectors)), Signal(range(vectors))
        m.d.sync += write_slot.eq(write_slot + (self.write.valid & self.write.payload.last))

        # The vector that leaves: first its heads fill the registers, then its elements leave.
        order, left = orders.o.payload, Signal(tag_width(config.top_k), reset_less=True)
        flags = {
            name: Signal(name=name, reset_less=True)
            for name in order.shape().members
            if name in self.o.payload.shape().members
        }
        phase, filling = Signal(FILL_CYCLES), Signal()
        active, step, advance, at_last = Signal(), Signal(), Signal(), Signal(reset_less=True)
        m.d.comb += [
            filling.eq(phase.any()),
            advance.eq(self.o.ready | ~self.o.valid),
            step.eq(active & advance),
            self.ends.eq(step & at_last),
            self.begins.eq(orders.o.valid & self.free & ~filling & (~active | self.ends)),
            orders.o.ready.eq(self.begins),
        ]
        m.d.sync += [
            phase.eq(Cat(self.begins, phase[:-1])),
            active.eq(phase[-1] | (active & ~self.ends)),
            read_slot.eq(read_slot + self.ends),
        ]
        with m.If(self.begins):
            m.d.sync += [left.eq(order.left), at_last.eq(order.left == 0)]
            m.d.sync += [flag.eq(order[name]) for name, flag in flags.items()]
        with m.Elif(step):
            m.d.sync += [left.eq(left - 1), at_last.eq(left == 1)]

        ranked: dict[int, list[Value]] = {}
        leads = [Signal(name=f"leads_{lane}") for lane in range(config.lanes)]
        heads, nexts = [], []
        for lane, lead in enumerate(leads):
            # In the last filling cycle but one the heads move on and stay as well, because they are compared with each other.
            shift = (filling & ~phase[-2]) | (step & lead)
            behind = self._list(m, lane, order, write_slot, read_slot, shift)
            head, following = (Signal(len(behind), name=f"{name}_{lane}", reset_less=True) for name in ("head", "next"))
            with m.If(shift):
                m.d.sync += following.eq(behind)
            with m.If(filling | (step & lead)):
                m.d.sync += head.eq(following)
            heads.append(head)
            nexts.append(following)
        for upper in range(config.lanes):
            for lower in range(upper):
                ahead = Signal(name=f"leads_{upper}_{lower}", reset_less=True)
                with m.If(filling | (step & (leads[upper] | leads[lower]))):
                    pairs = (heads[upper], nexts[lower]), (nexts[upper], heads[lower])
                    old, new = (one >= other if config.last_wins else one > other for one, other in pairs)
                    m.d.sync += ahead.eq(Mux(filling | leads[lower], old, new))
                ranked.setdefault(upper, []).append(ahead)
                ranked.setdefault(lower, []).append(~ahead)
        m.d.comb += [lead.eq(reduce(and_, ranked[lane])) for lane, lead in enumerate(leads)]
        leader = reduce(or_, (head & lead.replicate(len(head)) for head, lead in zip(heads, leads, strict=True)))
        number = Cat(
            reduce(or_, (lead for lane, lead in enumerate(leads) if lane >> bit & 1))
            for bit in range(ceil_log2(config.lanes))
        )
        index = Cat(number, self._ranked_index(leader[: config.beat_width]))
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(active),
                self.o.payload.index.eq(index),
                self.o.payload.position.eq(leader[config.beat_width :]),
                self.o.payload.last.eq(at_last),
                *(self.o.payload[name].eq(flag) for name, flag in flags.items()),
            ]
        publish(platform, self, phase=phase, active=active, left=left, at_last=at_last, **flags)
        return m

    def _join(self, m: Module, orders: Queue) -> None:
        """Joins the lanes' orders, `JOIN_LATENCY` cycles later, with the numbers of elements of each lane and of all."""
        config, joined = self.config, orders.i.payload
        lane_orders = [getattr(self, name).payload for name in each_lane("order", config.lanes)]
        # Without masks lane 0 always holds an element.
        empty = [
            lane_orders[0].all_masked if config.mask else C(0, 1),
            *(order.all_masked for order in lane_orders[1:]),
        ]
        all_empty = reduce(and_, empty)
        # The single element of a fully masked vector is that of lane 0.
        counts = [
            delay(m, Mux(none, all_empty if lane == 0 else 0, lane_orders[lane].left + 1), 1, f"count_{lane}")
            for lane, none in enumerate(empty)
        ]
        total = Signal(range(config.top_k * config.lanes + 1))
        m.d.comb += [
            total.eq(sum(counts[1:], counts[0])),
            orders.i.valid.eq(delay(m, self.order.valid, JOIN_LATENCY, "joins", reset=True)),
            joined.overlong.eq(delay(m, lane_orders[0].overlong, JOIN_LATENCY, "overlong")),
            joined.left.eq(delay(m, Mux(total > config.top_k, config.top_k, total) - 1, 1, "left")),
            joined.all_masked.eq(delay(m, all_empty, JOIN_LATENCY, "all_empty")) if config.mask else [],
        ]
        names = zip(each_lane("tags", config.lanes), each_lane("count", config.lanes), strict=True)
        for lane, (tags, count) in enumerate(names):
            m.d.comb += [
                joined[tags].eq(delay(m, lane_orders[lane].tags, JOIN_LATENCY, f"{tags}_joined")),
                joined[count].eq(delay(m, counts[lane], 1, f"{count}_joined")),
            ]

    def _list(self, m: Module, lane: int, order: Any, write_slot: Value, read_slot: Value, shift: Value) -> Value:
        """The entry that was last read from a lane's list, as a number: of two entries the larger one comes first.

        The top bit tells whether the entry holds an element. Below the score are the bits of `_ranked_index`.
        """
        config, list_config = self.config, self._lists[lane]
        width, count = tag_width(list_config.top_k), list_config.top_k
        name_of = {name: each_lane(name, config.lanes)[lane] for name in ("write", "store", "tags", "count")}
        entry = getattr(self, name_of["write"]).payload
        content, write_address = Cat(self._ranked_index(entry.index), entry.position), Cat(entry.tag, write_slot)
        port, writing = store(m, name_of["store"], content, entry.enters, write_address, self.vectors << width)
        tags, count_held = order[name_of["tags"]], order[name_of["count"]]
        # Tags move up as elements are read. The bit above a tag tells whether the tag belongs to an element.
        places = [Signal(width + 1, name=f"place_{lane}_{k}", reset_less=True) for k in range(count)]
        occupied = Signal(name=f"occupied_{lane}", reset_less=True)
        with m.If(self.begins | shift):
            for k, place in enumerate(places):
                behind = places[k + 1] if k + 1 < count else C(0, width + 1)
                m.d.sync += place.eq(Mux(self.begins, Cat(tags.word_select(k, width), count_held > k), behind))
        with m.If(shift):
            m.d.sync += occupied.eq(places[0][-1])
        m.d.comb += [*writing, port.addr.eq(Cat(places[0][:width], read_slot)), port.en.eq(shift)]
        return Cat(port.data, occupied)

    def _ranked_index(self, index: Value) -> Value:
        """Bits of an index in the order of its rank among equal scores: complements where the first index wins.

        The function is its own inverse.
        """
        return index if self.config.last_wins else ~index


def insertion_lists(m: Module, config: Config, vectors: int) -> tuple[list[Insertion], "RankedStore | LaneMerge"]:
    """An insertion list for each lane, and the store or merge that hands out their elements in order."""
    lists = [Insertion(list_of(config, lane)) for lane in range(config.lanes)]
    for name, insertion in zip(each_lane("insertion", config.lanes), lists, strict=True):
        m.submodules[name] = insertion
    name, kind = ("ranked_store", RankedStore) if config.lanes == 1 else ("lane_merge", LaneMerge)
    m.submodules[name] = read_out = kind(config, vectors)
    return lists, read_out


def connect_lists(m: Module, lists: list[Insertion], read_out: "RankedStore | LaneMerge") -> None:
    """Connects the outputs of the lists to the store or merge behind them."""
    writes, orders = each_lane("write", len(lists)), each_lane("order", len(lists))
    for insertion, write, order in zip(lists, writes, orders, strict=True):
        wiring.connect(m, insertion.write, getattr(read_out, write))
        wiring.connect(m, insertion.o, getattr(read_out, order))


def list_inputs(config: Config, lists: list[Insertion], framed: Any, element: Value) -> list[Any]:
    """Statements that feed each list with its lane of the framed beats; `element` marks the beats that count."""
    if config.lanes == 1:
        return [lists[0].i.valid.eq(element), Value.cast(lists[0].i.payload).eq(Value.cast(framed))]
    statements: list[Any] = []
    for lane, insertion in enumerate(lists):
        sink = insertion.i.payload
        statements += [
            insertion.i.valid.eq(element),
            sink.position.eq(framed[each_lane("position", config.lanes)[lane]]),
            *(sink[name].eq(framed[name]) for name in ("index", "first", "last", "overlong")),
        ]
        if "mask" in sink.shape().members:
            statements.append(sink.mask.eq(~takes_part(config, framed, lane)))
    return statements
