"""The K largest of a vector from the lists of its lanes: a merge of sorted lists, one rank per cycle."""

from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.top_k import FILL_CYCLES, JOIN_LATENCY, list_of, tag_width
from softstream.hw.stages.frame import takes_part
from softstream.hw.stages.insertion import Insertion, order_layout, write_layout
from softstream.hw.stages.ranked_store import Kept, kept_layout, leaving_ports
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import each_lane, pulse
from softstream.hw.streams.registers import delay, store

__all__ = ["Merged", "connect_lists", "largest", "listed"]


def joined_layout(config: Config) -> data.StructLayout:
    """A complete vector: of each lane the tags of its list and how many elements that holds; how many of them all come out,
    less one; the vector's flags."""
    lists = [list_of(config, lane) for lane in range(config.lanes)]
    members: dict[str, Any] = {}
    for lane, tags, count in zip(lists, each_lane("tags", config.lanes), each_lane("count", config.lanes), strict=True):
        members |= {tags: lane.top_k * tag_width(lane.top_k), count: range(lane.top_k + 1)}
    flags = {name: 1 for name in kept_layout(config).members if name not in ("index", "position", "last")}
    return data.StructLayout({**members, "left": tag_width(config.top_k), **flags})


class Merged(wiring.Component):
    r"""The K best of all lanes, of which each has the sorted list of its own: the largest of the lists' first elements, again
    and again, each replaced by the one behind it in its list.

        x_r = max over l of s_(l, 0),  and where lane l had it, s_(l, k) ← s_(l, k + 1)

    Of equal scores the first index comes first, which is that of the first beat, and of one beat that of the lowest lane. A
    list without an element, where its lane held none that takes part, beats none.

    No comparison stands before a choice: of each two lanes i < j a register tells whether j leads. While an element leaves, the
    one behind it, n, is compared with the first ones of all other lists, h, so what holds next is known at the end of the cycle:

        j leads i' = h_j > n_i          where an element of i leaves
        j leads i' = n_j > h_i          where one of j leaves

    Elements are stored by their tags, list by list, as in `Kept`. All lists begin and end with a vector: what is left of
    them when K are out is dropped at once. The first elements of the next one fill the registers in `FILL_CYCLES` cycles.

    Ports: `write`, `write_1`, … and `order`, `order_1`, …, what the lanes' `Insertion`s put out, all in the same cycles, and else
    as `Kept` has them: of `vectors` vectors one is coming in and the others are complete, which credits see to. `o`, stream of
    kept elements, min(K, N) for each vector, one of them where all is masked. Latency `JOIN_LATENCY` + `QUEUE_LATENCY` +
    `MERGED_LATENCY` cycles from the orders to the first element, one element per cycle, and `FILL_CYCLES` between vectors.
    Two comparators for each two lanes. Cuts the ready path.
    """

    def __init__(self, config: Config, vectors: int) -> None:
        self._config, self._vectors = config, vectors
        self._lists = [list_of(config, lane) for lane in range(config.lanes)]
        writes = zip(each_lane("write", config.lanes), self._lists, strict=True)
        orders = zip(each_lane("order", config.lanes), self._lists, strict=True)
        super().__init__(
            {
                **{name: In(pulse(write_layout(lane))) for name, lane in writes},
                **{name: In(pulse(order_layout(lane))) for name, lane in orders},
                **leaving_ports(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, vectors = self._config, self._vectors
        m.submodules.orders = orders = Queue(joined_layout(config), vectors)
        self._join(m, orders)
        coming, going = Signal(range(vectors)), Signal(range(vectors))
        m.d.sync += coming.eq(coming + (self.write.valid & self.write.payload.last))

        # The vector that goes out: the registers are filled, then its elements leave.
        order, left = orders.o.payload, Signal(tag_width(config.top_k), reset_less=True)
        flags = {
            name: Signal(name=name, reset_less=True)
            for name in order.shape().members
            if name in self.o.payload.shape().members
        }
        phase, filling = Signal(FILL_CYCLES), Signal()
        some, step, advance, at_last = Signal(), Signal(), Signal(), Signal(reset_less=True)
        m.d.comb += [
            filling.eq(phase.any()),
            advance.eq(self.o.ready | ~self.o.valid),
            step.eq(some & advance),
            self.ends.eq(step & at_last),
            self.begins.eq(orders.o.valid & self.free & ~filling & (~some | self.ends)),
            orders.o.ready.eq(self.begins),
        ]
        m.d.sync += [
            phase.eq(Cat(self.begins, phase[:-1])),
            some.eq(phase[-1] | (some & ~self.ends)),
            going.eq(going + self.ends),
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
            # In the last cycle but one the first elements go on and stay as well, to be compared with each other.
            shift = (filling & ~phase[-2]) | (step & lead)
            behind = self._list(m, lane, order, coming, going, shift)
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
                    m.d.sync += ahead.eq(
                        Mux(filling | leads[lower], heads[upper] > nexts[lower], nexts[upper] > heads[lower])
                    )
                ranked.setdefault(upper, []).append(ahead)
                ranked.setdefault(lower, []).append(~ahead)
        m.d.comb += [lead.eq(reduce(and_, ranked[lane])) for lane, lead in enumerate(leads)]
        leader = reduce(or_, (head & lead.replicate(len(head)) for head, lead in zip(heads, leads, strict=True)))
        number = Cat(
            reduce(or_, (lead for lane, lead in enumerate(leads) if lane >> bit & 1))
            for bit in range(ceil_log2(config.lanes))
        )
        index = Cat(number, ~leader[: config.beat_width])
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(some),
                self.o.payload.index.eq(index),
                self.o.payload.position.eq(leader[config.beat_width :]),
                self.o.payload.last.eq(at_last),
                *(self.o.payload[name].eq(flag) for name, flag in flags.items()),
            ]
        return m

    def _join(self, m: Module, orders: Queue) -> None:
        """Puts the lanes' orders into one, `JOIN_LATENCY` cycles later: their elements are counted, and then all of them."""
        config, joined = self._config, orders.i.payload
        found = [getattr(self, name).payload for name in each_lane("order", config.lanes)]
        # An unmasked head's first lane always holds an element.
        empty = [found[0].all_masked if config.mask else C(0, 1), *(order.all_masked for order in found[1:])]
        nothing = reduce(and_, empty)
        # Where all is masked, the element that stands for it is that of the first lane.
        counts = [
            delay(m, Mux(none, nothing if lane == 0 else 0, found[lane].left + 1), 1, f"count_{lane}")
            for lane, none in enumerate(empty)
        ]
        total = Signal(range(config.top_k * config.lanes + 1))
        m.d.comb += [
            total.eq(sum(counts[1:], counts[0])),
            orders.i.valid.eq(delay(m, self.order.valid, JOIN_LATENCY, "joins", reset=True)),
            joined.overlong.eq(delay(m, found[0].overlong, JOIN_LATENCY, "overlong")),
            joined.left.eq(delay(m, Mux(total > config.top_k, config.top_k, total) - 1, 1, "left")),
            joined.all_masked.eq(delay(m, nothing, JOIN_LATENCY, "nothing")) if config.mask else [],
        ]
        names = zip(each_lane("tags", config.lanes), each_lane("count", config.lanes), strict=True)
        for lane, (tags, count) in enumerate(names):
            m.d.comb += [
                joined[tags].eq(delay(m, found[lane].tags, JOIN_LATENCY, f"{tags}_joined")),
                joined[count].eq(delay(m, counts[lane], 1, f"{count}_joined")),
            ]

    def _list(self, m: Module, lane: int, order: Any, coming: Value, going: Value, shift: Value) -> Value:
        """The element of a lane's list that was read last, as they are compared: of two the larger one comes first.

        A bit at the top tells whether there is one. Below the score are the complements of the index's bits.
        """
        config, list_config = self._config, self._lists[lane]
        width, count = tag_width(list_config.top_k), list_config.top_k
        name_of = {name: each_lane(name, config.lanes)[lane] for name in ("write", "store", "tags", "count")}
        entry = getattr(self, name_of["write"]).payload
        content, written = Cat(~entry.index, entry.position), Cat(entry.tag, coming)
        port, writing = store(m, name_of["store"], content, entry.enters, written, self._vectors << width)
        tags, held = order[name_of["tags"]], order[name_of["count"]]
        # Tags move up as elements are read, each with a bit above that tells whether it is that of an element.
        places = [Signal(width + 1, name=f"place_{lane}_{k}", reset_less=True) for k in range(count)]
        there = Signal(name=f"there_{lane}", reset_less=True)
        with m.If(self.begins | shift):
            for k, place in enumerate(places):
                behind = places[k + 1] if k + 1 < count else C(0, width + 1)
                m.d.sync += place.eq(Mux(self.begins, Cat(tags.word_select(k, width), held > k), behind))
        with m.If(shift):
            m.d.sync += there.eq(places[0][-1])
        m.d.comb += [*writing, port.addr.eq(Cat(places[0][:width], going)), port.en.eq(shift)]
        return Cat(port.data, there)


def largest(m: Module, config: Config, vectors: int) -> tuple[list[Insertion], "Kept | Merged"]:
    """The list of the largest, one for each lane, and what gives their elements out in order."""
    lists = [Insertion(list_of(config, lane)) for lane in range(config.lanes)]
    for name, insertion in zip(each_lane("insertion", config.lanes), lists, strict=True):
        m.submodules[name] = insertion
    m.submodules.kept = kept = (Kept if config.lanes == 1 else Merged)(config, vectors)
    return lists, kept


def connect_lists(m: Module, lists: list[Insertion], kept: "Kept | Merged") -> None:
    """Gives what the lists put out to what keeps it."""
    writes, orders = each_lane("write", len(lists)), each_lane("order", len(lists))
    for insertion, write, order in zip(lists, writes, orders, strict=True):
        wiring.connect(m, insertion.write, getattr(kept, write))
        wiring.connect(m, insertion.o, getattr(kept, order))


def listed(config: Config, lists: list[Insertion], framed: Any, element: Value) -> list[Any]:
    """Statements that give each list what its lane has of the framed beats, each taken where `element` is set."""
    if config.lanes == 1:
        return [lists[0].i.valid.eq(element), Value.cast(lists[0].i.payload).eq(Value.cast(framed))]
    found: list[Any] = []
    for lane, insertion in enumerate(lists):
        into = insertion.i.payload
        found += [
            insertion.i.valid.eq(element),
            into.position.eq(framed[each_lane("position", config.lanes)[lane]]),
            *(into[name].eq(framed[name]) for name in ("index", "first", "last", "overlong")),
        ]
        if "mask" in into.shape().members:
            found.append(into.mask.eq(~takes_part(config, framed, lane)))
    return found
