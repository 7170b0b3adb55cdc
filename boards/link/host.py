"""The host's side of the link: finds the port, shakes hands, sends scores, collects results. README.md has the protocol.

    with open_link("auto", 115200) as link:
        link.handshake(config)
        answer = link.run(scores, lengths)     # the arrays of the golden model's result, and cycles

Every fault raises `LinkError` with one line. The next request begins with a handshake of its own and succeeds, unless the
fault is still there.

The host does not trust the board. A wait ends when the board makes no progress for `timeout` seconds, however much it talks:
progress is a credit, a result frame that is as full as its vector allows, or a trailer. Memory holds the results of the
vectors that were sent and nothing more, because a frame beyond them is a fault.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softstream.boards.link.protocol import (
    PAYLOAD_BYTES,
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
    one_lane,
    score_bytes,
    vector_output,
)
from softstream.hw.config.config import Config
from softstream.hw.errors import LinkError
from softstream.hw.extras import need
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import sidebands

try:
    import serial
    from serial.tools import list_ports
except ModuleNotFoundError:
    need("the link to a board", "cobs", "pyserial")
    raise

__all__ = ["DEFAULT_BAUD", "USB_IDS", "Answer", "Link", "find_port", "open_link"]

DEFAULT_BAUD = 115200
HANDSHAKES = 5
"""Attempts at a handshake: bytes that an earlier program left on the line may swallow the first."""

USB_IDS: dict[tuple[int, int], str] = {
    (0x0403, 0x6010): "FTDI FT2232H (iCEBreaker, iCEstick, iCE40-HX8K, ECPIX-5, Arty, Nexys)",
    (0x0403, 0x6011): "FTDI FT4232H",
    (0x0403, 0x6014): "FTDI FT232H (UPduino)",
    (0x0403, 0x6015): "FTDI FT231X (ULX3S)",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x20B7, 0x9DB1): "DAPLink of the Colorlight extension board",
    (0x0D28, 0x0204): "DAPLink",
    (0x1D50, 0x602B): "iCELink of the iCESugar boards",
    (0x10C4, 0xEA60): "CP210x",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x5523): "CH341",
    (0x067B, 0x2303): "PL2303",
}
"""USB vendor and product id → the bridge, and the boards that carry it."""

_FAULTS = {
    Fault.CORRUPT: "a frame arrived damaged at the board",
    Fault.SEQUENCE: "a frame was lost on the way to the board",
    Fault.LENGTH: "the board refused a frame's length",
    Fault.OVERFLOW: "the board had no room for a frame",
    Fault.TYPE: "the board does not know a frame's type",
}


@dataclass(frozen=True)
class Answer:
    """A board's results for V vectors of at most N elements, in the form of the golden model, and their times."""

    arrays: Mapping[str, np.ndarray]
    """The arrays of the golden model's result, by name: int64, flags bool."""
    cycles: np.ndarray
    """Clock cycles from a vector's first score to its first result, int64 [V]; exact for a vector alone in the head."""
    seconds: float
    bytes_sent: int
    bytes_received: int

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


def find_port(ports: Iterable[Any] | None = None) -> str:
    """The one serial port whose USB ids are in `USB_IDS`; of a bridge with several channels the last, which is the UART.

    Raises `LinkError` for no such port, and for several boards.
    """
    devices_of: dict[str, list[str]] = {}
    for port in sorted(list_ports.comports() if ports is None else ports, key=lambda port: port.device):
        if (port.vid, port.pid) in USB_IDS:
            place = port.serial_number or (port.location or port.device).partition(":")[0]
            devices_of.setdefault(f"{port.vid:04x}:{port.pid:04x} {place}", []).append(port.device)
    if not devices_of:
        raise LinkError(
            "--port auto: no serial port with the USB ids of a known board; connect one, or name its port, "
            "for example --port /dev/ttyUSB1; without a board, --simulated"
        )
    uarts = [devices[-1] for devices in devices_of.values()]
    if len(uarts) > 1:
        raise LinkError(
            f"--port auto: {len(uarts)} boards are connected ({', '.join(uarts)}); name one; for example --port {uarts[0]}"
        )
    return uarts[0]


