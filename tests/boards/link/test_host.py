"""The host's side against a board that is played in Python: ports found, credits kept, every fault one line."""

import os
import threading
import tty
from types import SimpleNamespace

import numpy as np
import pytest
from support.link_frames import elements_of, result_frames

from softstream.boards.link import host
from softstream.boards.link.host import find_port, open_link
from softstream.boards.link.protocol import (
    BOARD_WINDOW,
    HOST_WINDOW,
    PAYLOAD_BYTES,
    Corrupt,
    Decoder,
    Fault,
    Frame,
    Info,
    Trailer,
    Type,
    encode,
)
from softstream.hw.config.config import Config
from softstream.hw.errors import LinkError
from softstream.scripts.verbs.run_on_board import differences, self_test
from softstream.sim.golden import golden
from softstream.sim.golden.modes.gumbel import words_taken

SILENCE = 0.3
CONFIGS = {
    "argmax": Config(mode="argmax", max_length=70, score_width=7),
    "softmax": Config(max_length=70),
    "unsigned": Config(max_length=10, score_width=5, score_signed=False, score_scale=0.3, probability_width=2),
    "wide": Config(max_length=70, score_width=12, probability_width=16, score_scale=2.0**-9),
    "widest": Config(max_length=9, score_width=16, score_scale=3.0, probability_width=24, probability_format="UQ1"),
    "temperature": Config(max_length=20, temperature_bits=4),
    "log_softmax": Config(mode="log_softmax", max_length=70, mask=True),
    "cross_entropy": Config(mode="cross_entropy", max_length=300, mask=True, score_width=9, score_scale=0.02),
    "exponential": Config(mode="exponential", max_length=70),
    "sigmoid": Config(mode="sigmoid", max_length=70, mask=True, score_width=11),
    "sample": Config(mode="sample", max_length=70, mask=True),
    "hardmax": Config(mode="hardmax", max_length=70),
    "top_k": Config(mode="top_k", max_length=300, mask=True, score_width=5),
    "softmax_top_k": Config(
        mode="softmax_top_k", max_length=300, score_width=10, score_scale=0.01, probability_width=16
    ),
}


class Board(threading.Thread):
    """Answers at a pseudo-terminal as the protocol says, with the model in place of a head; `mischief(frame)` gives the
    bytes that are sent instead of a frame's."""

    def __init__(self, config, mischief=encode, info=None):
        super().__init__(daemon=True)
        self.config, self.mischief = config, mischief
        self.info = Info.of(config, 12e6).to_bytes() if info is None else info
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.most_unacknowledged = 0
        self.begin()
        self.start()

    def begin(self):
        self.vector, self.queue, self.fault = b"", [], False
        self.expected = self.sent = self.acknowledged = self.words = 0

    def put(self, kind, payload=b"", sequence=0):
        os.write(self.master, self.mischief(Frame(kind, sequence, self.expected, payload)))

    def run(self):
        decoder = Decoder()
        try:
            while data := os.read(self.master, 1000):
                for frame in decoder.feed(data):
                    self.take(frame)
        except OSError:
            return

    def take(self, frame):
        if isinstance(frame, Frame) and frame.type == Type.INFO:
            self.begin()
            self.put(Type.INFO, self.info, frame.sequence)
            return
        if self.fault:
            return
        code = 0
        if isinstance(frame, Corrupt):
            code = Fault.CORRUPT
        elif frame.type in (Type.RUN, Type.RUN_END):
            code = Fault.SEQUENCE if frame.sequence != self.expected else 0
        if code:
            self.fault = True
            self.put(Type.ERROR, bytes([code]))
            return
        self.acknowledged = frame.acknowledge
        if frame.type in (Type.RUN, Type.RUN_END):
            self.expected = (self.expected + 1) & 0xFF
            self.vector += frame.payload
            if frame.type == Type.RUN_END:
                self.queue += self.results()
                self.vector = b""
            elif not self.queue:
                self.put(Type.ACK)
        while self.queue and (self.sent - self.acknowledged) & 0xFF < BOARD_WINDOW:
            self.put(*self.queue.pop(0), self.sent)
            self.sent = (self.sent + 1) & 0xFF
        self.most_unacknowledged = max(self.most_unacknowledged, (self.sent - self.acknowledged) & 0xFF)

    def results(self):
        scores, beside = elements_of(self.config, self.vector)
        mask = beside.get("mask")
        lengths = np.array([scores.shape[1]])
        model = golden(self.config, scores, lengths, beside, before=self.words)
        self.words += int(words_taken(self.config, lengths, mask)[0])
        return result_frames(self.config, model, scores.shape[1], mask, 42)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_self_test_passes_on_a_board_that_is_right(name):
    config = CONFIGS[name]
    board = Board(config)
    with open_link(board.port, timeout=2) as link:
        assert link.handshake(config).clock_hz == 12_000_000
        groups = self_test(config, link, seed=3, vectors=40)
    assert [group.name for group in groups] == ["corner", "random"]
    assert groups[1].vectors == 40
    assert not [found for group in groups for found in group.differences]
    assert 1 < board.most_unacknowledged <= BOARD_WINDOW


