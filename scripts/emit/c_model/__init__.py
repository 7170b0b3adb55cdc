"""A bit-true model of a head in C99 and C++: one header without dependencies, its formats as constants."""

from softstream.scripts.emit.c_model.header import COVERED, header_text
from softstream.scripts.emit.head import GeneratedHead

__all__ = ["COVERED", "files", "header_text"]


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE_model.h`. Raises `UserError` for a configuration with a numeric key that the C does not know."""
    return {f"{head.module}_model.h": header_text(head)}