def open_link(port: str = "auto", baud: int = DEFAULT_BAUD, *, timeout: float = 2.0) -> "Link":
    """The link at a serial port, opened exclusively. `timeout`: seconds without progress after which a request fails.

    Raises `LinkError` for a port that does not exist, may not be used, or is in use.
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
        ports = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
        return f"--port {path}: there is no such port (serial ports here: {ports}); for example --port auto"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"--port {path}: no permission; a udev rule with uaccess, or the group that owns the port, gives it"
    return f"--port {path}: cannot be opened ({error}); it must be a serial port that no other program uses"


@dataclass
class _Results:
    """The results of one request: what is due of each vector, and what arrived so far. Its memory is bounded by the former.

    Raises `ValueError`, in words, for a frame that goes beyond what is due. Each group of a packet has a result of its own, and
    the members of an ensemble have one together.
    """

    config: Config
    sizes: list[int]
    """Bytes in the RESULT frames of each result."""
    last_frames: list[int]
    """Number of the data frame with the last score that each result needs, counted from 1."""
    rows: list[tuple[bytes, Trailer]] = field(default_factory=list)
    """Body and trailer of each vector that is complete."""
    body: bytearray = field(default_factory=bytearray)
    """The RESULT payloads of the vector at hand."""

    @property
    def complete(self) -> bool:
        """Whether nothing is due any more."""
        return len(self.rows) == len(self.sizes)

    def add(self, frame: Frame, consumed: int) -> None:
        """A RESULT or RESULT_END frame; `consumed`, the RUN frames that the board has consumed."""
        if self.complete:
            raise ValueError("the board sent more results than it got vectors")
        vector, size = len(self.rows), self.sizes[len(self.rows)]
        if frame.type == Type.RESULT:
            # A board fills each frame, so a vector has no more frames than its size asks for.
            beat = beat_bytes(element_output(self.config))
            most = PAYLOAD_BYTES // beat * beat if beat else 0
            payload, left = len(frame.payload), size - len(self.body)
            if payload > left:
                come = len(self.body) + payload
                raise ValueError(f"vector {vector}: {come} bytes of its result came, {size} are due")
            if payload < min(most, left):
                raise ValueError(
                    f"vector {vector}: a frame of {payload} bytes came in its result, {min(most, left)} are due"
                )
            self.body += frame.payload
            return
        if len(self.body) != size:
            raise ValueError(f"vector {vector}: {len(self.body)} bytes of its result came, {size} are due")
        if consumed < self.last_frames[vector]:
            raise ValueError(f"vector {vector}: its result came before the board had all of its scores")
        try:
            trailer = Trailer.from_bytes(self.config, frame.payload)
        except ValueError as error:
            raise ValueError(f"vector {vector}: {error}") from None
        self.rows.append((bytes(self.body), trailer))
        self.body.clear()


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
        self._begin()
        self.info: Info | None = None
        self.bytes_sent = self.bytes_received = 0
        self.vectors = 0
        """Vectors whose results arrived so far."""
        self._latest: tuple[bytes, Trailer, int] | None = None

    def _begin(self) -> None:
        """The counts after INFO. They count data frames without bound; a frame carries their lowest eight bits."""
        self._sent = 0  # RUN frames
        self._consumed = 0  # of those, by the board
        self._received = 0  # RESULT frames
        self._acknowledged = 0  # of those, the board knows

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> str:
        """The serial port's path."""
        return self._name

    def latest(self) -> Answer | None:
        """The answer for the last vector whose result arrived, without its times; None before the first."""
        if self._config is None or self._latest is None:
            return None
        body, trailer, length = self._latest
        return _answer(self._config, [(body, trailer)], (1, length), None, 0.0, 0, 0)

    def close(self) -> None:
        """Closes the port."""
        self._line.close()

    # Requests ---------------------------------------------------------------------------------------------------------

    def handshake(self, config: Config) -> Info:
        """Resets the link and the head, and checks that the board was built from this configuration.

        Raises `LinkError`: silence, something else than a softstream board, another version, another configuration, an INFO
        that contradicts itself.
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
        try:
            info.check(config)
        except ValueError as error:
            raise LinkError(f"{self._name}: {error}; flash the board with this program's build") from None
        self.info = info
        self._sound = True
        return info

    def run(
        self,
        scores: np.ndarray,
        lengths: np.ndarray | None = None,
        progress: Callable[[float], None] | None = None,
        sideband: Mapping[str, np.ndarray] | None = None,
    ) -> Answer:
        """Integer score codes [V, N] through the board; `lengths` [V] and `sideband` as in the golden model, default all N.

        The handshake comes first if none was made or something went wrong since. Raises `LinkError` for every fault.
        """
        if self._config is None:
            raise LinkError(f"{self._name}: no handshake was made; call handshake(config) first")
        scores = np.asarray(scores)
        counts = np.full(len(scores), scores.shape[1]) if lengths is None else np.asarray(lengths)
        if not self._sound:
            self.handshake(self._config)
        self._sound = False
        start, sent, received = time.monotonic(), self.bytes_sent, self.bytes_received
        rows = self._exchange(self._config, scores, counts, sideband or {}, progress)
        self._sound = True
        return _answer(
            self._config,
            rows,
            scores.shape,
            Grouping(self._config.groups, counts) if self._config.groups else None,
            time.monotonic() - start,
            self.bytes_sent - sent,
            self.bytes_received - received,
        )

    def _greet(self) -> Info:
        """Asks for INFO until it arrives."""
        received = self.bytes_received
        for _ in range(HANDSHAKES):
            self._nonce = (self._nonce + 1) & 0xFF
            self._decoder.clear()
            # The delimiter ends what an earlier program may have left half-way.
            self._write(b"\0" + encode(Frame(Type.INFO, self._nonce, 0)))
            deadline = time.monotonic() + self._timeout
            while time.monotonic() < deadline:
                for frame in self._read():
                    if isinstance(frame, Frame) and (frame.type, frame.sequence) == (Type.INFO, self._nonce):
                        try:
                            info = Info.from_bytes(frame.payload)
                        except ValueError as error:
                            raise LinkError(
                                f"{self._name}: {error}; flash the board with this program's build"
                            ) from None
                        self._begin()
                        return info
        rate = self._line.baudrate
        if self.bytes_received > received:
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
        sideband: Mapping[str, np.ndarray],
        progress: Callable[[float], None] | None,
    ) -> list[tuple[bytes, Trailer]]:
        """Sends while the board gives credits, and collects its results."""
        assert self.info is not None
        due = _Due(config, counts, sideband.get("mask"), self.info.payload_bytes)
        before = self._sent
        results = _Results(config, due.sizes.tolist(), (before + due.frames).tolist())
        requests = _requests(config, scores, counts, sideband, self.info.payload_bytes)
        request = next(requests, None)
        deadline = time.monotonic() + self._timeout
        while not results.complete:
            while request is not None and self._sent - self._consumed < self.info.host_window:
                self._send(*request)
                request = next(requests, None)
            if self._received - self._acknowledged >= max(1, self.info.board_window // 2):
                self._write(encode(Frame(Type.ACK, 0, self._received)))
                self._acknowledged = self._received
            for item in self._read():
                consumed = self._consumed
                frame = self._checked(item)
                if frame.type != Type.ACK:
                    try:
                        results.add(frame, self._consumed)
                    except ValueError as error:
                        raise LinkError(f"{self._name}: {error}; try again") from None
                if frame.type != Type.ACK or self._consumed > consumed:
                    deadline = time.monotonic() + self._timeout
                if frame.type == Type.RESULT_END:
                    self.vectors += 1
                    self._latest = (*results.rows[-1], int(due.lengths[len(results.rows) - 1]))
                    if progress is not None:
                        progress(len(results.rows) / len(results.sizes))
            if not results.complete and time.monotonic() > deadline:
                raise LinkError(
                    f"{self._name}: no progress for {self._timeout:g} s, {len(results.rows)} of {len(results.sizes)} vectors "
                    "done; a frame was lost, or the board was reset; try again"
                )
        return results.rows

    def _send(self, kind: Type, payload: bytes) -> None:
        """A data frame, which also carries the host's credit."""
        self._write(encode(Frame(kind, self._sent, self._received, payload)))
        self._acknowledged = self._received
        self._sent += 1

    def _checked(self, item: Frame | Corrupt) -> Frame:
        """A frame with its credits counted. Raises `LinkError` for one that is damaged, out of order, or an ERROR."""
        if isinstance(item, Corrupt):
            raise LinkError(f"{self._name}: a frame arrived damaged at the host ({item.reason}); try again")
        if item.type == Type.ERROR:
            code = item.payload[0] if item.payload else 0
            fault = _FAULTS[Fault(code)] if code in _FAULTS else f"the board reports fault {code}"
            raise LinkError(f"{self._name}: {fault}; try again")
        if item.type not in (Type.RESULT, Type.RESULT_END, Type.ACK):
            raise LinkError(f"{self._name}: the board sent a frame of type {item.type}, out of place; try again")
        outstanding = (self._sent - item.acknowledge) & 0xFF
        if outstanding > self._sent - self._consumed:
            raise LinkError(f"{self._name}: the board acknowledged a frame that it was not sent; try again")
        self._consumed = self._sent - outstanding
        if item.type != Type.ACK:
            if item.sequence != self._received & 0xFF:
                raise LinkError(f"{self._name}: a frame was lost on the way to the host; try again")
            self._received += 1
        return item

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
        """The frames that arrived, after at least one byte or a moment."""
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
    config: Config, scores: np.ndarray, counts: np.ndarray, sideband: Mapping[str, np.ndarray], most: int
) -> Iterator[tuple[Type, bytes]]:
    """Type and payload of each RUN frame, vector by vector: each element is its score and then its sideband."""
    low, size = score_bytes(config), element_bytes(config)
    most -= most % size
    elements = scores.astype(np.int64) & ((1 << config.score_width) - 1)
    place = 8 * low
    for row in sidebands(config):
        values = np.asarray(sideband[row.array], dtype=np.int64)
        elements = elements | (values if row.per == "element" else values[:, None]) << place
        place += row.width
    for vector, count in zip(elements, counts, strict=True):
        words = np.ascontiguousarray(vector[: int(count)], dtype="<i8").view(np.uint8).reshape(-1, 8)
        wire = words[:, :size].tobytes()
        for start in range(0, len(wire), most):
            yield (Type.RUN_END if start + most >= len(wire) else Type.RUN, wire[start : start + most])