def test_a_board_that_is_wrong_is_shown_with_both_values():
    config = CONFIGS["softmax"]

    def mischief(frame):
        if frame.type == Type.RESULT_END:
            trailer = Trailer.from_bytes(config, frame.payload)
            index, score = trailer.values
            wrong = Trailer((index ^ 1, score), trailer.flags, trailer.cycles)
            frame = Frame(frame.type, frame.sequence, frame.acknowledge, wrong.to_bytes(config))
        elif frame.type == Type.RESULT:
            changed = bytes([frame.payload[0] ^ 0xFF]) + frame.payload[1:]
            frame = Frame(frame.type, frame.sequence, frame.acknowledge, changed)
        return encode(frame)

    board = Board(config, mischief)
    scores = np.array([[4, 9, 2]])
    with open_link(board.port, timeout=2) as link:
        link.handshake(config)
        answer = link.run(scores)
    model = golden(config, scores)
    first = int(model.probabilities[0, 0])
    found = [(one.what, one.board, one.model) for one in differences("given", answer, model)]
    assert sorted(found) == [("argmax", 0, 1), ("probabilities[0]", first ^ 0xFF, first)]


def once(change):
    """Changes what is sent in place of the first frame that is no INFO."""
    state = {"done": False}

    def mischief(frame):
        if frame.type == Type.INFO or state["done"]:
            return encode(frame)
        state["done"] = True
        return change(frame)

    return mischief


def flipped(frame):
    wire = encode(frame)
    return wire[:4] + bytes([wire[4] ^ 0x40]) + wire[5:]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (flipped, "a frame arrived damaged at the host (its check sum is wrong); try again"),
        (lambda frame: b"", "a frame was lost on the way to the host; try again"),
        (lambda frame: encode(frame) * 2, "a frame was lost on the way to the host; try again"),
        (lambda frame: encode(Frame(Type.ERROR, 0, 0, b"\x01")), "a frame arrived damaged at the board; try again"),
        (lambda frame: encode(Frame(Type.ERROR, 0, 0, b"\x63")), "the board reports fault 99; try again"),
        (lambda frame: encode(Frame(Type.RUN, 0, 0, b"\x01")), "the board sent a frame of type 2, out of place"),
        (lambda frame: encode(Frame(Type.ACK, 0, 200)), "the board acknowledged what it was not sent; try again"),
        (lambda frame: encode(Frame(frame.type, 0, frame.acknowledge, b"x")), "vector 0: 1 bytes"),
    ],
    ids=["flipped", "lost", "twice", "error", "unknown error", "type", "credit", "size"],
)  # fmt: skip
def test_every_fault_is_one_line_and_the_next_request_succeeds(change, says):
    config = CONFIGS["softmax"]
    board = Board(config, once(change))
    scores = np.arange(12).reshape(4, 3)
    with open_link(board.port, timeout=SILENCE) as link:
        link.handshake(config)
        if "1 bytes" in says:  # a short RESULT, then the trailer
            says = "vector 0: 1 bytes of its result came, 3 are due; try again"
        with pytest.raises(LinkError) as error:
            link.run(scores)
        assert str(error.value) == f"{board.port}: {says}" or says in str(error.value)
        assert "\n" not in str(error.value)
        assert error.value.exit_code == 4
        answer = link.run(scores)
    assert np.array_equal(answer["probabilities"], golden(config, scores).probabilities)


