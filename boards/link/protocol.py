"""The protocol between a host and a board: frames, their bytes on the wire, and their payloads. README.md describes it.

    frame   = type, sequence, acknowledge, payload (0 to 60 bytes), CRC-16 (low byte first)
    on wire = COBS(frame), 0x00

Both sides take their constants from here. The module needs neither Amaranth nor a serial port, and the package cobs only for
frames: what fits on a board is also known where it is not installed.
"""

import binascii
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES as MODE_TRAITS
from softstream.hw.plan.ports import Field, Output, byte_bits, outputs, sidebands

__all__ = [
    "BOARD_WINDOW",
    "CLOCK_HZ",
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
    "arrival_delay",
    "beat_bytes",
    "vector_output",
    "crc16",
    "element_bytes",
    "element_output",
    "encode",
    "flags",
    "one_lane",
    "score_bytes",
    "field_values",
]

MAGIC = b"sfst"
VERSION = 3
MODES: tuple[str, ...] = tuple(MODE_TRAITS)
"""The modes in the order of their numbers in INFO."""

PAYLOAD_BYTES = 60
"""Most bytes of a payload. No element is split between two frames."""
HEADER_BYTES = 3
CRC_BYTES = 2
HOST_WINDOW = 4
"""RUN frames that the host may send ahead of the board's credits: the board's memory of 256 bytes holds them."""
BOARD_WINDOW = 16
"""RESULT frames that the board may send ahead of the host's credits: 1088 bytes, a quarter of a tty's buffer."""
MOST_WINDOW = 127
"""Most that a window may be: a frame counts modulo 256, so a larger one could not be told from a smaller."""
CLOCK_HZ = (1_000, 1_000_000_000)
"""Least and most clock of a board, in hertz."""


class Type(IntEnum):
    """Type of a frame. The host sends INFO, RUN, RUN_END and ACK; the board INFO, RESULT, RESULT_END, ERROR and ACK."""

    INFO = 1
    """From the host: reset. From the board, with the same sequence number: its description."""
    RUN = 2
    """Scores of a vector, with their sideband; the vector continues in the next frame."""
    RUN_END = 3
    """Scores up to the end of a vector, with their sideband."""
    RESULT = 4
    """Beats of the output with one beat per element. Every frame of a vector but the last is full."""
    RESULT_END = 5
    """The trailer of a vector: the beat of the output with one beat per vector, the flags, the cycles."""
    ERROR = 6
    """One byte: a `Fault`. The board ignores everything but INFO from now on."""
    ACK = 7
    """No payload: the frame carries the acknowledge field alone."""


class Fault(IntEnum):
    """Why the board refused a frame."""

    CORRUPT = 1
    """The CRC, the framing or a stop bit was wrong."""
    SEQUENCE = 2
    """The sequence number was not the next one: a frame is missing."""
    LENGTH = 3
    """The payload was empty, too long, or did not hold whole elements."""
    OVERFLOW = 4
    """The host sent more frames than the window allows."""
    TYPE = 5
    """The type was none that a host sends."""


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc16(data: bytes) -> int:
    """CRC-16/IBM-SDLC: polynomial 0x1021, from 0xFFFF, inverted at the end, the lowest bit of each byte first.

    A UART sends the bits in this order, so the board needs no more than a shift register. The inversion detects zeros that were
    added at the end, for instance by a doubled last byte of the wire.
    """
    # The library has the same CRC with the bits of every byte and of the result in reverse order.
    high, low = (binascii.crc_hqx(data.translate(_MIRRORED), 0xFFFF) ^ 0xFFFF).to_bytes(2, "big")
    return _MIRRORED[low] << 8 | _MIRRORED[high]


_LONGEST_WIRE = 256
"""Bytes without a delimiter that the decoder keeps. No frame is that long, so longer ones need not be kept whole."""


@dataclass(frozen=True)
class Frame:
    """One intact frame."""

    type: int
    sequence: int
    acknowledge: int
    """Data frames (RUN, RESULT) of the other side that the sender has consumed since INFO, modulo 256."""
    payload: bytes = b""


@dataclass(frozen=True)
class Corrupt:
    """Bytes between two delimiters that form no frame."""

    reason: str


def encode(frame: Frame) -> bytes:
    """The bytes on the wire, delimiter included. Raises `ValueError` for a payload of more than `PAYLOAD_BYTES`."""
    if len(frame.payload) > PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(frame.payload)} bytes: at most {PAYLOAD_BYTES}")
    body = bytes((frame.type, frame.sequence & 0xFF, frame.acknowledge & 0xFF)) + frame.payload
    from cobs import cobs

    return cobs.encode(body + crc16(body).to_bytes(CRC_BYTES, "little")) + b"\0"