class _Due:
    """What a board owes for vectors of lengths [V]: R results, one for each vector, group or ensemble."""

    lengths: np.ndarray
    """Elements of each result, before the cut at max_length, [R]."""
    sizes: np.ndarray
    """Bytes in its RESULT frames, [R]."""
    frames: np.ndarray
    """Data frames up to the one with the last score that it needs, [R]."""

    def __init__(self, config: Config, counts: np.ndarray, mask: np.ndarray | None, most: int) -> None:
        size = element_bytes(config)
        each = most // size  # elements of a full frame
        ends = np.cumsum(-(-counts // each))
        if config.groups:
            groups = Grouping(config.groups, counts)
            self.lengths, mask = groups.lengths, None if mask is None else groups.split(mask)
            inside = np.cumsum(groups.lengths)
            scores = inside - (np.cumsum(counts) - counts)[groups.packet]  # of the packet up to the group's end
            self.frames = (ends - -(-counts // each))[groups.packet] - (-scores // each)
        else:
            self.lengths, self.frames = result_lengths(config, counts), ends[config.ensemble - 1 :: config.ensemble]
            mask = None if mask is None else mask[:: config.ensemble]
        output, vectors = element_output(config), one_lane(config).replace(groups=[], ensemble=1)
        beats = np.zeros_like(self.lengths) if output is None else output.beats(vectors, self.lengths, mask)
        self.sizes = beats * beat_bytes(output)


def _answer(
    config: Config,
    rows: list[tuple[bytes, Trailer]],
    shape: tuple[int, ...],
    groups: Grouping | None,
    seconds: float,
    sent: int,
    received: int,
) -> Answer:
    """The arrays of the rows of bodies and trailers; with `groups` those of the packets whose groups they are."""
    trailers = [trailer for _, trailer in rows]
    longest = shape[1] if groups is None else int(groups.lengths.max(initial=1))
    arrays: dict[str, np.ndarray] = {}
    if (output := element_output(config)) is not None:
        columns = config.top_k if output.per == "rank" else longest
        for row in output.fields:
            arrays[row.array] = np.zeros((len(rows), columns), dtype=np.int64)
        for vector, (body, _) in enumerate(rows):
            for row, values in zip(output.fields, field_values(output, body), strict=True):
                arrays[row.array][vector, : len(values)] = values
    if (output := vector_output(config)) is not None:
        for number, row in enumerate(output.fields):
            arrays[row.array] = np.array([trailer.values[number] for trailer in trailers], dtype=np.int64)
    for bit, flag in enumerate(flags(config)):
        arrays[flag.array] = np.array([trailer.flags >> bit & 1 for trailer in trailers], dtype=bool)
    cycles = np.array([trailer.cycles for trailer in trailers], dtype=np.int64)
    if groups is not None:
        cycles = cycles[groups.place == 0]
        arrays = {
            name: groups.join_groups(values) if values.ndim == 1 else groups.join(values, shape[1])
            for name, values in arrays.items()
        }
    return Answer(arrays, cycles, seconds, sent, received)