def test_silence_in_the_middle_is_a_time_out():
    config = CONFIGS["argmax"]
    silent = {"on": True}
    board = Board(config, lambda frame: b"" if silent["on"] and frame.type != Type.INFO else encode(frame))
    scores = np.arange(6).reshape(2, 3)
    with open_link(board.port, timeout=SILENCE) as link:
        link.handshake(config)
        with pytest.raises(LinkError, match=r"no answer for 0.3 s, 0 of 2 vectors done"):
            link.run(scores)
        silent["on"] = False
        assert link.run(scores)["argmax"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("info", "mischief", "says"),
    [
        (None, lambda frame: b"", r"no answer to 5 handshakes in 0.5 s at 115200 bit/s; is this the board's port"),
        (None, lambda frame: b"login: \r\n\0", r"something answers, but no softstream board at 115200 bit/s"),
        (b"sfst\x02", encode, r"it speaks version 2 of the protocol, this program version 3"),
        (b"else", encode, r"it says b'else' where"),
        (Info.of(CONFIGS["argmax"], 1e6).to_bytes(), encode, r"another configuration \(argmax, 7-bit scores, max_length 70"),
    ],
    ids=["silent", "something else", "version", "magic", "digest"],
)  # fmt: skip
def test_a_handshake_that_fails_says_why(info, mischief, says):
    board = Board(CONFIGS["softmax"], mischief, info)
    with open_link(board.port, timeout=0.1) as link, pytest.raises(LinkError, match=says):
        link.handshake(CONFIGS["softmax"])


def test_a_port_that_vanishes():
    board = Board(CONFIGS["argmax"])
    with open_link(board.port, timeout=SILENCE) as link:
        link.handshake(CONFIGS["argmax"])
        board.mischief = lambda frame: os.close(board.slave) or os.close(board.master) or b""
        with pytest.raises(LinkError, match="the port vanished"):
            link.run(np.arange(600).reshape(200, 3) % 60)


def test_ports_that_cannot_be_opened(tmp_path):
    with pytest.raises(LinkError, match="there is no such port"):
        open_link(str(tmp_path / "none"))
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkError, match="it must be a serial port that no other program uses"):
        open_link(str(tmp_path / "file"))
    board = Board(CONFIGS["argmax"])
    with open_link(board.port), pytest.raises(LinkError, match="no other program uses"):
        open_link(board.port)


def usb(device, vid, pid, number=None):
    return SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=number, location=None)


def test_the_port_is_found_by_its_usb_ids(monkeypatch):
    noise = [usb("/dev/ttyS0", None, None), usb("/dev/ttyACM0", 0x1234, 0x5678)]
    channels = [usb("/dev/ttyUSB0", 0x0403, 0x6010, "A1"), usb("/dev/ttyUSB1", 0x0403, 0x6010, "A1")]
    assert find_port([*noise, *reversed(channels)]) == "/dev/ttyUSB1"
    with pytest.raises(LinkError, match="no serial port with the USB ids of a known board"):
        find_port(noise)
    with pytest.raises(LinkError, match=r"2 boards are connected \(/dev/ttyUSB1, /dev/ttyUSB9\); name one"):
        find_port([*channels, usb("/dev/ttyUSB9", 0x10C4, 0xEA60, "B")])
    board = Board(CONFIGS["argmax"])
    monkeypatch.setattr(host.list_ports, "comports", lambda: [usb(board.port, 0x0403, 0x6014)])
    with open_link("auto", timeout=SILENCE) as link:
        assert link.port == board.port
        link.handshake(CONFIGS["argmax"])


def test_the_window_of_the_host_fits_the_board():
    assert HOST_WINDOW * PAYLOAD_BYTES <= 256
