"""A board that breaks every rule: the host ends in bounded time and memory, with one line and exit code 4."""

import contextlib
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import tty

import numpy as np
import pytest
from support.model_board import ModelBoard

from softstream.boards.link.host import HANDSHAKES, open_link
from softstream.boards.link.protocol import Decoder, Frame, Info, Trailer, Type, encode
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import LinkError
from softstream.sim.golden import golden

TIMEOUT = 0.1
SLACK = 2.0
"""Seconds that a loaded machine may add."""
MEMORY = 2_000_000
"""Bytes that a request may allocate: some hundred times the size of its results."""
CONFIG = Config(max_length=70)
SCORES = np.arange(60).reshape(3, 20) % 50
RNG_SEED = 20


class EvilPeer(threading.Thread):
    """Runs `script(write, read)` at a pseudo-terminal; `read` waits for the host's next INFO and gives its number."""

    def __init__(self, script):
        super().__init__(daemon=True)
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.script, self.over = script, threading.Event()
        self.start()

    def write(self, data):
        if self.over.is_set():
            raise OSError("the test is over")
        os.write(self.master, data)

    def number(self):
        """Sequence number of the host's next INFO."""
        decoder = Decoder()
        while True:
            for frame in decoder.feed(os.read(self.master, 1000)):
                if isinstance(frame, Frame) and frame.type == Type.INFO:
                    return frame.sequence

    def run(self):
        try:
            self.script(self)
        except OSError:
            return

    def stop(self):
        """Closes the pseudo-terminal, so that a script which still writes ends."""
        self.over.set()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def refused(port, request, seconds):
    """The one line with which `request(link)` fails, within `seconds` and `MEMORY`."""
    with open_link(port, timeout=TIMEOUT) as link:
        tracemalloc.start()
        start = time.monotonic()
        try:
            with pytest.raises(LinkError) as error:
                request(link)
            duration = time.monotonic() - start
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert error.value.exit_code == 4
    assert "\n" not in str(error.value)
    assert duration < seconds + SLACK
    assert peak < MEMORY
    return str(error.value)


# Handshake -----------------------------------------------------------------------------------------------------------


def silent(peer):
    peer.over.wait()


def endless(pattern):
    def script(peer):
        while True:
            peer.write(pattern)

    return script


def slow(peer):
    while True:
        peer.write(b"\x05")
        time.sleep(TIMEOUT / 3)


def noise(peer):
    rng = np.random.default_rng(RNG_SEED)
    while True:
        peer.write(rng.bytes(500))


def another_number(peer):
    while True:
        peer.write(encode(Frame(Type.INFO, peer.number() + 1, 0, Info.of(CONFIG, 12e6).to_bytes())))


def wrong_crc(peer):
    while True:
        wire = encode(Frame(Type.INFO, peer.number(), 0, Info.of(CONFIG, 12e6).to_bytes()))
        peer.write(wire[:9] + bytes([wire[9] ^ 1 or 1]) + wire[10:])


@pytest.mark.parametrize(
    "script",
    [silent, endless(b"\0"), endless(b"login: "), endless(encode(Frame(Type.ACK, 0, 0))), slow, noise, another_number, wrong_crc],
    ids=["silence", "zeros", "text", "credits", "slow", "noise", "another number", "wrong CRC"],
)  # fmt: skip
def test_a_handshake_with_something_else_ends(script):
    peer = EvilPeer(script)
    text = refused(peer.port, lambda link: link.handshake(CONFIG), HANDSHAKES * TIMEOUT)
    peer.stop()
    assert "no answer to 5 handshakes" in text if script is silent else "something answers" in text


