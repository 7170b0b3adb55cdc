"""Registers in a row, tables and memories: storage without flow control."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from amaranth import Array, Const, Module, Signal, Value, unsigned
from amaranth.lib import memory

from softstream.hw.plan.stage_cycles import BANK, bank_cycles, bank_levels, spread

__all__ = ["UNCHECKED", "Addressed", "PairedTables", "addressed_store", "delay", "delays", "gates", "store", "table"]

UNCHECKED = {"no_rw_check": 1}
"""Attribute of a memory whose user ignores every entry that is read in the cycle in which it is written.

Without it Yosys builds logic around the block RAM, because it must define the value of such a read.
"""


BLOCK_ENTRIES, BLOCK_WIDTH = 64, 36
"""Entries from which on, and bits up to which, a store with a register behind it is one block RAM.

Of distributed RAMs it would take four or more per bit, and the choice among their outputs would stand before any register.
"""


def delay(
    m: Module, value: Value, cycles: int, name: str, *, reset: bool = False, enable: Value | None = None
) -> Value:
    """`value` some cycles later, through that many registers; `reset` for control, none for data.

    Only cycles with `enable` count.
    """
    return [value, *delays(m, value, cycles, name, reset=reset, enable=enable)][-1]


def delays(
    m: Module, value: Value, cycles: int, name: str, *, reset: bool = False, enable: Value | None = None
) -> list[Signal]:
    """The registers of `delay`: `value` 1, 2, … cycles later."""
    registers: list[Signal] = []
    for step in range(cycles):
        register = Signal.like(value, name=f"{name}_{step + 1}", reset_less=not reset)
        with nullcontext() if enable is None else m.If(enable):
            m.d.sync += register.eq(value)
        registers.append(register)
        value = register
    return registers


def table(
    m: Module, name: str, width: int, entries: Sequence[int], address: Value, cycles: int, *, block: bool = False
) -> Value:
    """A table in memory: the entry `cycles` cycles after its address.

    The first of the registers behind the memory is the memory's own on fabrics that have one. `block` asks for a block
    RAM even where synthesis would build so few entries of logic. A table of width 0, all of whose entries are 0, is the
    constant 0, because synthesis cannot take a memory without bits.
    """
    if not width:
        return Const(0, 1)
    attributes = {"rom_style": "block"} if block else {}
    rom = memory.Memory(shape=unsigned(width), depth=len(entries), init=list(entries), attrs=attributes)
    m.submodules[name] = rom
    port = rom.read_port()
    m.d.comb += port.addr.eq(address)
    return delay(m, port.data, cycles - 1, f"{name}_entry")


def gates(choice: Value, one: Value, other: Value) -> Value:
    """A multiplexer of gates, because synthesis would turn a `Mux` into a second clock enable, which is slow."""
    return (one & choice.replicate(len(one))) | (other & ~choice.replicate(len(one)))


class PairedTables:
    """Tables that two users of the same contents share, because a block RAM has two ports.

    Each user asks for its tables by `table`, in the same order and with the same arguments. The first one gets the memories, and
    all registers behind them, into its module.
    """

    def __init__(self) -> None:
        self._second: dict[str, tuple[Signal, Value]] = {}

    def table(self, m: Module, name: str, width: int, entries: Sequence[int], address: Value, cycles: int) -> Value:
        """`table` for one of both users."""
        if not width:
            return Const(0, 1)
        if name in self._second:
            other_address, entry = self._second.pop(name)
            m.d.comb += other_address.eq(address)
            return entry
        rom = memory.Memory(shape=unsigned(width), depth=len(entries), init=list(entries))
        m.submodules[name] = rom
        first, second = rom.read_port(), rom.read_port()
        other_address = Signal(len(second.addr), name=f"{name}_address_2")
        m.d.comb += [first.addr.eq(address), second.addr.eq(other_address)]
        self._second[name] = other_address, delay(m, second.data, cycles - 1, f"{name}_entry_2")
        return delay(m, first.data, cycles - 1, f"{name}_entry")


def store(
    m: Module, name: str, payload: Value, valid: Value, address: Value, depth: int, *, registered: bool = False
) -> tuple[Any, list[Any]]:
    """(read port, statements) of a memory of `depth` entries; the statements write a valid payload to `address`.

    `registered` tells that a register follows the read port, which a block RAM has at no cost.
    The user must ignore an entry that is read in the cycle in which it is written (see `UNCHECKED`).
    """
    attributes: dict[str, Any] = dict(UNCHECKED)
    if registered and depth >= BLOCK_ENTRIES and len(payload) <= BLOCK_WIDTH:
        attributes["ram_style"] = "block"
    m.submodules[name] = ram = memory.Memory(shape=unsigned(len(payload)), depth=depth, init=[], attrs=attributes)
    write, read = ram.write_port(), ram.read_port()
    return read, [write.addr.eq(address), write.data.eq(payload), write.en.eq(valid)]


class Addressed(NamedTuple):
    """A memory that is read by address; see `addressed_store`."""

    entry: Value
    """The entry at the address that was read."""
    latency: int
    """Cycles from the address to its entry."""
    writing: list[Any]
    """Statements that write."""
    reading: list[Any]
    """Statements that read."""


def addressed_store(
    m: Module,
    name: str,
    payload: Value,
    valid: Value,
    write_address: Value,
    depth: int,
    read_address: Value,
    cycles: int,
    *,
    enable: Value | None = None,
    late: int = 0,
) -> Addressed:
    """A `store` of `depth` entries with one reader, who waits `cycles` for an entry. With `enable`, only a cycle with it reads.

    A deep memory spans several block RAMs. Synthesis would choose among their outputs before any register, and these outputs
    are the slowest of all. Where `cycles` ≥ 2 + `bank_cycles(depth)`, each bank has a register of its own behind it, and a tree
    of registered choices of one in four follows. Its banks are whole. Banks that are `spread` have registers on the ways to and
    from them as well; a payload is then written a cycle later, and the user must not read it sooner than that. `late` asks for
    this cycle where banks are not spread.
    """
    levels, latency = bank_levels(depth), 2 + bank_cycles(depth)
    if depth <= BANK or cycles < latency:
        read, writing = store(m, name, payload, valid, write_address, depth, registered=cycles > 1)
        return Addressed(read.data, 1, writing, _reading(read, read_address, enable))
    within, steps = BANK.bit_length() - 1, int(spread(depth))
    read_address = delay(m, read_address, steps, f"{name}_read_address")
    enable = None if enable is None else delay(m, enable, steps, f"{name}_read_enable", reset=True)
    written = max(steps, late)
    payload = delay(m, payload, written, f"{name}_payload")
    place = delay(m, write_address[:within], written, f"{name}_place")
    bank = delay(m, delay(m, read_address[within:], 1, f"{name}_bank", enable=enable), 1, f"{name}_read_bank")
    entries, writing, reading = [], [], []
    bank = delay(m, bank, steps, f"{name}_way_bank")
    for number in range(-(-depth // BANK)):
        chosen = delay(m, valid & (write_address[within:] == number), written, f"{name}_{number}_chosen", reset=True)
        read, statements = store(m, f"{name}_{number}", payload, chosen, place, BANK)
        writing += statements
        reading += _reading(read, read_address[:within], enable)
        entries.append(delay(m, read.data, 1 + steps, f"{name}_{number}_entry"))
    for level in range(levels):
        groups = [entries[first : first + 4] for first in range(0, len(entries), 4)]
        entries = [
            delay(m, Array(group)[bank[:2]], 1, f"{name}_{level}_{number}_choice")
            for number, group in enumerate(groups)
        ]
        bank = delay(m, bank[2:], 1, f"{name}_{level}_bank")
    return Addressed(entries[0], latency, writing, reading)


def _reading(port: Any, address: Value, enable: Value | None) -> list[Any]:
    return [port.addr.eq(address), *([] if enable is None else [port.en.eq(enable)])]
