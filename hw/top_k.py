"""Top-K: the K largest scores of each vector with their indices, in order, from a sorted list in registers."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .frame import Frame
from .streams import UNCHECKED, Credit, Queue, delay, framed_layout, pulse, score_layout
from .top_k_schedule import check_top_k, kept_vectors, tag_width, top_k_vectors

__all__ = ["Insertion", "Kept", "TopK", "code_of", "kept_layout", "order_layout", "ranked_layout", "write_layout"]


def ranked_layout(config: Config) -> data.StructLayout:
    """One output beat: an element's index and score code, whether it is its vector's last one kept, the vector's flag."""
    shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
    return data.StructLayout({"index": config.index_width, "score": shape, "last": 1, "overlong": 1})


def kept_layout(config: Config) -> data.StructLayout:
    """The same with the position in the place of the score code."""
    return data.StructLayout({"index": config.index_width, "position": config.score_width, "last": 1, "overlong": 1})


def write_layout(config: Config, count: int) -> data.StructLayout:
    """An element on its way into the list: whether it is among the K best so far, and if so, where it is stored."""
    return data.StructLayout(
        {
            "enters": 1,
            "tag": tag_width(count),
            "index": config.index_width,
            "position": config.score_width,
            "last": 1,
        }
    )


def order_layout(count: int) -> data.StructLayout:
    """A complete vector: the tags of its K best, the first one lowest; how many there are, less one; its flag."""
    width = tag_width(count)
    return data.StructLayout({"tags": width * count, "left": width, "overlong": 1})


def code_of(config: Config, position: Value) -> Value:
    """The score code of a position: in a two's complement format the sign bit is flipped."""
    return Cat(position[:-1], position[-1] ^ config.score_signed)


