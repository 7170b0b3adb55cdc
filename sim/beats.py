"""Vectors of scores as beats of the streams, and the beats that the golden model demands."""

from collections.abc import Mapping, Sequence

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import Output, byte_bits, outputs, sidebands

__all__ = [
    "Beat",
    "due_beats",
    "pad_vectors",
    "score_beats",
    "score_fields",
    "unpack",
    "with_null_beats",
]

Beat = tuple[int, ...]
"""One beat, a number for each signal that `ports.stream_fields` names: (tdata, tlast, tuser) of an output, (tdata, tlast)
of the input, and behind tdata tkeep where the stream has one. tlast of the input comes last."""


def pad_vectors(vectors: Sequence[np.ndarray], fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of any lengths as (scores [V, N], lengths [V]), N the longest length, filled up with `fill`."""
    lengths = np.array([len(vector) for vector in vectors], dtype=np.int64)
    scores = np.full((len(vectors), int(lengths.max())), fill, dtype=np.int64)
    for row, vector in zip(scores, vectors, strict=True):
        row[: len(vector)] = vector
    return scores, lengths


def score_fields(config: Config, scores: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Score codes as fields of s_axis_tdata: sign- or zero-extended, or with random upper bits (which are ignored)."""
    bits = byte_bits(config.score_width)
    fields = np.asarray(scores, dtype=np.int64) & ((1 << bits) - 1)
    if rng is not None and bits > config.score_width:
        fields &= (1 << config.score_width) - 1
        fields |= rng.integers(0, 1 << (bits - config.score_width), fields.shape) << config.score_width
    return fields


def score_beats(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray,
    rng: np.random.Generator | None = None,
    sideband: Mapping[str, np.ndarray] | None = None,
) -> list[Beat]:
    """Vectors [V, N] of lengths [V] as beats of s_axis: (tdata, tlast), where it has tkeep that behind tdata, and before
    tlast tuser where the scores have a `sideband`, in arrays [V, N] and [V].

    Lanes beyond a vector's end hold the largest code. With `rng`, everything that is ignored is random: those lanes, and the
    upper bits of fields.
    """
    lanes, field_bytes = config.lanes, byte_bits(config.score_width) // 8
    blocks, held = _blocks(lanes, scores, lengths, config.score_format.maximum)
    count, last = held.T
    if rng is not None:
        free = np.arange(lanes) >= count[:, None]
        codes = rng.integers(config.score_format.minimum, config.score_format.maximum, blocks.shape, endpoint=True)
        blocks = np.where(free, codes, blocks)
    words = _words(score_fields(config, blocks, rng), [field_bytes] * lanes)
    columns: list[list[int]] = [words, last.tolist()]
    if sideband:
        columns.insert(1, _user(config, sideband, lengths, rng).tolist())
    if not config.reads_tkeep:
        return list(zip(*columns, strict=True))
    keep = np.repeat(np.arange(lanes) < count[:, None], field_bytes, axis=1)
    columns.insert(1, _keep_words(keep))
    return list(zip(*columns, strict=True))


def with_null_beats(config: Config, beats: Sequence[Beat], rng: np.random.Generator) -> list[Beat]:
    """The same vectors in beats of s_axis with tkeep: a third of them followed by null beats, which hold random data.

    Half of the null beats behind a vector's last beat take its tlast over; the others are a packet without elements.
    Where s_axis has no tkeep, the beats stay as they are.
    """
    if not config.reads_tkeep:
        return list(beats)
    bits, user_bits = (
        config.lanes * byte_bits(config.score_width),
        sum(field.width * field.copies(config) for field in sidebands(config)),
    )

    def null_beat(last: int) -> Beat:
        data = int.from_bytes(rng.bytes(bits // 8), "little")
        user = [int(rng.integers(0, 1 << user_bits))] if user_bits else []
        return (data, 0, *user, last)

    spread: list[Beat] = []
    for beat in beats:
        if rng.random() >= 1 / 3:
            spread.append(beat)
            continue
        last = beat[-1]
        takes_over = last and rng.random() < 0.5
        spread += [(*beat[:-1], 0) if takes_over else beat, *(null_beat(0) for _ in range(rng.integers(0, 3)))]
        spread.append(null_beat(last))
    return spread


def _user(
    config: Config, sideband: Mapping[str, np.ndarray], lengths: np.ndarray, rng: np.random.Generator | None
) -> np.ndarray:
    """tuser of every beat; what belongs to a vector is in its first beat, and elsewhere 0 or random, as behind its end."""
    count = config.beats(lengths)
    index = np.arange(count.max())
    present = index < count[:, None]
    words, low = np.zeros(int(count.sum()), dtype=np.int64), 0
    for field in sidebands(config):
        values = sideband[field.array]
        if field.per == "vector":
            junk = 0 if rng is None else rng.integers(0, 1 << field.width, present.shape)
            columns = np.where(index == 0, values[:, None], junk)[present][:, None]
        else:
            columns, held = _blocks(config.lanes, values[:, : lengths.max()], lengths, 0)
            if rng is not None:
                junk = rng.integers(0, 1 << field.width, columns.shape)
                columns = np.where(np.arange(config.lanes) < held[:, :1], columns, junk)
        for column in columns.T:
            words |= column << low
            low += field.width
    return words


def _blocks(lanes: int, values: np.ndarray, lengths: np.ndarray, fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Values [V, N] of lengths [V] as beats of all vectors, [beats, lanes], and for each (lanes held, 1 for the last)."""
    beats = -(-values.shape[1] // lanes)
    padded = np.full((len(values), beats * lanes), fill, dtype=np.int64)
    padded[:, : values.shape[1]] = np.where(np.arange(values.shape[1]) < lengths[:, None], values, fill)
    count = np.clip(lengths[:, None] - lanes * np.arange(beats), 0, lanes)
    present = count > 0
    last = np.arange(beats) == (-(-lengths // lanes) - 1)[:, None]
    return padded.reshape(len(values), beats, lanes)[present], np.stack([count[present], last[present]], axis=1)


def _words(fields: np.ndarray, sizes: Sequence[int]) -> list[int]:
    """Fields [beats, fields] of these sizes in bytes as one integer per beat, the first lowest."""
    wide = np.ascontiguousarray(fields, dtype="<u8").view(np.uint8).reshape(*fields.shape, 8)
    size = sum(sizes)
    raw = wide[:, np.arange(8) < np.asarray(sizes)[:, None]].tobytes()
    return [int.from_bytes(raw[at : at + size], "little") for at in range(0, len(raw), size)]


def _keep_words(keep: np.ndarray) -> list[int]:
    """Bits [beats, bytes] as one integer per beat."""
    packed = np.packbits(keep.astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _fields(output: Output, result: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays of an output's fields, as they are in tdata: sign- or zero-extended to whole bytes."""
    return [np.asarray(result[field.array], dtype=np.int64) & ((1 << field.bits) - 1) for field in output.fields]


def due_beats(
    config: Config, result: Mapping[str, np.ndarray], lengths: np.ndarray, mask: np.ndarray | None = None
) -> dict[str, list[Beat]]:
    """The beats that every output stream must carry for a result of the golden model, in order."""
    if config.groups:
        return _grouped_beats(config, result, np.asarray(lengths), mask)
    due: dict[str, list[Beat]] = {}
    cut = np.minimum(np.asarray(lengths), config.max_length)
    for output in outputs(config):
        sizes = [field.bits // 8 for field in output.fields]
        flags = sum(np.asarray(result[flag.array], dtype=np.int64) << bit for bit, flag in enumerate(output.flags))
        beats = output.beats(config, cut, mask)
        repeated = np.repeat(flags, beats)
        if output.flags_at_last:
            repeated *= np.isin(np.arange(len(repeated)), np.cumsum(beats) - 1)
        user = repeated.tolist()
        if output.per == "vector":
            words = _words(np.stack(_fields(output, result), axis=1), sizes)
            due[output.prefix] = [(word, 1, flag) for word, flag in zip(words, user, strict=True)]
            continue
        # What a lane without an element holds is not compared: 0 stands for it.
        lanes = output.lanes(config)
        places = output.places(config, cut, mask)
        blocks, held = zip(*(_blocks(lanes, values, places, 0) for values in _fields(output, result)), strict=True)
        words = _words(np.stack(blocks, axis=2).reshape(len(blocks[0]), -1), sizes * lanes)
        last = held[0][:, 1].tolist()
        if lanes == 1:
            due[output.prefix] = list(zip(words, last, user, strict=True))
        else:
            keep = _keep_words(np.repeat(np.arange(lanes) < held[0][:, :1], sum(sizes), axis=1))
            due[output.prefix] = list(zip(words, keep, last, user, strict=True))
    return due


def _grouped_beats(
    config: Config, result: Mapping[str, np.ndarray], lengths: np.ndarray, mask: np.ndarray | None
) -> dict[str, list[Beat]]:
    """The beats of the groups as vectors, with the packets' ends in tlast, and the groups' ends in tuser."""
    groups, vectors = Grouping(config.groups, lengths), config.replace(groups=[])
    arrays = {"overlong": ~groups.complete}  # whose place the flag has
    for output in outputs(config):
        for field in (*output.fields, *output.flags):
            values = result[field.array]
            of_elements = output.per == "element" and field in output.fields
            arrays[field.array] = groups.split(values) if of_elements else groups.split_groups(values)
    due = due_beats(vectors, arrays, groups.lengths, None if mask is None else groups.split(mask))
    for output, inner in zip(outputs(config), outputs(vectors), strict=True):
        beats = inner.beats(vectors, groups.lengths)
        place = np.arange(beats.sum()) - np.repeat(np.cumsum(beats) - beats, beats)
        ends = place == np.repeat(beats - 1, beats)
        final = ends & np.repeat(groups.final, beats)
        user = ends * (int(output.ends) << len(output.flags))
        due[output.prefix] = [
            (*beat[:-2], int(packet), (beat[-1] if group else 0) | end)
            for beat, group, packet, end in zip(
                due[output.prefix], ends.tolist(), final.tolist(), user.tolist(), strict=True
            )
        ]
    return due


def unpack(output: Output, words: Sequence[int], lanes: int = 1) -> list[np.ndarray]:
    """Words of an output's tdata as the values of its fields, each int64 [beats, lanes]."""
    sizes = [field.bits // 8 for field in output.fields]
    raw = b"".join(word.to_bytes(lanes * sum(sizes), "little") for word in words)
    rows = np.frombuffer(raw, dtype=np.uint8).reshape(len(words), lanes, sum(sizes)).astype(np.int64)
    values = []
    for field, size in zip(output.fields, sizes, strict=True):
        value = (rows[:, :, :size] << 8 * np.arange(size)).sum(axis=2)
        rows = rows[:, :, size:]
        values.append(value - (value >> (8 * size - 1) << 8 * size) if field.signed else value)
    return values
