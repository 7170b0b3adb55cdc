"""The host's side against a board that Python plays: detected ports, respected credits, every fault one line."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from support.model_board import ModelBoard

from softstream.boards.link import host
from softstream.boards.link.host import find_port, open_link
from softstream.boards.link.protocol import (
    BOARD_WINDOW,
    HOST_WINDOW,
    PAYLOAD_BYTES,
    Frame,
    Info,
    Trailer,
    Type,
    encode,
)
from softstream.hw.config.config import Config
from softstream.hw.errors import LinkError
from softstream.scripts.verbs.run_on_board import compared, self_test
from softstream.sim.golden import golden

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
    "lanes": Config(max_length=70, lanes=4, mask=True),
    "groups": Config(max_length=70, groups=[10, 3, 70]),
    "groups_of_argmax": Config(mode="argmax", max_length=9, groups=[9, 4], score_width=12, mask=True),
    "groups_of_lanes": Config(max_length=8, groups=[8, 4], lanes=4),
    "groups_of_hardmax": Config(mode="hardmax", max_length=8, groups=[8]),
    "mean_of_scores": Config(max_length=70, ensemble=3),
    "mean_of_probabilities": Config(max_length=70, ensemble=3, ensemble_mean="probabilities"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_self_test_passes_on_a_board_that_is_right(name):
    config = CONFIGS[name]
    board = ModelBoard(config)
    with open_link(board.port, timeout=2) as link:
        assert link.handshake(config).clock_hz == 12_000_000
        groups = self_test(config, link, seed=3, vectors=40)
    assert [group.name for group in groups] == ["corner", "random"]
    assert groups[1].vectors == 40 * config.ensemble
    assert not sum(group.differences.count for group in groups)
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

    board = ModelBoard(config, mischief)
    scores = np.array([[4, 9, 2]])
    with open_link(board.port, timeout=2) as link:
        link.handshake(config)
        answer = link.run(scores)
    model = golden(config, scores)
    first = int(model.probabilities[0, 0])
    differences = [(one.what, one.board, one.model) for one in compared("given", answer, model).first]
    assert sorted(differences) == [("argmax", 0, 1), ("probabilities[0]", first ^ 0xFF, first)]


def once(change):
    """Replaces the first frame that is no INFO."""
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
        (lambda frame: encode(Frame(Type.ACK, 0, 200)), "the board acknowledged a frame that it was not sent; try again"),
        (
            lambda frame: encode(Frame(frame.type, 0, frame.acknowledge, b"x")),
            "vector 0: a frame of 1 bytes came in its result, 3 are due; try again",
        ),
    ],
    ids=["flipped", "lost", "twice", "error", "unknown error", "type", "credit", "size"],
)  # fmt: skip
def test_every_fault_is_one_line_and_the_next_request_succeeds(change, says):
    config = CONFIGS["softmax"]
    board = ModelBoard(config, once(change))
    scores = np.arange(12).reshape(4, 3)
    with open_link(board.port, timeout=SILENCE) as link:
        link.handshake(config)
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
    board = ModelBoard(config, lambda frame: b"" if silent["on"] and frame.type != Type.INFO else encode(frame))
    scores = np.arange(6).reshape(2, 3)
    with open_link(board.port, timeout=SILENCE) as link:
        link.handshake(config)
        with pytest.raises(LinkError, match=r"no progress for 0.3 s, 0 of 2 vectors done"):
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
    board = ModelBoard(CONFIGS["softmax"], mischief, info)
    with open_link(board.port, timeout=0.1) as link, pytest.raises(LinkError, match=says):
        link.handshake(CONFIGS["softmax"])


def test_a_port_that_vanishes():
    board = ModelBoard(CONFIGS["argmax"])
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
    board = ModelBoard(CONFIGS["argmax"])
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
    board = ModelBoard(CONFIGS["argmax"])
    monkeypatch.setattr(host.list_ports, "comports", lambda: [usb(board.port, 0x0403, 0x6014)])
    with open_link("auto", timeout=SILENCE) as link:
        assert link.port == board.port
        link.handshake(CONFIGS["argmax"])


def test_the_window_of_the_host_fits_the_board():
    assert HOST_WINDOW * PAYLOAD_BYTES <= 256
