"""Registers in a row, tables and memories: storage without flow control."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from amaranth import Const, Module, Signal, Value, unsigned
from amaranth.lib import memory

__all__ = ["UNCHECKED", "delay", "store", "table"]

UNCHECKED = {"no_rw_check": 1}
"""Attribute of a memory whose user ignores every entry that is read in the cycle in which it is written.

Without it Yosys builds logic around the block RAM, because it must define the value of such a read.
"""


def delay(
    m: Module, value: Value, cycles: int, name: str, *, reset: bool = False, enable: Value | None = None
) -> Value:
    """`value` some cycles later, through that many registers; `reset` for control, none for data.

    Only cycles with `enable` count.
    """
    for step in range(cycles):
        register = Signal.like(value, name=f"{name}_{step + 1}", reset_less=not reset)
        with nullcontext() if enable is None else m.If(enable):
            m.d.sync += register.eq(value)
        value = register
    return value


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


def store(m: Module, name: str, payload: Value, valid: Value, address: Value, depth: int) -> tuple[Any, list[Any]]:
    """(read port, statements) of a memory of `depth` entries; the statements write a valid payload to `address`.

    The user must ignore an entry that is read in the cycle in which it is written (see `UNCHECKED`).
    """
    m.submodules[name] = ram = memory.Memory(shape=unsigned(len(payload)), depth=depth, init=[], attrs=UNCHECKED)
    write, read = ram.write_port(), ram.read_port()
    return read, [write.addr.eq(address), write.data.eq(payload), write.en.eq(valid)]
