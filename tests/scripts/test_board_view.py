"""The live view and the page of `run-on-board`, with a board that Python plays."""

import os
import pty
import subprocess
import sys
import time

import numpy as np
import pytest
from support.html_page import Page
from support.model_board import ModelBoard

from softstream.boards.link.host import open_link
from softstream.boards.link.protocol import Frame, Type, encode
from softstream.hw.config.presets import preset
from softstream.scripts.verbs.board_view import BoardView, bar_text, vector_text

CONFIG = preset("digits-softmax")


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "    "), (1, "████"), (0.5, "██  "), (1 / 32, "▏   "), (0.999, "████"), (2, "████"), (-1, "    ")],
)
def test_a_bar_has_steps_of_an_eighth(fraction, text):
    assert bar_text(fraction, 4) == text


def test_the_view_shows_the_last_vectors_within_the_width():
    with open_link(ModelBoard(CONFIG).port) as link:
        link.handshake(CONFIG)
        assert link.latest() is None
        codes = np.array([[0, 127, 0, 0], [0, 0, 0, 127]])
        answer = link.run(codes)
        assert (link.latest()["probabilities"] == answer["probabilities"][-1:]).all()
        assert vector_text(CONFIG, link.latest()).startswith("  3 ██████  99.6 %")
        view = BoardView(CONFIG, link, 40)
        assert view.update(0.5, "random vectors")
        assert not view.update(0.6)
        lines = view.lines()
    assert "50 %  random vectors" not in lines[0]
    assert " 60 %" in lines[0]
    assert lines[1].startswith("2 vectors, ")
    assert "3 ██████" in lines[2]
    assert max(map(len, lines)) <= 40


def test_a_mode_without_probabilities_shows_its_values():
    config = preset("digits-argmax")
    with open_link(ModelBoard(config).port) as link:
        link.handshake(config)
        link.run(np.array([[3, 5]]))
        assert vector_text(config, link.latest()) == "argmax 1, best 5"


def test_the_page_has_the_verdict_and_the_vectors(cli, tmp_path):
    page = tmp_path / "report.html"
    arguments = ("run-on-board", "digits-softmax", "--vectors", "5", "-o", page, "--port")
    status, out, _ = cli(*arguments, ModelBoard(CONFIG).port)
    assert (status, f"report: {page}" in out) == (0, True)
    text = page.read_text(encoding="utf-8")
    parts = Page(text)
    assert parts.tags["svg"] == 4
    assert "Equal to the model, bit for bit" in text

    def mischief(frame):
        if frame.type == Type.RESULT:
            frame = Frame(
                frame.type, frame.sequence, frame.acknowledge, bytes([frame.payload[0] ^ 1]) + frame.payload[1:]
            )
        return encode(frame)

    assert cli(*arguments, ModelBoard(CONFIG, mischief).port)[0] == 1
    assert "values differ from the model" in page.read_text(encoding="utf-8")


def test_a_page_in_a_missing_folder_is_refused_before_the_port_is_opened(cli, tmp_path):
    place = tmp_path / "file" / "report.html"
    (tmp_path / "file").write_text("")
    status, _, err = cli("run-on-board", "digits-softmax", "-o", place, "--port", "/dev/none")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "/dev/none" not in err


@pytest.mark.parametrize("quiet", [False, True])
def test_the_view_appears_on_a_terminal_only(quiet):
    """In a terminal of 60 columns; without one, and with --quiet, there are no control sequences."""
    board = ModelBoard(CONFIG)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "softstream", "run-on-board", "digits-softmax", "--port", board.port]
    process = subprocess.Popen(
        [*command, *(["--quiet"] if quiet else [])],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "COLUMNS": "60", "TERM": "xterm"},
    )
    os.close(slave)
    text, end = b"", time.monotonic() + 60
    try:
        while time.monotonic() < end and (part := os.read(master, 4096)):
            text += part
    except OSError:  # the terminal has no writer any more
        pass
    out, _ = process.communicate(timeout=20)
    os.close(master)
    assert process.returncode == 0
    assert b"\x1b" not in out
    assert (b"vectors, " in text, b"\xe2\x96\x88" in text) == (not quiet, not quiet)
    assert quiet or b"\x1b[" in text
