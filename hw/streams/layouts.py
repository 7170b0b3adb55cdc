"""Payloads of the streams between the stages, and the names of their fields."""

from dataclasses import replace

from amaranth import ShapeLike, signed, unsigned
from amaranth.lib import data, stream

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import Output, outputs, sidebands, winner_output

__all__ = [
    "each_lane",
    "framed_layout",
    "guarded_layout",
    "keep_names",
    "output_layout",
    "probability_layout",
    "pulse",
    "score_layout",
    "winner_layout",
]


def each_lane(name: str, lanes: int) -> list[str]:
    """Names of a field that a beat has once per lane: `score`, `score_1`, `score_2`, …"""
    return [name, *(f"{name}_{lane}" for lane in range(1, lanes))]


def keep_names(lanes: int) -> list[str]:
    """Names of the bits that tell which lanes hold an element: `keep_1`, `keep_2`, …; lane 0 always does."""
    return each_lane("keep", lanes)[1:]


def _lane_fields(name: str, shape: ShapeLike, lanes: int) -> dict[str, ShapeLike]:
    return {**dict.fromkeys(each_lane(name, lanes), shape), **dict.fromkeys(keep_names(lanes), 1)}


def _sideband_fields(config: Config) -> dict[str, ShapeLike]:
    return {
        name: unsigned(field.width)
        for field in sidebands(config)
        for name in each_lane(field.name, field.copies(config))
    }


def score_layout(config: Config) -> data.StructLayout:
    """One input beat: a score code per lane, whether the beat is the vector's last, and the sideband fields.

    A vector's last beat holds scores in the lanes up to the first whose `keep` is 0. Every other beat holds a score in
    every lane. Where `Config.reads_tkeep` holds, a beat with `null` 1 holds no score, and `gap` tells that s_axis_tkeep
    excludes bytes below others; both may stay 0. Behind the stage `null_beats` no beat is null, `keep` of a beat before the
    last one has no meaning, that of the last one is 0 above a 0, and `gap` is that of all beats of the vector so far.
    """
    shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
    edges = {"null": 1, "gap": 1} if config.reads_tkeep else {}
    scores = _lane_fields("score", shape, config.lanes)
    return data.StructLayout({**scores, "last": 1, **_sideband_fields(config), **edges})


def framed_layout(config: Config) -> data.StructLayout:
    """One beat after framing: a position per lane, index, edges, the flag, the sideband fields.

    `Settings.position` defines a position. A lane whose `keep` is 0 has position 0, `mask` 1 where there are masks, and no lane
    with `keep` 1 above it.
    """
    return data.StructLayout(
        {
            **_lane_fields("position", config.score_width, config.lanes),
            "index": config.beat_width,
            "first": 1,
            "last": 1,
            "overlong": 1,
            **_sideband_fields(config),
        }
    )


def output_layout(config: Config, output: Output) -> data.StructLayout:
    """One output beat: its fields, per lane where per element, `last` in an output of elements, its flags.

    `keep` is that of the beat of scores. A lane without an element carries any value.
    """
    lanes = output.lanes(config)
    shapes = {field.name: signed(field.width) if field.signed else unsigned(field.width) for field in output.fields}
    fields = {name: shape for field, shape in shapes.items() for name in each_lane(field, lanes)}
    keeps = dict.fromkeys(keep_names(lanes), 1)
    last = {} if output.per == "vector" else {"last": 1}
    return data.StructLayout({**fields, **keeps, **last, **dict.fromkeys(output.user, 1)})


def winner_layout(config: Config) -> data.StructLayout:
    """One beat per vector: index of the winner, its score code, and the vector's flags."""
    return output_layout(config, winner_output(config, "m_axis", "o"))


def probability_layout(config: Config) -> data.StructLayout:
    """One beat of the first output, in softmax or sigmoid mode: a probability code per lane, `last`, and the flags."""
    return output_layout(config, outputs(config)[0])


def guarded_layout(config: Config, inner: Config) -> data.StructLayout:
    """One beat between the post stages: codes of the `inner` configuration, flags of `config`."""
    (inner_output, *_), (output, *_) = outputs(inner), outputs(config)
    return output_layout(config, replace(output, fields=inner_output.fields))


def pulse(shape: ShapeLike) -> stream.Signature:
    """A stream without back-pressure: its sink takes a payload in every cycle in which it is valid."""
    return stream.Signature(shape, always_ready=True)