class Insertion(wiring.Component):
    r"""The sorted list of the K best so far: s_0 >= s_1 >= … >= s_(K−1), equal ones in the order of their indices.

    An element x beats slot k, W_k, where the slot is empty or x > s_k; strictly, so the first index stays ahead. With W_k
    also W_(k+1). Then every slot with W_k takes from the one before it where W_(k−1), and x where not:

        s_k' = s_k                      not W_k
        s_k' = x                        W_k and not W_(k−1)
        s_k' = s_(k−1)                  W_k and W_(k−1)

    A vector's first element beats every slot, and all slots behind it are empty then.

    No comparison stands before an insertion: the next element y is compared with the list before x is in it, and with x
    itself, and what was found moves as the slots do. Let e_k tell whether y beats what slot k holds now; then y beats what
    it will hold exactly if

        W_k(y) = e_k                    not W_k(x)
        W_k(y) = y > x                  W_k(x) and not W_(k−1)(x)
        W_k(y) = e_(k−1)                W_k(x) and W_(k−1)(x)

    Of an element the list holds its score and a tag, the place where its index is stored elsewhere: an element that enters
    takes the tag of the one that leaves, so the tags are a permutation of 0…K − 1 at all times.

    Ports: `i`, framed elements; `write`, each element a cycle later; `o`, order of a complete vector 2 cycles after its
    last element; no back-pressure. One element per cycle, no bubble between vectors.
    """

    def __init__(self, config: Config, count: int) -> None:
        check_top_k(config, count)
        self._config, self._count = config, count
        super().__init__(
            {
                "i": In(pulse(framed_layout(config))),
                "write": Out(pulse(write_layout(config, count))),
                "o": Out(pulse(order_layout(count))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, count, element = self._config, self._count, self.i.payload
        width, tag_bits = config.score_width, tag_width(count)
        # What a score lacks to all ones: y + rest carries exactly if y is larger.
        coming = Signal(width, reset_less=True)
        index = Signal(config.index_width, reset_less=True)
        valid, first, last = Signal(), Signal(), Signal()
        overlong = Signal(reset_less=True)
        m.d.sync += [
            coming.eq(~element.position),
            index.eq(element.index),
            overlong.eq(element.overlong),
            valid.eq(self.i.valid),
            first.eq(self.i.valid & element.first),
            last.eq(self.i.valid & element.last),
        ]
        rests = [Signal(width, name=f"rest_{k}", reset_less=True) for k in range(count)]
        tags = [Signal(tag_bits, name=f"tag_{k}", init=k) for k in range(count)]
        held = Signal(count)  # slots that hold an element
        beats = [Signal(name=f"beats_{k}") for k in range(count)]
        larger = self._carry(m, element.position, coming, C(0, 1), "larger")
        # Behind a first element all slots are empty: whatever comes next beats them.
        afresh = element.first | first
        exceeds = []
        for k in range(count):
            exceeds.append(self._carry(m, element.position, rests[k], ~held[k] | element.first, f"exceeds_{k}"))
            stays, moves, before = (Signal(name=f"{name}_{k}") for name in ("stays", "moves", "before"))
            with m.If(self.i.valid):
                m.d.sync += [
                    stays.eq(exceeds[k]),
                    moves.eq(element.first | larger if k == 0 else afresh | Mux(beats[k - 1], exceeds[k - 1], larger)),
                ]
            with m.Else():
                m.d.sync += [stays.eq(0), moves.eq(0)]
            m.d.sync += before.eq(beats[k])
            m.d.comb += beats[k].eq(Mux(before, moves, stays))
            above = beats[k - 1] if k else C(0, 1)
            with m.If(beats[k]):
                m.d.sync += [
                    rests[k].eq(Mux(above, rests[k - 1], coming) if k else coming),
                    tags[k].eq(Mux(above, tags[k - 1], tags[-1]) if k else tags[-1]),
                ]
        with m.If(valid):
            m.d.sync += held.eq(Mux(first, 1, Cat(C(1, 1), held[:-1])))

        low = delay(m, index[:tag_bits], 1, "index")
        m.d.comb += [
            self.write.valid.eq(valid),
            self.write.payload.enters.eq(beats[-1]),
            self.write.payload.tag.eq(tags[-1]),
            self.write.payload.index.eq(index),
            self.write.payload.position.eq(~coming),
            self.write.payload.last.eq(last),
            self.o.valid.eq(delay(m, last, 1, "ends", reset=True)),
            self.o.payload.tags.eq(Cat(tags)),
            self.o.payload.left.eq(Mux(held[-1], count - 1, low)),
            self.o.payload.overlong.eq(delay(m, overlong, 1, "overlong")),
        ]
        return m

    def _carry(self, m: Module, position: Value, rest: Value, always: Value, name: str) -> Value:
        """Whether a position exceeds the score of which `rest` is known, or `always` is set."""
        total = Signal(self._config.score_width + 1, name=f"total_{name}")
        m.d.comb += total.eq(position + rest)
        found = Signal(name=name)
        m.d.comb += found.eq(total[-1] | always)
        return found


class Kept(wiring.Component):
    """The K best of each vector, stored by their tags while they come and read in their order once it is known.

    Ports: `write` and `order`, what `Insertion` puts out, both without back-pressure: credits elsewhere see to it that of
    `vectors` vectors one is coming in and the others are complete. `free`, whether a complete vector may begin to leave;
    `begins` in the cycle in which one does, `ends` in that in which its last element is read. `o`, stream of kept elements,
    min(K, N) for each vector. Latency `QUEUE_LATENCY` + `KEPT_LATENCY` cycles from the order to the first element, one element
    per cycle, no bubble between vectors. Cuts the ready path.
    """

    def __init__(self, config: Config, count: int, vectors: int) -> None:
        self._config, self._count, self._vectors = config, count, vectors
        super().__init__(
            {
                "write": In(pulse(write_layout(config, count))),
                "order": In(pulse(order_layout(count))),
                "free": In(1, init=1),
                "begins": Out(1),
                "ends": Out(1),
                "o": Out(stream.Signature(kept_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, count = self._config, self._count
        width = tag_width(count)
        m.submodules.store = store = memory.Memory(
            shape=unsigned(config.index_width + config.score_width),
            depth=self._vectors << width,
            init=[],
            attrs=UNCHECKED,
        )
        write, read = store.write_port(), store.read_port()
        coming, going = Signal(range(self._vectors)), Signal(range(self._vectors))
        entry = self.write.payload
        m.d.comb += [
            write.addr.eq(Cat(entry.tag, coming)),
            write.data.eq(Cat(entry.index, entry.position)),
            write.en.eq(entry.enters),
        ]
        m.d.sync += coming.eq(coming + (self.write.valid & entry.last))

        m.submodules.orders = orders = Queue(order_layout(count), self._vectors)
        m.d.comb += [
            orders.i.valid.eq(self.order.valid),
            Value.cast(orders.i.payload).eq(Value.cast(self.order.payload)),
        ]
        # The vector that goes out: its tags move up as its elements are read.
        order = orders.o.payload
        tags = [Signal(width, name=f"tag_{k}", reset_less=True) for k in range(count)]
        left = Signal(width, reset_less=True)
        overlong = Signal(reset_less=True)
        some, step = Signal(), Signal()
        advance = Signal()
        at_last = Signal(reset_less=True)
        m.d.comb += [
            advance.eq(self.o.ready | ~self.o.valid),
            step.eq(some & advance),
            self.ends.eq(step & at_last),
            self.begins.eq(orders.o.valid & self.free & (~some | self.ends)),
            orders.o.ready.eq(self.begins),
            read.addr.eq(Cat(tags[0], going)),
            read.en.eq(advance),
            self.o.payload.index.eq(read.data[: config.index_width]),
            self.o.payload.position.eq(read.data[config.index_width :]),
        ]
        with m.If(self.begins):
            m.d.sync += [some.eq(1), left.eq(order.left), at_last.eq(order.left == 0), overlong.eq(order.overlong)]
        with m.Elif(step):
            m.d.sync += [some.eq(~at_last), left.eq(left - 1), at_last.eq(left == 1)]
        with m.If(self.begins | step):
            for k, tag in enumerate(tags):
                m.d.sync += tag.eq(Mux(self.begins, order.tags.word_select(k, width), tags[min(k + 1, count - 1)]))
        m.d.sync += going.eq(going + self.ends)
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(some),
                self.o.payload.last.eq(at_last),
                self.o.payload.overlong.eq(overlong),
            ]
        return m


class TopK(wiring.Component):
    """The K largest scores of each vector, largest first, of equal ones the first index first.

        scores ─► frame ─► insertion ─► kept ─► index, score; min(K, N) beats per vector

    No score but the K best is stored: a memory of K entries per vector holds those of the vectors that wait for the output,
    so nothing grows with N but the index.

    Ports: `i`, stream of scores; `o`, stream of {index, score, last, overlong}, `last` on a vector's last beat. Latency
    N + `top_k_latency()` cycles to the first beat, one element per cycle in, one out, and no bubble whatever the lengths of
    the vectors: for none more comes out than came in. Cuts the ready path. K and what else is refused: `check_top_k`.
    """

    def __init__(self, config: Config, count: int) -> None:
        check_top_k(config, count)
        self._config, self._count = config, count
        super().__init__(
            {"i": In(stream.Signature(score_layout(config))), "o": Out(stream.Signature(ranked_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, count = self._config, self._count
        vectors = kept_vectors(top_k_vectors(count))
        m.submodules.frame = frame = Frame(config)
        m.submodules.insertion = insertion = Insertion(config, count)
        m.submodules.kept = kept = Kept(config, count, vectors)
        # One vector fewer than there is room for: the next one begins at once.
        m.submodules.credit = credit = Credit(vectors - 1, 1)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        wiring.connect(m, insertion.write, kept.write)
        wiring.connect(m, insertion.o, kept.order)
        element, found = Signal(), kept.o.payload
        m.d.comb += [
            frame.o.ready.eq(credit.available | ~frame.o.payload.last),
            element.eq(frame.o.valid & frame.o.ready),
            insertion.i.valid.eq(element),
            Value.cast(insertion.i.payload).eq(Value.cast(frame.o.payload)),
            credit.take.eq(element & frame.o.payload.last),
            credit.give.eq(kept.ends),
            self.o.valid.eq(kept.o.valid),
            kept.o.ready.eq(self.o.ready),
            self.o.payload.index.eq(found.index),
            self.o.payload.score.eq(code_of(config, found.position)),
            self.o.payload.last.eq(found.last),
            self.o.payload.overlong.eq(found.overlong),
        ]
        return m
