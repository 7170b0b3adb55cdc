"""The host's side of the link: finds the port, shakes hands, sends scores, takes results. The protocol is in README.md.

    with open_link("auto", 115200) as link:
        link.handshake(config)
        answer = link.run(scores, lengths)     # the arrays of the golden model's result, and cycles

Every fault raises `LinkError` with one line; the next request begins with a handshake of its own and succeeds, unless the
fault is still there.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import serial
from serial.tools import list_ports

from softstream.boards.link.protocol import (
    Corrupt,
    Decoder,
    Fault,
    Frame,
    Info,
    Trailer,
    Type,
    beat_bytes,
    element_bytes,
    element_output,
    encode,
    field_values,
    flags,
    score_bytes,
    vector_output,
)
from softstream.hw.config.config import Config
from softstream.hw.errors import LinkError
from softstream.hw.plan.ports import sidebands

__all__ = ["DEFAULT_BAUD", "USB_IDS", "Answer", "Link", "find_port", "open_link"]

DEFAULT_BAUD = 115200
HANDSHAKES = 5
"""How often a handshake is tried: what an earlier program left on the line may swallow the first."""

USB_IDS: dict[tuple[int, int], str] = {
    (0x0403, 0x6010): "FTDI FT2232H (iCEBreaker, iCEstick, iCE40-HX8K, ECPIX-5, Arty, Nexys)",
    (0x0403, 0x6011): "FTDI FT4232H",
    (0x0403, 0x6014): "FTDI FT232H (UPduino)",
    (0x0403, 0x6015): "FTDI FT231X (ULX3S)",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x20B7, 0x9DB1): "DAPLink of the Colorlight extension board",
    (0x0D28, 0x0204): "DAPLink",
    (0x10C4, 0xEA60): "CP210x",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x5523): "CH341",
    (0x067B, 0x2303): "PL2303",
}
"""USB vendor and product to the bridge, and the boards that carry it."""

_FAULTS = {
    Fault.CORRUPT: "a frame arrived damaged at the board",
    Fault.SEQUENCE: "a frame was lost on the way to the board",
    Fault.LENGTH: "the board refused a frame's length",
    Fault.OVERFLOW: "the board had no room for a frame",
    Fault.TYPE: "the board does not know a frame's type",
}


@dataclass(frozen=True)
class Answer:
    """What a board gave for V vectors of at most N elements: as the golden model's result, and how long it took."""

    arrays: Mapping[str, np.ndarray]
    """Those of the golden model's result, by name: int64, flags bool."""
    cycles: np.ndarray
    """Clock cycles from a vector's first score to its first result, int64 [V]; true for a vector alone in the head."""
    seconds: float
    bytes_sent: int
    bytes_received: int

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


def find_port(ports: Iterator[Any] | None = None) -> str:
    """The one serial port whose USB ids are in `USB_IDS`; of a bridge with several channels the last, which is the UART.

    Raises `LinkError` where there is none, and where there are several boards.
    """
    found: dict[str, list[str]] = {}
    for port in sorted(list_ports.comports() if ports is None else ports, key=lambda port: port.device):
        if (port.vid, port.pid) in USB_IDS:
            key = f"{port.vid:04x}:{port.pid:04x} {port.serial_number or (port.location or port.device).partition(':')[0]}"
            found.setdefault(key, []).append(port.device)
    if not found:
        raise LinkError(
            "--port auto: no serial port with the USB ids of a known board; connect one, or name its port; "
            "for example --port /dev/ttyUSB1"
        )
    if len(found) > 1:
        some = ", ".join(devices[-1] for devices in found.values())
        raise LinkError(
            f"--port auto: {len(found)} boards are connected ({some}); name one; for example --port {some.split(',')[0]}"
        )
    return next(iter(found.values()))[-1]


