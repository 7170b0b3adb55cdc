"""Plan of outputs whose tdata is extended to a power of two bits, as DMA engines want it."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.fields import Output
from softstream.hw.plan.records import OptionPlan

__all__ = ["PADDED_OUTPUTS"]


def _padded(config: Config, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """The outputs with a longer last field; the lanes are a power of two, so the whole of tdata is one as well."""
    padded = []
    for output in outputs:
        *others, last = output.fields
        below = sum(field.bits for field in others)
        space = (1 << ceil_log2(below + last.bits)) - below
        padded.append(replace(output, fields=(*others, replace(last, space=space))))
    return tuple(padded)


PADDED_OUTPUTS = OptionPlan(
    applies=lambda config: config.padded_outputs,
    without=lambda config: config.replace(padded_outputs=False),
    outputs=_padded,
)
