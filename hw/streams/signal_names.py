"""Names of signals under Python 3.12 and later: those that Amaranth finds under Python 3.11.

Amaranth names a signal after the variable or attribute that it is assigned to. It reads that name in the bytecode behind the
call, and knows the instructions of Python 3.11. Python 3.13 joins neighbouring instructions, `STORE_FAST` and `LOAD_FAST` to
`STORE_FAST_LOAD_FAST` for example; Amaranth 0.5 then finds no name, and the generated Verilog differs.
"""

import dis
import re
import sys
from functools import lru_cache
from itertools import pairwise
from types import CodeType
from typing import Any

from amaranth import tracer

__all__ = ["install_name_tracer", "variable_name"]

_CALLS = {"CALL", "CALL_KW", "CALL_FUNCTION_EX"}
_STORES = {"STORE_NAME", "STORE_ATTR", "STORE_FAST", "STORE_DEREF"}
_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_FAST", "LOAD_DEREF", "BUILD_LIST", "COPY"}
"""Instructions that may stand between a call and the store of its result: `self.x = Signal()` loads `self`."""

_FAST = re.compile(r"(LOAD_FAST|STORE_FAST)(?:_BORROW|_CHECK)?")
_FAST_PAIR = re.compile(rf"{_FAST.pattern}_{_FAST.pattern}")

_NO_DEFAULT = object()


def install_name_tracer() -> None:
    """Makes Amaranth find names with `variable_name`, under a Python that is newer than 3.11; a second call does nothing."""
    if sys.version_info >= (3, 12):
        tracer.get_var_name = variable_name


def variable_name(depth: int = 2, default: Any = _NO_DEFAULT) -> Any:
    """The variable or attribute that takes the result of the call that a frame of the stack is in.

    Parameters and result are those of `amaranth.tracer.get_var_name`. `depth`: frames above this function; `default`: the result
    where the call is part of a larger expression.

    Raises `amaranth.tracer.NameNotFound` there if `default` is absent.
    """
    frame = sys._getframe(depth)
    name = _names(frame.f_code).get(frame.f_lasti)
    if name is not None:
        return name
    if default is _NO_DEFAULT:
        raise tracer.NameNotFound
    return default


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> dict[int, str]:
    """Offset in the bytecode, that of a call or of one of its caches → name that the result is stored under."""
    names: dict[int, str] = {}
    instructions = list(dis.get_instructions(code))
    for index, (call, following) in enumerate(pairwise(instructions)):
        if call.opname in _CALLS:
            name = _stored(instructions[index + 1 :])
            if name is not None:
                names |= dict.fromkeys(range(call.offset, following.offset), name)
    return names


def _stored(instructions: list[dis.Instruction]) -> str | None:
    """The name of the first store, if nothing but loads precedes it."""
    for instruction in instructions:
        for operation, name in _parts(instruction):
            if operation in _STORES:
                return name
            if operation not in _LOADS:
                return None
    return None


def _parts(instruction: dis.Instruction) -> list[tuple[str, str]]:
    """Names and arguments of the instructions of Python 3.11 that an instruction stands for."""
    operation, argument = instruction.opname, instruction.argval
    if operation in ("EXTENDED_ARG", "CACHE"):
        return []
    if (
        operation == "LOAD_ATTR" and instruction.argrepr != argument
    ):  # that of a method has the mark `NULL|self` in its text
        return [("LOAD_METHOD", argument)]
    if _FAST_PAIR.fullmatch(operation):
        return list(zip(_FAST.findall(operation), argument, strict=True))
    if _FAST.fullmatch(operation):
        return [(_FAST.findall(operation)[0], argument)]
    return [(operation, argument)]