def open_link(port: str = "auto", baud: int = DEFAULT_BAUD, *, timeout: float = 2.0) -> "Link":
    """The link at a serial port, exclusively. `timeout`: seconds without a sign of life after which the board is silent.

    Raises `LinkError` where the port is not there, may not be used, or is in use.
    """
    path = find_port() if port == "auto" else port
    try:
        line = serial.Serial(path, baud, timeout=0.02, write_timeout=timeout, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        raise LinkError(_opening(path, baud, error)) from None
    return Link(line, timeout=timeout)


def _opening(path: str, baud: int, error: Exception) -> str:
    if isinstance(error, ValueError):
        return f"--port {path}: does not take {baud} bit/s ({error}); for example --baud {DEFAULT_BAUD}"
    if not os.path.exists(path):
        there = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
        return f"--port {path}: there is no such port (serial ports here: {there}); for example --port auto"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"--port {path}: no permission; a udev rule with uaccess, or the group that owns the port, gives it"
    return f"--port {path}: cannot be opened ({error}); it must be a serial port that no other program uses"


class Link:
    """A conversation with one board over an open serial port. Not for use by several threads."""

    def __init__(self, line: serial.Serial, *, timeout: float = 2.0) -> None:
        self._line = line
        self._name = str(line.port)
        self._timeout = timeout
        self._decoder = Decoder()
        self._nonce = os.urandom(1)[0]
        self._sound = False  # a handshake was made and nothing has gone wrong since
        self._config: Config | None = None
        self._sent = self._received = 0  # data frames since INFO
        self._acknowledged = 0  # of those received, what the board was told
        self._taken = 0  # of those sent, what the board has taken
        self.info: Info | None = None
        self.bytes_sent = self.bytes_received = 0

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> str:
        """The serial port's path."""
        return self._name

    def close(self) -> None:
        """Gives the port back."""
        self._line.close()

    # Requests ---------------------------------------------------------------------------------------------------------

    def handshake(self, config: Config) -> Info:
        """Resets the link and the head, and makes sure that the board was built from this configuration.

        Raises `LinkError`: silence, something else than a softstream board, another version, another configuration.
        """
        self._config = config
        self._sound = False
        info = self._greet()
        if info.digest != config.digest:
            board = (
                f"{info.mode}, {info.score_width}-bit scores, max_length {info.max_length}, digest {info.digest[:12]}"
            )
            raise LinkError(
                f"{self._name}: the board holds another configuration ({board}) than the one given (digest "
                f"{config.digest[:12]}); give that one, or softstream build and softstream flash this one"
            )
        self.info = info
        self._sound = True
        return info

    def run(
        self,
        scores: np.ndarray,
        lengths: np.ndarray | None = None,
        progress: Callable[[float], None] | None = None,
        beside: Mapping[str, np.ndarray] | None = None,
    ) -> Answer:
        """Integer score codes [V, N] through the board; `lengths` [V] and `beside` as in the golden model, default all N.

        The handshake comes first where none was made or something went wrong since. Raises `LinkError` for every fault.
        """
        if self._config is None:
            raise LinkError(f"{self._name}: no handshake was made; call handshake(config) first")
        scores = np.asarray(scores)
        counts = np.full(len(scores), scores.shape[1]) if lengths is None else np.asarray(lengths)
        if not self._sound:
            self.handshake(self._config)
        self._sound = False
        begun, sent, received = time.monotonic(), self.bytes_sent, self.bytes_received
        rows = self._exchange(self._config, scores, counts, beside or {}, progress)
        self._sound = True
        return _answer(
            self._config,
            rows,
            scores.shape,
            time.monotonic() - begun,
            self.bytes_sent - sent,
            self.bytes_received - received,
        )

    def _greet(self) -> Info:
        """INFO, asked until it comes."""
        heard = False
        for _ in range(HANDSHAKES):
            self._nonce = (self._nonce + 1) & 0xFF
            self._decoder.clear()
            # The delimiter ends what an earlier program may have left half-way.
            self._write(b"\0" + encode(Frame(Type.INFO, self._nonce, 0)))
            deadline = time.monotonic() + self._timeout
            while time.monotonic() < deadline:
                for found in self._read():
                    heard = True
                    if isinstance(found, Frame) and (found.type, found.sequence) == (Type.INFO, self._nonce):
                        try:
                            info = Info.from_bytes(found.payload)
                        except ValueError as error:
                            raise LinkError(
                                f"{self._name}: {error}; flash the board with this program's build"
                            ) from None
                        self._sent = self._received = self._acknowledged = self._taken = 0
                        return info
        rate = self._line.baudrate
        if heard:
            raise LinkError(
                f"{self._name}: something answers, but no softstream board at {rate} bit/s; "
                "flash it, or give the rate that it was built for with --baud"
            )
        raise LinkError(
            f"{self._name}: no answer to {HANDSHAKES} handshakes in {HANDSHAKES * self._timeout:g} s at {rate} bit/s; "
            "is this the board's port, is it flashed, and for this rate?"
        )

    def _exchange(
        self,
        config: Config,
        scores: np.ndarray,
        counts: np.ndarray,
        beside: Mapping[str, np.ndarray],
        progress: Callable[[float], None] | None,
    ) -> list[tuple[bytes, Trailer]]:
        """Sends as the board has room, takes as it comes."""
        assert self.info is not None
        waiting = _requests(config, scores, counts, beside, self.info.payload_bytes)
        upcoming = next(waiting, None)
        output = element_output(config)
        beats = np.zeros_like(counts) if output is None else output.beats(config, counts, beside.get("mask"))
        due = deque((beats * beat_bytes(output)).tolist())
        rows: list[tuple[bytes, Trailer]] = []
        body = bytearray()
        deadline = time.monotonic() + self._timeout
        while due:
            while upcoming is not None and (self._sent - self._taken) & 0xFF < self.info.host_window:
                self._write(encode(Frame(upcoming[0], self._sent, self._received, upcoming[1])))
                self._acknowledged = self._received
                self._sent = (self._sent + 1) & 0xFF
                upcoming = next(waiting, None)
            if (self._received - self._acknowledged) & 0xFF >= self.info.board_window // 2:
                self._write(encode(Frame(Type.ACK, 0, self._received)))
                self._acknowledged = self._received
            for found in self._read():
                deadline = time.monotonic() + self._timeout
                frame = self._checked(found)
                if frame.type not in (Type.RESULT, Type.RESULT_END):
                    continue
                if not due:
                    raise LinkError(f"{self._name}: the board sent more results than it was given vectors; try again")
                if frame.type == Type.RESULT:
                    body += frame.payload
                    continue
                if len(body) != due[0]:
                    raise LinkError(
                        f"{self._name}: vector {len(rows)}: {len(body)} bytes of its result came, {due[0]} are due; try again"
                    )
                try:
                    rows.append((bytes(body), Trailer.from_bytes(config, frame.payload)))
                except ValueError as error:
                    raise LinkError(f"{self._name}: vector {len(rows)}: {error}; try again") from None
                due.popleft()
                body.clear()
                if progress is not None:
                    progress(len(rows) / len(counts))
            if due and time.monotonic() > deadline:
                raise LinkError(
                    f"{self._name}: no answer for {self._timeout:g} s, {len(rows)} of {len(counts)} vectors done; "
                    "a frame was lost, or the board was reset; try again"
                )
        return rows

    def _checked(self, found: Frame | Corrupt) -> Frame:
        """A frame with its credits counted. Raises `LinkError` for one that is damaged, out of order, or an ERROR."""
        if isinstance(found, Corrupt):
            raise LinkError(f"{self._name}: a frame arrived damaged at the host ({found.reason}); try again")
        if found.type == Type.ERROR:
            code = found.payload[0] if found.payload else 0
            what = _FAULTS[Fault(code)] if code in _FAULTS else f"the board reports fault {code}"
            raise LinkError(f"{self._name}: {what}; try again")
        if found.type not in (Type.RESULT, Type.RESULT_END, Type.ACK):
            raise LinkError(f"{self._name}: the board sent a frame of type {found.type}, out of place; try again")
        if (self._sent - found.acknowledge) & 0xFF > (self._sent - self._taken) & 0xFF:
            raise LinkError(f"{self._name}: the board acknowledged what it was not sent; try again")
        self._taken = found.acknowledge
        if found.type != Type.ACK:
            if found.sequence != self._received:
                raise LinkError(f"{self._name}: a frame was lost on the way to the host; try again")
            self._received = (self._received + 1) & 0xFF
        return found

    # Bytes ------------------------------------------------------------------------------------------------------------

    def _write(self, wire: bytes) -> None:
        try:
            self._line.write(wire)
        except serial.SerialTimeoutException:
            raise LinkError(f"{self._name}: the port takes no bytes; unplug the board and connect it again") from None
        except (serial.SerialException, OSError) as error:
            raise LinkError(self._vanished(error)) from None
        self.bytes_sent += len(wire)

    def _read(self) -> list[Frame | Corrupt]:
        """What has come, after at least one byte or a moment."""
        try:
            data = self._line.read(1)
            data += self._line.read(self._line.in_waiting)
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkError(self._vanished(error)) from None
        self.bytes_received += len(data)
        return list(self._decoder.feed(data))

    def _vanished(self, error: Exception) -> str:
        return f"{self._name}: the port vanished ({str(error).splitlines()[0]}); connect the board again"


def _requests(
    config: Config, scores: np.ndarray, counts: np.ndarray, beside: Mapping[str, np.ndarray], most: int
) -> Iterator[tuple[Type, bytes]]:
    """Type and payload of each RUN frame, vector by vector: the score of each element, and behind it what comes beside."""
    low, size = score_bytes(config), element_bytes(config)
    most -= most % size
    elements = scores.astype(np.int64) & ((1 << config.score_width) - 1)
    place = 8 * low
    for field in sidebands(config):
        values = np.asarray(beside[field.array], dtype=np.int64)
        elements = elements | (values if field.per == "element" else values[:, None]) << place
        place += field.width
    for row, count in zip(elements, counts, strict=True):
        held = np.ascontiguousarray(row[: int(count)], dtype="<i8").view(np.uint8).reshape(-1, 8)
        wire = held[:, :size].tobytes()
        for start in range(0, len(wire), most):
            yield (Type.RUN_END if start + most >= len(wire) else Type.RUN, wire[start : start + most])


def _answer(
    config: Config, rows: list[tuple[bytes, Trailer]], shape: tuple[int, ...], seconds: float, sent: int, received: int
) -> Answer:
    trailers = [trailer for _, trailer in rows]
    arrays: dict[str, np.ndarray] = {}
    if (output := element_output(config)) is not None:
        for field in output.fields:
            arrays[field.array] = np.zeros(output.shape(config, shape), dtype=np.int64)
        for row, (body, _) in enumerate(rows):
            for field, values in zip(output.fields, field_values(output, body), strict=True):
                arrays[field.array][row, : len(values)] = values
    if (output := vector_output(config)) is not None:
        for number, field in enumerate(output.fields):
            arrays[field.array] = np.array([trailer.values[number] for trailer in trailers], dtype=np.int64)
    for bit, flag in enumerate(flags(config)):
        arrays[flag.array] = np.array([trailer.flags >> bit & 1 for trailer in trailers], dtype=bool)
    cycles = np.array([trailer.cycles for trailer in trailers], dtype=np.int64)
    return Answer(arrays, cycles, seconds, sent, received)
