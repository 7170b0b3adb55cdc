"""The link between a host and a board: frames, their bytes on the wire, and what they carry. The page is README.md.

    frame   = type, sequence, acknowledge, payload (0 to 60 bytes), CRC-16 (low byte first)
    on wire = COBS(frame), 0x00

Both sides read their constants here; nothing here knows of Amaranth or of a serial port.
"""

import binascii
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from cobs import cobs

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES as MODE_TRAITS
from softstream.hw.plan.ports import Field, Output, byte_bits, outputs, sidebands

__all__ = [
    "BOARD_WINDOW",
    "HEADER_BYTES",
    "HOST_WINDOW",
    "MAGIC",
    "MODES",
    "PAYLOAD_BYTES",
    "VERSION",
    "Corrupt",
    "Decoder",
    "Fault",
    "Frame",
    "Info",
    "Trailer",
    "Type",
    "beat_bytes",
    "vector_output",
    "crc16",
    "element_bytes",
    "element_output",
    "encode",
    "flags",
    "score_bytes",
    "field_values",
]

MAGIC = b"sfst"
VERSION = 3
MODES: tuple[str, ...] = tuple(MODE_TRAITS)
"""What a board's link carries, in the order of their numbers in INFO."""


PAYLOAD_BYTES = 60
"""Most bytes of a payload. No element is ever split between two frames."""
HEADER_BYTES = 3
CRC_BYTES = 2
HOST_WINDOW = 4
"""RUN frames that may be on their way to the board, not yet acknowledged: all of them fit into its memory of 256 bytes."""
BOARD_WINDOW = 16
"""RESULT frames that may be on their way to the host, not yet acknowledged: 1088 bytes, a quarter of a tty's buffer."""


class Type(IntEnum):
    """What a frame is. The host sends INFO, RUN, RUN_END and ACK; the board INFO, RESULT, RESULT_END, ERROR and ACK."""

    INFO = 1
    """From the host: begin anew, whatever was before. From the board, with the same sequence number: what it is."""
    RUN = 2
    """Scores of a vector that goes on in the next frame, and what comes beside them."""
    RUN_END = 3
    """Scores to the end of a vector."""
    RESULT = 4
    """Elements of a vector's result."""
    RESULT_END = 5
    """The trailer of a vector: what there is once for it, its flags, its cycles. Nothing more comes of it."""
    ERROR = 6
    """One byte: a `Fault`. The board takes nothing but INFO from now on."""
    ACK = 7
    """No payload: its acknowledge field is all it says."""


class Fault(IntEnum):
    """Why the board refused a frame."""

    CORRUPT = 1
    """The check sum, the framing or a stop bit was wrong."""
    SEQUENCE = 2
    """A frame is missing before this one."""
    LENGTH = 3
    """A payload that is empty, too long, or not whole elements."""
    OVERFLOW = 4
    """More frames than the window allows."""
    TYPE = 5
    """A type that a host does not send."""


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc16(data: bytes) -> int:
    """CRC-16/IBM-SDLC: polynomial 0x1021, from 0xFFFF, inverted at the end, the lowest bit of each byte first.

    That is the order in which a UART sends them, so the board needs no more than a shift register. The inversion is what
    shows zeros that were added at the end, such as a doubled last byte of the wire.
    """
    # The library's is the same with the bits of every byte, and of the result, the other way round.
    high, low = (binascii.crc_hqx(data.translate(_MIRRORED), 0xFFFF) ^ 0xFFFF).to_bytes(2, "big")
    return _MIRRORED[low] << 8 | _MIRRORED[high]


_LONGEST_HELD = 256


@dataclass(frozen=True)
class Frame:
    """One frame that arrived intact."""

    type: int
    sequence: int
    acknowledge: int
    """Data frames (RUN, RESULT) of the other side that were taken since INFO, modulo 256."""
    payload: bytes = b""


@dataclass(frozen=True)
class Corrupt:
    """Bytes between two delimiters that are no frame."""

    reason: str


def encode(frame: Frame) -> bytes:
    """The bytes on the wire, delimiter included."""
    if len(frame.payload) > PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(frame.payload)} bytes: at most {PAYLOAD_BYTES}")
    body = bytes((frame.type, frame.sequence & 0xFF, frame.acknowledge & 0xFF)) + frame.payload
    return cobs.encode(body + crc16(body).to_bytes(CRC_BYTES, "little")) + b"\0"


