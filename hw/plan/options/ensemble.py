"""What both means of an ensemble have in common in the plan: the flag of its members."""

from dataclasses import replace

from softstream.hw.plan.fields import Field, Output

__all__ = ["with_uneven"]

_UNEVEN = Field(
    "uneven", "uneven", 1, "uneven: the ensemble's members differ in length; its length is that of the first one"
)


def with_uneven(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Outputs with a flag more, for members of different lengths."""
    return tuple(replace(output, flags=(*output.flags, _UNEVEN)) for output in outputs)
