"""The link's traffic for a vector, from the golden model: payloads of RUN, and the frames of a result."""

import numpy as np

from softstream.boards.link.protocol import (
    PAYLOAD_BYTES,
    Type,
    beat_bytes,
    element_bytes,
    element_output,
    flags,
    one_lane,
    vector_output,
)
from softstream.hw.config.config import Config
from softstream.hw.plan.ports import sidebands
from softstream.sim.beats import due_beats

__all__ = ["elements_of", "result_frames", "run_payloads"]


def run_payloads(config: Config, vector: np.ndarray, sideband: dict[str, np.ndarray]) -> list[bytes]:
    """Payloads of the RUN frames of one vector [N], with its sideband, [1, N] and [1]."""
    size, wire = element_bytes(config), b""
    score = 1 if config.score_width <= 8 else 2
    for place, code in enumerate(vector):
        user = low = 0
        for field in sidebands(config):
            value = sideband[field.array][0]
            user |= int(value[place] if field.per == "element" else value) << low
            low += field.width
        wire += int(code % 256**score).to_bytes(score, "little") + user.to_bytes(size - score, "little")
    most = PAYLOAD_BYTES // size * size
    return [wire[start : start + most] for start in range(0, len(wire), most)]


def elements_of(config: Config, wire: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(scores [1, N], sideband) of the payloads of a vector."""
    size, width = element_bytes(config), config.score_width
    rows = np.frombuffer(wire, np.uint8).reshape(-1, size).astype(np.int64)
    words = (rows << 8 * np.arange(size)).sum(axis=1)
    scores, words = words & ((1 << width) - 1), words >> (8 if width <= 8 else 16)
    if config.score_signed:
        scores -= scores >> (width - 1) << width
    sideband = {}
    for field in sidebands(config):
        values, words = words & ((1 << field.width) - 1), words >> field.width
        sideband[field.array] = values[None] if field.per == "element" else values[:1]
    return scores[None], sideband


def result_frames(config: Config, model, length: int, mask: np.ndarray | None, cycles: int) -> list[tuple[Type, bytes]]:
    """Type and payload of each frame of the result of one vector, packet of groups or ensemble.

    `length` and `mask` [1, N] are those of the vector, or of an ensemble's first member.
    """
    due = due_beats(one_lane(config), model, np.full(config.ensemble, length), mask)
    bodies: list[list[bytes]] = []
    if (output := element_output(config)) is not None:
        size = beat_bytes(output)
        bodies.append([])
        for word, last, user in due[output.prefix]:
            bodies[-1].append(word.to_bytes(size, "little"))
            if not last and output.ends and user >> len(output.flags):
                bodies.append([])
        most = PAYLOAD_BYTES // size * size
    trailer = vector_output(config)
    ends = due[trailer.prefix] if trailer is not None else [None] * len(bodies)
    frames = []
    for number, end in enumerate(ends):
        if output is not None:
            body = b"".join(bodies[number])
            frames += [(Type.RESULT, body[start : start + most]) for start in range(0, len(body), most)]
        values = b"" if end is None else end[0].to_bytes(beat_bytes(trailer), "little")
        flag_bits = sum(int(np.ravel(model[flag.array])[number]) << bit for bit, flag in enumerate(flags(config)))
        frames.append((Type.RESULT_END, values + bytes([flag_bits]) + cycles.to_bytes(3, "little")))
    return frames
