"""After installation nothing asks for a network: verbs run in a network namespace that has none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCORES = Path(__file__).resolve().parents[2] / "sim" / "data" / "digits_scores.npy"
WITHOUT_NETWORK = ("unshare", "-rn")
"""A new user namespace, in which this user may make a network namespace; that has no interface that is up."""


def can_unshare():
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_unshare(), reason="this system makes no network namespace (unshare -rn)")


def offline(folder, *arguments):
    """Runs Python without a network and with an empty cache, which could hold what a download brought."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [*WITHOUT_NETWORK, sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def verb(folder, *arguments):
    done = offline(folder, "-m", "softstream", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_the_namespace_has_no_network(tmp_path):
    """Without this the tests below could not fail. The address is one for documentation (RFC 5737)."""
    text = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = offline(tmp_path, "-c", text)
    assert done.returncode == 1
    assert "Network is unreachable" in done.stderr


def test_verilog_is_generated_offline(tmp_path):
    verb(tmp_path, "generate", "digits-softmax", "-o", "head")
    assert (tmp_path / "head").is_dir()


LONGER = [
    ("run", "digits-softmax", "--scores", SCORES, "-o", "results.npz"),
    ("simulate", "argmax-int8", "--set", "max_length=4"),
    ("compare", "--no-place", "-o", "report.html"),
    ("explore", "argmax-int8", "--set", "max_length=4", "--sweep", "score_width=4,5", "--part", "hx8k"),
    ("build", "--board", "icestick", "--set", "mode=argmax", "-o", "board"),
]


@pytest.mark.long
@pytest.mark.parametrize("arguments", LONGER, ids=lambda arguments: arguments[0])
def test_simulators_and_tools_run_offline(tmp_path, arguments):
    """The tools of a bitstream are WebAssembly that is compiled at the first run; the empty cache makes it one."""
    verb(tmp_path, *arguments)
