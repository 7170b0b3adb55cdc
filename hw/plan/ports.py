"""Output streams and sidebands of a configuration, and the ports of its AXI4-Stream top.

The layouts of the component, the ports of the Verilog, the beats that a bench expects and the arrays of a result all follow
from `outputs` and `sidebands`. Each mode states its own streams in `plan/modes`, each option its changes in `plan/options`.
"""

from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import refusals_of
from softstream.hw.plan.fields import (
    Field,
    Output,
    Port,
    Sideband,
    active_elements,
    byte_bits,
    cut_lengths,
    winner_output,
)
from softstream.hw.plan.modes import MODE_PLANS
from softstream.hw.plan.options import OPTION_PLANS

__all__ = [
    "Field",
    "Output",
    "Port",
    "Sideband",
    "active_elements",
    "byte_bits",
    "cut_lengths",
    "outputs",
    "result_outputs",
    "sidebands",
    "stream_fields",
    "top_ports",
    "winner_output",
]


@lru_cache(maxsize=256)
def outputs(config: Config) -> tuple[Output, ...]:
    """The output streams: the one whose latency the plan states comes first, the one that tells vectors apart last."""
    for option in OPTION_PLANS.values():
        if option.outputs is not None and option.applies(config):
            with refusals_of(config):
                inner = outputs(option.without(config))
            return option.outputs(config, inner)
    return MODE_PLANS[config.mode].outputs(config)


def result_outputs(config: Config) -> tuple[Output, ...]:
    """The outputs whose arrays a result of the golden model has: also that of the winner where the hardware leaves it out."""
    return outputs(config.replace(winner=True))


@lru_cache(maxsize=256)
def sidebands(config: Config) -> tuple[Sideband, ...]:
    """The fields of s_axis_tuser, lowest first; a field of elements occurs once per lane, lane 0 lowest."""
    fields = MODE_PLANS[config.mode].sidebands(config)
    for option in OPTION_PLANS.values():
        fields += option.sidebands(config) if option.applies(config) else ()
    return fields


def _content(fields: tuple[Field, ...]) -> str:
    """The fields of tdata, with their bits."""
    texts, low = [], 0
    for field in fields:
        width = field.bits
        extended = "sign" if field.signed else "zero"
        texts.append(f"[{low + width - 1}:{low}] {field.text}, {extended}-extended")
        low += width
    return "; ".join(texts)


def _outgoing(config: Config, output: Output) -> list[Port]:
    prefix, lanes = output.prefix, output.lanes(config)
    bits = sum(field.bits for field in output.fields)
    content = _content(output.fields)
    last = "always 1: one beat per vector"
    if output.per != "vector":
        content = _per_lane(lanes, content, bits)
        of = "packet" if config.groups else "vector"
        last = f"the {output.noun if lanes == 1 else 'beat'} is its {of}'s last"
    meaning = f"bytes of the lanes that hold a {output.noun}; the others hold anything"
    flags = ", ".join(f"[{bit}] {flag.meaning}" for bit, flag in enumerate(output.flags))
    if output.ends:
        ends = len(output.flags)
        flags = f"[{ends}] the {'beat' if lanes > 1 else output.noun} is its group's last; with it, else 0: {flags}"
    elif output.flags_at_last:
        flags = f"with tlast, else 0: {flags}"
    return [
        Port(f"{prefix}_tdata", "output", lanes * bits, content),
        *(_keep(prefix, "output", lanes, bits, meaning) if lanes > 1 else ()),
        Port(f"{prefix}_tvalid", "output", 1, "tdata, tlast and tuser hold until tready"),
        Port(f"{prefix}_tready", "input", 1, "the beat is taken"),
        Port(f"{prefix}_tlast", "output", 1, last),
        Port(f"{prefix}_tuser", "output", len(output.user), flags),
    ]


def _per_lane(lanes: int, content: str, bits: int) -> str:
    return content if lanes == 1 else f"a field of {bits} bits per lane, lane 0 lowest; in each {content}"


_SCORES_KEEP = (
    "bytes that hold scores: none in a beat that adds no element, all of them before a vector's end, there those of the "
    "elements, which fill the lanes from lane 0 on"
)


def _keep(prefix: str, direction: str, lanes: int, bits: int, meaning: str) -> list[Port]:
    return [Port(f"{prefix}_tkeep", direction, lanes * bits // 8, meaning)]


def _sideband(config: Config) -> list[Port]:
    texts, low = [], 0
    for field in sidebands(config):
        copies = field.copies(config)
        each = "in every beat" if copies == 1 else f"in every beat, {field.width} for each lane, lane 0 lowest"
        when = each if field.per == "element" else "in a vector's first beat"
        texts.append(f"[{low + copies * field.width - 1}:{low}] {when}, {field.meaning}")
        low += copies * field.width
    return [Port("s_axis_tuser", "input", low, "; ".join(texts))] if low else []


def top_ports(config: Config) -> tuple[Port, ...]:
    """The ports of the AXI4-Stream top of a configuration.

    The primary output is m_axis; a second output, the winner's, is m_axis_best. Streams of elements carry a field per lane
    and, with more than one lane, tkeep; with the key `tkeep`, s_axis has it with one lane as well.
    """
    lanes, bits = config.lanes, byte_bits(config.score_width)
    one, noun = ("a score", "score") if lanes == 1 else ("a beat of scores", "beat")
    ports = [
        Port("aclk", "input", 1, "clock, rising edge"),
        Port("aresetn", "input", 1, "reset, synchronous, active low"),
        Port("s_axis_tdata", "input", lanes * bits,
             _per_lane(lanes, f"[{config.score_width - 1}:0] score code, upper bits ignored", bits)),
        *(_keep("s_axis", "input", lanes, bits, _SCORES_KEEP) if config.reads_tkeep else ()),
        Port("s_axis_tvalid", "input", 1, f"{one} is offered"),
        Port("s_axis_tready", "output", 1, f"the {noun} is taken"),
        *_sideband(config),
        Port("s_axis_tlast", "input", 1, f"the {noun} is its vector's last"),
    ]  # fmt: skip
    return (*ports, *(port for output in outputs(config) for port in _outgoing(config, output)))


def stream_fields(config: Config, prefix: str) -> tuple[str, ...]:
    """Signals of one stream of the top besides tvalid and tready, in the order of the ports: tdata, tkeep, tlast, tuser."""
    names = [port.name.removeprefix(f"{prefix}_") for port in top_ports(config) if port.name.startswith(f"{prefix}_t")]
    return tuple(name for name in names if name not in ("tvalid", "tready"))