class Decoder:
    """Bytes from the wire, in pieces of any size, to frames. Memory: `_LONGEST_WIRE` bytes and the piece at hand."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame | Corrupt]:
        """The frames that `data` completes, in order. A second delimiter behind a frame means nothing."""
        *whole, rest = data.split(b"\0")
        for piece in whole:
            wire = bytes(self._held) + piece
            self._held.clear()
            if wire:
                yield _decoded(wire)
        self._held += rest
        del self._held[_LONGEST_WIRE:]

    def clear(self) -> None:
        """Drops the beginning of a frame."""
        self._held.clear()


def _decoded(wire: bytes) -> Frame | Corrupt:
    from cobs import cobs

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
    return byte_bits(config.score_width) // 8


def element_bytes(config: Config) -> int:
    """Bytes of one element in RUN: its score, then its sideband (the bits of s_axis_tuser) in whole bytes."""
    return score_bytes(config) + -(-sum(field.width for field in sidebands(config)) // 8)


def one_lane(config: Config) -> Config:
    """The configuration whose layouts have one element in a beat: those of the link's own streams."""
    return config.replace(lanes=1)


def arrival_delay(config: Config, length: int) -> int:
    """Cycles by which the last beat of a vector reaches the head later, after its first one, than with a beat in every cycle.

    The link delivers a byte in each cycle.
    """
    return (length - min(config.lanes, length)) * element_bytes(config) - (config.beats(length) - 1)


def link_supports(config: Config) -> bool:
    """Whether a link can serve a head: it needs a result of each vector that tells its end."""
    return not config.drops_winner


def element_output(config: Config) -> Output | None:
    """The output whose beats RESULT carries: one beat per element, or per element of the Top-K list."""
    return next((output for output in outputs(config) if output.per in ("element", "rank")), None)


def vector_output(config: Config) -> Output | None:
    """The output whose beat RESULT_END carries: one beat per vector, or per group of a packet."""
    return next((output for output in outputs(config) if output.per in ("vector", "group")), None)


def flags(config: Config) -> tuple[Field, ...]:
    """The flags in RESULT_END, lowest first."""
    return next(output for output in (vector_output(config), element_output(config)) if output is not None).flags


def beat_bytes(output: Output | None) -> int:
    """Bytes of an output's beat: each field in as few bytes as hold it, low byte first, like its tdata."""
    return 0 if output is None else sum(byte_bits(field.width) for field in output.fields) // 8


def field_values(output: Output, data: bytes) -> list[np.ndarray]:
    """The values of an output's fields, int64 [beats] each, from the bytes of its beats."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, beat_bytes(output)).astype(np.int64)
    columns = []
    for field in output.fields:
        size = byte_bits(field.width) // 8
        value, rows = (rows[:, :size] << 8 * np.arange(size)).sum(axis=1), rows[:, size:]
        columns.append(value - (value >> (8 * size - 1) << 8 * size) if field.signed else value)
    return columns


_INFO = struct.Struct("<4sB32s5BIIBBB")


@dataclass(frozen=True)
class Info:
    """The payload of a board's INFO: its configuration, its clock and its limits."""

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
        """The INFO of a board with this configuration and clock."""
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
        """Reads a payload. Raises `ValueError`, in words, for another protocol or version, and for limits out of range."""
        if payload[: len(MAGIC)] != MAGIC:
            raise ValueError(f"it says {payload[: len(MAGIC)]!r} where a softstream board says {MAGIC!r}")
        version = payload[len(MAGIC)] if len(payload) > len(MAGIC) else 0
        if version != VERSION:
            raise ValueError(f"it speaks version {version} of the protocol, this program version {VERSION}")
        if len(payload) != _INFO.size:
            raise ValueError(f"its INFO has {len(payload)} bytes instead of {_INFO.size}")
        _, version, digest, number, *formats, max_length, clock_hz, size, host, board = _INFO.unpack(payload)
        for what, value, (least, most) in (
            ("clock in hertz", clock_hz, CLOCK_HZ),
            ("most bytes of a payload", size, (1, PAYLOAD_BYTES)),
            ("window of the host", host, (1, MOST_WINDOW)),
            ("window of the board", board, (1, MOST_WINDOW)),
        ):
            if not least <= value <= most:
                raise ValueError(f"its INFO has {value} as {what}, must be {least} to {most}")
        width, signed, fraction, integer = formats
        mode = MODES[number] if number < len(MODES) else f"mode {number}"
        return cls(
            version, digest.hex(), mode, width, bool(signed), fraction, integer, max_length, clock_hz, size, host, board
        )

    def check(self, config: Config) -> None:
        """Raises `ValueError`, in words, where a field differs from the configuration whose digest it gives."""
        expected = Info.of(config, self.clock_hz)
        for name in (
            "mode",
            "score_width",
            "score_signed",
            "probability_width",
            "probability_integer_bits",
            "max_length",
        ):
            value, own = getattr(self, name), getattr(expected, name)
            if value != own:
                raise ValueError(f"its INFO has {name} = {value}, the configuration of its digest has {own}")
        if self.payload_bytes < element_bytes(config):
            raise ValueError(
                f"its INFO has {self.payload_bytes} as most bytes of a payload, one element has {element_bytes(config)}"
            )


_CYCLES_BYTES = 3


@dataclass(frozen=True)
class Trailer:
    """The payload of RESULT_END."""

    values: tuple[int, ...]
    """Values of the fields of `vector_output`; none for a mode without it."""
    flags: int
    """One bit for each of `flags`, the first one lowest."""
    cycles: int
    """Clock cycles from the transfer of a vector's first score to the cycle in which the head offers its first result. They are
    exact for a vector that one frame held and that was alone in the head."""

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