GOOD = Info.of(CONFIG, 12e6).to_bytes()
# Offsets of the fields: magic 0, version 4, digest 5, mode 37, widths and flags 38 to 41, max_length 42, clock 46, limits 50.
ABSURD = {
    "clock 0": (46, bytes(4), "0 as clock in hertz, must be 1000 to 1000000000"),
    "clock 2^32 - 1": (46, b"\xff" * 4, "4294967295 as clock in hertz"),
    "payload 0": (50, b"\0", "0 as most bytes of a payload, must be 1 to 60"),
    "payload 61": (50, b"\x3d", "61 as most bytes of a payload"),
    "payload 255": (50, b"\xff", "255 as most bytes of a payload"),
    "host window 0": (51, b"\0", "0 as window of the host, must be 1 to 127"),
    "host window 255": (51, b"\xff", "255 as window of the host"),
    "board window 0": (52, b"\0", "0 as window of the board"),
    "board window 200": (52, b"\xc8", "200 as window of the board"),
    "mode 255": (37, b"\xff", "mode = mode 255, the configuration of its digest has softmax"),
    "mode of another": (37, b"\0", "mode = argmax, the configuration of its digest has softmax"),
    "score width 0": (38, b"\0", "score_width = 0, the configuration of its digest has 8"),
    "score width 255": (38, b"\xff", "score_width = 255"),
    "unsigned": (39, b"\0", "score_signed = False"),
    "probability width 255": (40, b"\xff", "probability_width = 255"),
    "integer bits 7": (41, b"\x07", "probability_integer_bits = 7"),
    "max_length 0": (42, bytes(4), "max_length = 0, the configuration of its digest has 70"),
    "max_length 2^31": (42, b"\0\0\0\x80", "max_length = 2147483648"),
    "digest": (5, bytes(32), "another configuration"),
    "version 255": (4, b"\xff", "version 255 of the protocol"),
    "magic": (0, b"\x1b[2J", r"it says b'\x1b[2J' where a softstream board says b'sfst'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ABSURD)
def test_each_field_of_info_is_checked(name):
    offset, content, says = ABSURD[name]
    info = GOOD[:offset] + content + GOOD[offset + len(content) :]
    board = ModelBoard(CONFIG, info=info)
    text = refused(board.port, lambda link: link.handshake(CONFIG), TIMEOUT)
    assert says in text
    assert "\x1b" not in text


def test_a_payload_that_holds_no_element_is_refused():
    config = CONFIG.replace(mask=True)
    info = Info.of(config, 12e6).to_bytes()
    board = ModelBoard(config, info=info[:50] + b"\x01" + info[51:])
    text = refused(board.port, lambda link: link.handshake(config), TIMEOUT)
    assert "1 as most bytes of a payload, one element has 2" in text


@pytest.mark.parametrize("length", [0, 1, 4, 5, 20, 52, 54, 60])
def test_an_info_of_any_other_length_is_refused(length):
    board = ModelBoard(CONFIG, info=(GOOD + bytes(60))[:length])
    refused(board.port, lambda link: link.handshake(CONFIG), TIMEOUT)


def test_the_smallest_limits_serve():
    info = GOOD[:50] + b"\x01\x01\x01"
    with open_link(ModelBoard(CONFIG, info=info).port, timeout=2) as link:
        link.handshake(CONFIG)
        assert np.array_equal(link.run(SCORES)["probabilities"], golden(CONFIG, SCORES).probabilities)


def test_a_board_that_vanishes_at_any_byte_of_info():
    wire = len(encode(Frame(Type.INFO, 0, 0, GOOD)))
    for count in range(0, wire, 4):

        def script(peer, count=count):
            answer = encode(Frame(Type.INFO, peer.number(), 0, GOOD))
            peer.write(answer[:count])
            peer.stop()

        peer = EvilPeer(script)
        assert "vanished" in refused(peer.port, lambda link: link.handshake(CONFIG), HANDSHAKES * TIMEOUT)


# Results -------------------------------------------------------------------------------------------------------------


class TalkingBoard(ModelBoard):
    """Shakes hands, and at the first scores runs `talk(board)` instead of answering."""

    def __init__(self, talk, config=CONFIG):
        self.talk = talk
        super().__init__(config)

    def take(self, frame):
        if isinstance(frame, Frame) and frame.type == Type.INFO:
            super().take(frame)
        elif self.talk is not None:
            talk, self.talk = self.talk, None
            threading.Thread(target=self.speak, args=(talk,), daemon=True).start()

    def speak(self, talk):
        try:
            talk(self)
        except OSError:
            return

    def say(self, kind, payload=b"", sequence=0, acknowledge=0):
        os.write(self.master, encode(Frame(kind, sequence, acknowledge, payload)))


def run(link):
    link.handshake(CONFIG)
    link.run(SCORES)


def drip_credits(board):
    while True:
        board.say(Type.ACK)
        time.sleep(TIMEOUT / 3)


def credits_at_full_rate(board):
    while True:
        board.say(Type.ACK)


def endless_results(board):
    for number in range(10**6):
        board.say(Type.RESULT, bytes(range(1, 61)), number)


def empty_results(board):
    for number in range(10**6):
        board.say(Type.RESULT, b"", number)
        time.sleep(TIMEOUT / 3)


def drip_results(board):
    for number in range(10**6):
        board.say(Type.RESULT, b"x", number)
        time.sleep(TIMEOUT / 3)


def result_before_scores(board):
    board.say(Type.RESULT, bytes(20), 0)
    board.say(Type.RESULT_END, Trailer((0, 0), 0, 1).to_bytes(CONFIG), 1)


def trailer_alone(board):
    board.say(Type.RESULT_END, Trailer((0, 0), 0, 1).to_bytes(CONFIG), 0, 3)


def long_trailer(board):
    board.say(Type.RESULT, bytes(20), 0, 3)
    board.say(Type.RESULT_END, bytes(40), 1, 3)


def replay(board):
    board.say(Type.RESULT, bytes(20), 0, 3)
    board.say(Type.RESULT, bytes(20), 0, 3)


def half_a_result(board):
    board.say(Type.RESULT, bytes(20), 0, 3)


def info_again(board):
    board.say(Type.INFO, GOOD, 0)


def damaged(board):
    os.write(board.master, encode(Frame(Type.RESULT, 0, 3, bytes(20)))[:-2] + b"\x07\0")


def random_bytes(board):
    rng = np.random.default_rng(RNG_SEED)
    while True:
        os.write(board.master, rng.bytes(500))


def no_delimiter(board):
    while True:
        os.write(board.master, b"\x55" * 500)


@pytest.mark.parametrize(
    ("talk", "says"),
    [
        (lambda board: None, "no progress for 0.1 s, 0 of 3 vectors done"),
        (drip_credits, "no progress for 0.1 s, 0 of 3"),
        (credits_at_full_rate, "no progress for 0.1 s, 0 of 3"),
        (no_delimiter, "no progress for 0.1 s, 0 of 3"),
        (half_a_result, "no progress for 0.1 s, 0 of 3"),
        (endless_results, "vector 0: 60 bytes of its result came, 20 are due"),
        (empty_results, "vector 0: a frame of 0 bytes came in its result, 20 are due"),
        (drip_results, "vector 0: a frame of 1 bytes came in its result, 20 are due"),
        (result_before_scores, "vector 0: its result came before the board had all of its scores"),
        (trailer_alone, "vector 0: 0 bytes of its result came, 20 are due"),
        (long_trailer, "vector 0: a trailer of 40 bytes instead of 6"),
        (replay, "a frame was lost on the way to the host"),
        (info_again, "the board sent a frame of type 1, out of place"),
        (damaged, "a frame arrived damaged at the host"),
        (random_bytes, "a frame arrived damaged at the host"),
    ],
)  # fmt: skip
def test_a_board_that_breaks_the_rules_is_refused_in_time_and_memory(talk, says):
    assert says in refused(TalkingBoard(talk).port, run, 2 * TIMEOUT)


@pytest.mark.parametrize("kind", [0, Type.RUN, Type.RUN_END, 8, 127, 255])
def test_a_frame_of_a_type_that_no_board_sends_is_refused(kind):
    text = refused(TalkingBoard(lambda board: board.say(kind, b"x")).port, run, TIMEOUT)
    assert f"a frame of type {int(kind)}, out of place" in text


def test_results_that_nobody_asked_for_do_not_answer_the_next_request():
    """Surplus results follow those that are due, in order and intact; the next request must not take them for its own."""
    surplus = {"on": True}

    def mischief(frame):
        wire = encode(frame)
        if frame.type == Type.RESULT_END and frame.sequence == 5 and surplus["on"]:
            wire += encode(Frame(Type.RESULT, 6, frame.acknowledge, bytes(20)))
            wire += encode(Frame(Type.RESULT_END, 7, frame.acknowledge, Trailer((0, 0), 0, 1).to_bytes(CONFIG)))
        return wire

    board = ModelBoard(CONFIG, mischief)
    with open_link(board.port, timeout=TIMEOUT) as link:
        link.handshake(CONFIG)

        # The surplus comes with the last frame that is due, or after the request.
        def twice():
            for _ in range(2):
                assert np.array_equal(link.run(SCORES)["probabilities"], golden(CONFIG, SCORES).probabilities)

        with pytest.raises(LinkError, match=r"more results than it got vectors|before the board had all of its scores"):
            twice()
        surplus["on"] = False
        assert np.array_equal(link.run(SCORES)["probabilities"], golden(CONFIG, SCORES).probabilities)


def test_a_board_that_vanishes_at_any_byte_of_its_results():
    for count in range(0, 60, 5):
        left = {"bytes": count}

        def mischief(frame, left=left):
            wire = encode(frame)
            if frame.type == Type.INFO:
                return wire
            part = wire[: left["bytes"]]
            left["bytes"] -= len(part)
            return part

        board = ModelBoard(CONFIG, mischief)
        text = refused(board.port, run, 2 * TIMEOUT)
        assert "no progress" in text or "lost" in text or "damaged" in text


@pytest.mark.parametrize("seed", range(30))
def test_mutated_frames_never_give_a_wrong_result(seed):
    """Bits, bytes and whole frames go wrong on the way to the host; it returns the model's result or refuses."""
    rng = np.random.default_rng([RNG_SEED, seed])

    def mischief(frame):
        wire = bytearray(encode(frame))
        if frame.type != Type.INFO and rng.random() < 0.3:
            place = int(rng.integers(len(wire)))
            match int(rng.integers(5)):
                case 0:
                    wire[place] ^= 1 << int(rng.integers(8))
                case 1:
                    del wire[place]
                case 2:
                    wire.insert(place, int(rng.integers(256)))
                case 3:
                    wire *= 2
                case 4:
                    wire = wire[:place]
        return bytes(wire)

    scores = rng.integers(-128, 128, (20, 9))
    model = golden(CONFIG, scores)
    with open_link(ModelBoard(CONFIG, mischief).port, timeout=TIMEOUT) as link:
        start, answer = time.monotonic(), None
        with contextlib.suppress(LinkError):
            link.handshake(CONFIG)
            answer = link.run(scores)
        if answer is not None:
            assert np.array_equal(answer["probabilities"], model.probabilities)
            assert np.array_equal(answer["argmax"], model.argmax)
        assert time.monotonic() - start < 4 * TIMEOUT + SLACK


def test_the_program_ends_with_one_line_and_code_4():
    board = TalkingBoard(endless_results, preset("digits-softmax"))
    command = ["run-on-board", "--port", board.port, "--preset", "digits-softmax"]
    done = subprocess.run(
        [sys.executable, "-m", "softstream", *command, "--vectors", "20", "--timeout", "0.5", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4, done.stderr
    [line] = done.stderr.splitlines()
    assert "60 bytes of its result came" in line
