"""Sweeps on a real scheduler and real workers, which are processes on loopback: TLS, lost workers, dead schedulers, versions."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.cluster import Cluster, with_compiled_tools
from support.waiting import wait_for

pytest.importorskip("distributed", reason="the extra [cluster] is not installed")

OPENSSL = shutil.which("openssl")
SWEEP = ("explore", "digits-argmax", "--sweep", "max_length=2,3,5", "--no-place", "--json")
CLIENT = "import sys; from softstream.scripts.verbs import explore; explore._WORKERS_SECONDS = float(sys.argv[1]); "
CLIENT += "from softstream.scripts.measure import cluster; cluster._SILENT_SECONDS = 30; "
CLIENT += "from softstream.scripts.cli import main; main(sys.argv[2:])"

pytestmark = pytest.mark.long


def client(cluster, *options, seconds=60.0, address=None):
    # A cache of its own: with all points in it a client asks no scheduler.
    cache = Path(tempfile.mkdtemp(dir=cluster.folder)) / "cache"
    with_compiled_tools(cache)
    words = [*SWEEP, "--scheduler", address or cluster.address, *options]
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(seconds), *words],
        cwd=cluster.folder,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process, seconds=300):
    """Exit code, points and lines of a client."""
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err, err
    points = json.loads(out)["points"] if process.returncode == 0 else None
    return process.returncode, points, err.splitlines()


@pytest.fixture
def clusters(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    started = []

    def start(tls=None):
        own = [() if tls is None else ("--protocol", "tls", *files(tls, owner)) for owner in ("scheduler", "worker")]
        started.append(Cluster(tmp_path, *own))
        return started[-1]

    yield start
    for cluster in started:
        cluster.end()


def authority(folder: Path, name: str = "ca") -> Path:
    """A folder with an authority, and certificates of a scheduler, a worker and a client that it signed."""
    place = folder / name
    place.mkdir()

    def openssl(*words):
        subprocess.run([OPENSSL, *words], cwd=place, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    for owner in ("scheduler", "worker", "client"):
        openssl("req", *curve, "-keyout", f"{owner}.key", "-out", f"{owner}.csr", "-subj", f"/CN={owner}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", f"{owner}.pem")
        openssl("x509", "-req", "-in", f"{owner}.csr", *signed)
    return place


def files(place: Path, owner: str, key: str | None = None) -> tuple[str, ...]:
    """The options of a certificate, for dask as for softstream."""
    names = {"ca": "ca.pem", "cert": f"{owner}.pem", "key": f"{key or owner}.key"}
    prefix = "--tls-ca-file" if owner != "client" else "--tls-ca"
    paths = {name: str(place / file) for name, file in names.items()}
    return (prefix, paths["ca"], "--tls-cert", paths["cert"], "--tls-key", paths["key"])


@pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificates")
def test_tls_with_certificates_of_one_authority_works_and_others_are_one_line(clusters, tmp_path):
    place, foreign = authority(tmp_path), authority(tmp_path, "foreign")
    cluster = clusters(place)
    assert cluster.address.startswith("tls://")
    cluster.worker("one")
    code, points, lines = answer(client(cluster, *files(place, "client")))
    assert code == 0, lines
    assert [point["config"]["max_length"] for point in points] == [2, 3, 5]
    refused = {
        "of another authority": client(cluster, *files(foreign, "client")),
        "key of another certificate": client(cluster, *files(place, "client", key="worker")),
        "without a certificate": client(cluster),
        "without TLS": client(cluster, address=cluster.address.replace("tls://", "tcp://")),
    }
    for name, process in refused.items():
        code, _, lines = answer(process)
        assert (code, len(lines)) == (2, 1), (name, code, lines)
        assert lines[0].startswith("error: --"), (name, lines)
        assert "for example" in lines[0], (name, lines)


def test_no_workers_are_one_line(clusters):
    code, _, lines = answer(client(clusters(), seconds=1.0))
    assert (code, len(lines)) == (2, 1)
    assert "it has no workers; start some, for example: dask worker tcp://127.0.0.1:" in lines[0]


# A worker that says when it has a point, and holds it for a moment.
HOLDING = """
import time
from pathlib import Path
from softstream.scripts.verbs import explore
def dask_setup(worker):
    evaluate = explore._evaluate
    explore._evaluate = lambda task: Path("busy").touch() or time.sleep(1) or evaluate(task)
"""
# A worker that says that it has another version of a package, or none.
OTHER_VERSION = """
from distributed import versions
def dask_setup(worker):
    version = versions.version
    versions._version_cached.cache_clear()
    def other(name):
        if name == {package!r}:
            {what}
        return version(name)
    versions.version = other
"""


def in_the_middle(folder, process):
    """Returns once a worker has a point."""
    wait_for(lambda: (folder / "busy").exists() or process.poll() is not None, 300)
    assert process.poll() is None, process.communicate()


def test_the_loss_of_the_last_worker_is_said_and_another_one_completes_the_sweep(clusters, tmp_path):
    cluster = clusters()
    cluster.worker("one", HOLDING)
    process = client(cluster, seconds=2.0)
    in_the_middle(tmp_path, process)
    cluster.processes["one"].kill()
    line = process.stderr.readline()
    assert line == (
        f"--scheduler {cluster.address}: no worker for 2 s; start some, for example: dask worker {cluster.address}\n"
    )
    cluster.worker("two")
    code, points, lines = answer(process)
    assert code == 0, lines
    assert [point["config"]["max_length"] for point in points] == [2, 3, 5]
    # Said again where the second worker took longer than the two seconds to come.
    assert all("no worker for 2 s" in line for line in lines)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_scheduler_that_ends_or_hangs_in_the_middle_is_one_line(number, clusters, tmp_path):
    cluster = clusters()
    cluster.worker("one", HOLDING)
    process = client(cluster)
    in_the_middle(tmp_path, process)
    cluster.processes["scheduler"].send_signal(number)
    code, _, lines = answer(process)
    assert (code, lines) == (1, [f"error: --scheduler {cluster.address}: the scheduler went away"])


@pytest.mark.parametrize(
    ("package", "what", "says"),
    [
        ("distributed", "return '2024.1.0'", "distributed is 2024.1.0, here it is"),
        ("softstream", "raise ImportError", "softstream is None, here it is"),
    ],
)
def test_a_worker_of_another_version_is_named(package, what, says, clusters):
    cluster = clusters()
    cluster.worker("other", OTHER_VERSION.format(package=package, what=what))
    code, _, lines = answer(client(cluster))
    assert (code, len(lines)) == (2, 1), lines
    assert lines[0].startswith("error: worker at tcp://127.0.0.1:"), lines
    assert says in lines[0]