class Decoder:
    """Bytes from the wire, in pieces of any size, to frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame | Corrupt]:
        """The frames that `data` completes, in order; an empty one (a delimiter more) is none."""
        *whole, rest = data.split(b"\0")
        for piece in whole:
            wire = bytes(self._held) + piece
            self._held.clear()
            if wire:
                yield _decoded(wire)
        self._held += rest
        # No frame is that long: what goes on without a delimiter is remembered as broken, not byte by byte.
        del self._held[_LONGEST_HELD:]

    def clear(self) -> None:
        """Forgets the beginning of a frame."""
        self._held.clear()


def _decoded(wire: bytes) -> Frame | Corrupt:
    try:
        body = cobs.decode(wire)
    except cobs.DecodeError:
        return Corrupt("its framing is broken")
    if len(body) < HEADER_BYTES + CRC_BYTES or len(body) > HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES:
        return Corrupt(f"it has {len(body)} bytes")
    if crc16(body[:-CRC_BYTES]) != int.from_bytes(body[-CRC_BYTES:], "little"):
        return Corrupt("its check sum is wrong")
    return Frame(body[0], body[1], body[2], body[HEADER_BYTES:-CRC_BYTES])


# Payloads -------------------------------------------------------------------------------------------------------------


def score_bytes(config: Config) -> int:
    """Bytes of one score in RUN, low byte first."""
    return 1 if config.score_width <= 8 else 2


def element_bytes(config: Config) -> int:
    """Bytes of one element in RUN: its score, and behind it what comes beside it, the bits of s_axis_tuser in whole bytes."""
    return score_bytes(config) + -(-sum(field.width for field in sidebands(config)) // 8)


def link_supports(config: Config) -> bool:
    """Whether a link carries it: scores come one at a time, and each vector has one result."""
    return config.lanes == 1 and config.ensemble == 1 and not config.groups


def element_output(config: Config) -> Output | None:
    """The output whose beats RESULT carries: one for each element, or for each of the K largest."""
    return next((output for output in outputs(config) if output.per != "vector"), None)


def vector_output(config: Config) -> Output | None:
    """The output whose beat RESULT_END carries: one for each vector."""
    return next((output for output in outputs(config) if output.per == "vector"), None)


def flags(config: Config) -> tuple[Field, ...]:
    """The flags in RESULT_END, lowest first."""
    return next(output for output in (vector_output(config), element_output(config)) if output is not None).flags


def beat_bytes(output: Output | None) -> int:
    """Bytes of a beat of an output: those of its tdata, each field in as few as hold it, low byte first."""
    return 0 if output is None else sum(byte_bits(field.width) for field in output.fields) // 8


def field_values(output: Output, data: bytes) -> list[np.ndarray]:
    """The values of an output's fields, int64 [beats] each, from the bytes of its beats."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, beat_bytes(output)).astype(np.int64)
    found = []
    for field in output.fields:
        size = byte_bits(field.width) // 8
        value, rows = (rows[:, :size] << 8 * np.arange(size)).sum(axis=1), rows[:, size:]
        found.append(value - (value >> (8 * size - 1) << 8 * size) if field.signed else value)
    return found


_INFO = struct.Struct("<4sB32s5BIIBBB")


@dataclass(frozen=True)
class Info:
    """The payload of a board's INFO: what it is made of and how fast it runs."""

    version: int
    digest: str
    """Digest of the configuration that the board was built from, 64 hexadecimal digits."""
    mode: str
    score_width: int
    score_signed: bool
    probability_width: int
    probability_integer_bits: int
    """0 for UQ0.P, 1 for UQ1.P."""
    max_length: int
    clock_hz: int
    payload_bytes: int = PAYLOAD_BYTES
    host_window: int = HOST_WINDOW
    board_window: int = BOARD_WINDOW

    @classmethod
    def of(cls, config: Config, clock_hz: float) -> "Info":
        """What a board with this configuration and clock says."""
        return cls(
            version=VERSION,
            digest=config.digest,
            mode=config.mode,
            score_width=config.score_width,
            score_signed=config.score_signed,
            probability_width=config.probability_width,
            probability_integer_bits=config.probability_qformat.width - config.probability_width,
            max_length=config.max_length,
            clock_hz=round(clock_hz),
        )

    def to_bytes(self) -> bytes:
        """The payload."""
        return _INFO.pack(
            MAGIC,
            self.version,
            bytes.fromhex(self.digest),
            MODES.index(self.mode),
            self.score_width,
            self.score_signed,
            self.probability_width,
            self.probability_integer_bits,
            self.max_length,
            self.clock_hz,
            self.payload_bytes,
            self.host_window,
            self.board_window,
        )

    @classmethod
    def from_bytes(cls, payload: bytes) -> "Info":
        """Reads a payload. Raises `ValueError`, in words, where it is none of this protocol and version."""
        if payload[: len(MAGIC)] != MAGIC:
            raise ValueError(f"it says {payload[: len(MAGIC)]!r} where a softstream board says {MAGIC!r}")
        version = payload[len(MAGIC)] if len(payload) > len(MAGIC) else 0
        if version != VERSION:
            raise ValueError(f"it speaks version {version} of the protocol, this program version {VERSION}")
        if len(payload) != _INFO.size:
            raise ValueError(f"its INFO has {len(payload)} bytes instead of {_INFO.size}")
        _, version, digest, number, *formats, max_length, clock_hz, size, host, board = _INFO.unpack(payload)
        width, signed, fraction, integer = formats
        mode = MODES[number] if number < len(MODES) else f"mode {number}"
        return cls(
            version, digest.hex(), mode, width, bool(signed), fraction, integer, max_length, clock_hz, size, host, board
        )


_CYCLES_BYTES = 3


@dataclass(frozen=True)
class Trailer:
    """The payload of RESULT_END."""

    values: tuple[int, ...]
    """Of the fields of the output that has one beat for each vector; none where there is no such output."""
    flags: int
    """A bit for each of `flags`, the first one lowest."""
    cycles: int
    """Clock cycles from the transfer of a vector's first score to the cycle in which its first result is there; of this
    vector where one frame held it and it was alone in the head."""

    def to_bytes(self, config: Config) -> bytes:
        """The payload."""
        output = vector_output(config)
        parts = [
            value.to_bytes(byte_bits(field.width) // 8, "little", signed=field.signed)
            for value, field in zip(self.values, () if output is None else output.fields, strict=True)
        ]
        return b"".join([*parts, bytes([self.flags]), self.cycles.to_bytes(_CYCLES_BYTES, "little")])

    @classmethod
    def from_bytes(cls, config: Config, payload: bytes) -> "Trailer":
        """Reads a payload. Raises `ValueError` for another length."""
        output = vector_output(config)
        size = beat_bytes(output)
        if len(payload) != size + 1 + _CYCLES_BYTES:
            raise ValueError(f"a trailer of {len(payload)} bytes instead of {size + 1 + _CYCLES_BYTES}")
        values = [] if output is None else [int(value[0]) for value in field_values(output, payload[:size])]
        return cls(tuple(values), payload[size], int.from_bytes(payload[size + 1 :], "little"))
