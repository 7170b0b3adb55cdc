"""The store of the K largest scores of each vector: written as they arrive, read in their order."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.modes.top_k import tag_width
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import direct_cycles
from softstream.hw.stages.insertion import order_layout, write_layout
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delays, store

__all__ = ["RankedStore", "ranked_layout", "read_out_ports"]


def ranked_layout(config: Config) -> data.StructLayout:
    """A ranked element: its index and position, whether it is the last of its vector's list, the vector's flags."""
    flags = {flag.name: 1 for flag in outputs(config)[0].flags}
    return data.StructLayout({"index": config.index_width, "position": config.score_width, "last": 1, **flags})


def read_out_ports(config: Config) -> dict[str, Any]:
    """Ports of a read-out of ranked elements: `free`, `begins`, `ends` and `o`, as `RankedStore` explains them."""
    return {
        "free": In(1, init=1),
        "begins": Out(1),
        "ends": Out(1),
        "o": Out(stream.Signature(ranked_layout(config))),
    }


class RankedStore(wiring.Component):
    """The K best of each vector, stored by their tags as they arrive and read in their order once it is known.

    Ports: `write` and `order`, the outputs of `Insertion`, both without back-pressure: credits elsewhere assure that of
    `vectors` vectors one is coming in and the others are complete. `free`, whether a complete vector may begin to leave;
    `begins`, set in the cycle in which one does; `ends`, set in the cycle in which its last element is read. `o`, stream of
    ranked elements, min(K, N) for each vector. Latency `QUEUE_LATENCY` + `ranked_latency(config)` cycles from the order to the
    first element, one element per cycle, no bubble between vectors. Cuts the ready path. Members: `queue`, that of the orders;
    `room`, complete vectors that it holds at most; `cycles`, those of a read; `held`, vectors at most whose last element is
    read and has not left.
    """

    def __init__(self, config: Config, vectors: int) -> None:
        self.config, self.vectors, self.cycles = config, vectors, direct_cycles(config)
        self.room, self.held = vectors - 1, self.cycles
        self.queue = Queue(order_layout(config), vectors, by_gates=config.profile == "fast")
        super().__init__(
            {
                "write": In(pulse(write_layout(config))),
                "order": In(pulse(order_layout(config))),
                **read_out_ports(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, count = self.config, self.config.top_k
        width, cycles = tag_width(config.top_k), self.cycles
        write_slot, read_slot = Signal(range(self.vectors)), Signal(range(self.vectors))
        entry = self.write.payload
        read, writing = store(
            m,
            "store",
            Cat(entry.index, entry.position),
            entry.enters,
            Cat(entry.tag, write_slot),
            self.vectors << width,
            registered=cycles > 1,
        )
        m.d.comb += writing
        m.d.sync += write_slot.eq(write_slot + (self.write.valid & entry.last))

        m.submodules.orders = orders = self.queue
        m.d.comb += [
            orders.i.valid.eq(self.order.valid),
            Value.cast(orders.i.payload).eq(Value.cast(self.order.payload)),
        ]
        # The vector that leaves: its tags move up as its elements are read.
        order = orders.o.payload
        tags = [Signal(width, name=f"tag_{k}", reset_less=True) for k in range(count)]
        left = Signal(width, reset_less=True)
        flags = {flag.name: Signal(name=flag.name, reset_less=True) for flag in outputs(config)[0].flags}
        active, step = Signal(), Signal()
        advance = Signal()
        at_last = Signal(reset_less=True)
        entries = [read.data, *delays(m, read.data, cycles - 1, "entry_read", enable=advance)]
        m.d.comb += [
            advance.eq(self.o.ready | ~self.o.valid),
            step.eq(active & advance),
            self.ends.eq(step & at_last),
            self.begins.eq(orders.o.valid & self.free & (~active | self.ends)),
            # A queue that offers nothing moves anyway, so its valid need not be in the ready.
            orders.o.ready.eq(self.free & (~active | self.ends) if config.profile == "fast" else self.begins),
            read.addr.eq(Cat(tags[0], read_slot)),
            read.en.eq(advance),
            Cat(self.o.payload.index, self.o.payload.position).eq(entries[-1]),
        ]
        if config.profile == "fast":
            # A clock enable settles late on iCE40, so none waits for the order: what is loaded without one counts for nothing.
            loads = ~active | at_last
            m.d.sync += active.eq(self.begins | (active & ~self.ends))
            with m.If(advance | ~active):
                m.d.sync += [
                    left.eq(Mux(loads, order.left, left - 1)),
                    at_last.eq(Mux(loads, order.left == 0, left == 1)),
                    *(flag.eq(Mux(loads, order[name], flag)) for name, flag in flags.items()),
                    *(
                        tag.eq(Mux(loads, order.tags.word_select(k, width), tags[min(k + 1, count - 1)]))
                        for k, tag in enumerate(tags)
                    ),
                ]
        else:
            with m.If(self.begins):
                m.d.sync += [active.eq(1), left.eq(order.left), at_last.eq(order.left == 0)]
                m.d.sync += [flag.eq(order[name]) for name, flag in flags.items()]
            with m.Elif(step):
                m.d.sync += [active.eq(~at_last), left.eq(left - 1), at_last.eq(left == 1)]
            with m.If(self.begins | step):
                for k, tag in enumerate(tags):
                    m.d.sync += tag.eq(Mux(self.begins, order.tags.word_select(k, width), tags[min(k + 1, count - 1)]))
        m.d.sync += read_slot.eq(read_slot + self.ends)
        sidebands = Cat(self.o.payload.last, *(self.o.payload[name] for name in flags))
        valids = delays(m, active, cycles, "valid", reset=True, enable=advance)
        marks = delays(m, Cat(at_last, *flags.values()), cycles, "flags", enable=advance)
        m.d.comb += [self.o.valid.eq(valids[-1]), sidebands.eq(marks[-1])]
        registers = {register.name: register for register in (*valids, *marks)}
        registers |= {f"entry_{step}": entry for step, entry in enumerate(entries, 1)}
        registers |= {tag.name: tag for tag in tags} | {"write_slot": write_slot, "read_slot": read_slot}
        publish(platform, self, active=active, left=left, at_last=at_last, **flags, **registers)
        return m
