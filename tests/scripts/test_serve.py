"""`softstream serve` as a command: its refusals before anything is opened, and its end by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest
from support.model_board import ModelBoard

from softstream.hw.config.presets import preset
from softstream.scripts.demonstration.application import listening_sockets


def test_errors_are_one_line_with_exit_code(cli):
    [listener] = listening_sockets(0)
    port = listener.getsockname()[1]
    for arguments, code, text in (
        ((), 2, "Missing option '--board'"),
        (("--board", "icebreker"), 2, "icebreaker"),
        (("--board", "icebreaker", "sigmoid-int8"), 2, "for example --preset digits-softmax"),
        (("--board", "icebreaker", "--http-port", port), 2, f"--http-port {port}: in use by another program"),
        (
            ("--board", "icebreaker", "--simulated", "--port", "/dev/ttyUSB1"),
            2,
            "a simulated board has a port of its own",
        ),
        (
            ("--board", "icebreaker", "--port", "/dev/none", "--http-port", 0),
            4,
            "--port /dev/none: there is no such port",
        ),
    ):
        status, out, err = cli("serve", *arguments)
        assert (status, "Traceback" in err) == (code, False), err
        assert text in err
        assert len(err.strip().splitlines()) == 1
        assert "http://" not in out
    listener.close()


def test_without_tornado_the_extra_is_named(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "tornado.web", None)
    monkeypatch.delitem(sys.modules, "softstream.scripts.demonstration.application", raising=False)
    status, _, err = cli("serve", "--board", "icebreaker", "--http-port", 0)
    assert (status, "pip install 'softstream[serve]'" in err) == (3, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(number):
    board = ModelBoard(preset("digits-softmax"))
    command = [sys.executable, "-m", "softstream", "serve", "--board", "icebreaker"]
    command += ["--port", board.port, "--http-port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        text = ""
        while not text.endswith("\n}\n"):
            text += process.stdout.readline()
        request = urllib.request.Request(
            json.loads(text)["address"] + "example", b"{}", {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["differences"] == 0
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=20)
        assert "Traceback" not in err
        assert process.returncode == 0
    finally:
        process.kill()
