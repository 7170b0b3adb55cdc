"""Sweeps on a real scheduler and real workers, which are processes on loopback: TLS, and no worker."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra [cluster] is not installed")

OPENSSL = shutil.which("openssl")
SWEEP = ("explore", "digits-argmax", "--sweep", "max_length=2,3,5", "--no-place", "--json")
CLIENT = "import sys; from softstream.scripts.verbs import explore; explore._WORKERS_SECONDS = float(sys.argv[1]); "
CLIENT += "from softstream.scripts.cli import main; main(sys.argv[2:])"

pytestmark = pytest.mark.long


class Cluster:
    """A scheduler, its workers and clients, each a process with a cache of its own."""

    def __init__(self, folder, tls=None):
        self.folder, self.processes, self.tls = folder, {}, tls
        options = () if tls is None else ("--protocol", "tls", *files(tls, "scheduler"))
        place = ("--scheduler-file", str(folder / "s.json"))
        self.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *place, *options)
        wait_for(lambda: (folder / "s.json").exists() and (folder / "s.json").read_text().endswith("}"))
        self.address = json.loads((folder / "s.json").read_text())["address"]

    def start(self, name, *words):
        with (self.folder / f"{name}.log").open("w") as log:
            command = [sys.executable, "-m", "dask", *words]
            self.processes[name] = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def worker(self, name, preload=""):
        place = self.folder / name
        place.mkdir()
        (place / "preload.py").write_text(preload)
        options = () if self.tls is None else ("--protocol", "tls", *files(self.tls, "worker"))
        alone = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--name", name)
        own = ("--local-directory", str(place), "--preload", str(place / "preload.py"))
        self.start(name, "worker", self.address, *alone, *own, *options)

    def client(self, *options, seconds=60.0, address=None):
        # A cache of its own: with all points in it a client asks no scheduler.
        cache = tempfile.mkdtemp(dir=self.folder)
        words = [*SWEEP, "--scheduler", address or self.address, *options]
        return subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(seconds), *words],
            cwd=self.folder,
            env=os.environ | {"XDG_CACHE_HOME": cache},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
        started.append(Cluster(tmp_path, tls))
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
    code, points, lines = answer(cluster.client(*files(place, "client")))
    assert code == 0, lines
    assert [point["config"]["max_length"] for point in points] == [2, 3, 5]
    refused = {
        "of another authority": cluster.client(*files(foreign, "client")),
        "key of another certificate": cluster.client(*files(place, "client", key="worker")),
        "without a certificate": cluster.client(),
        "without TLS": cluster.client(address=cluster.address.replace("tls://", "tcp://")),
    }
    for name, client in refused.items():
        code, _, lines = answer(client)
        assert (code, len(lines)) == (2, 1), (name, code, lines)
        assert lines[0].startswith("error: --"), (name, lines)
        assert "for example" in lines[0], (name, lines)


def test_no_workers_are_one_line(clusters):
    code, _, lines = answer(clusters().client(seconds=1.0))
    assert (code, len(lines)) == (2, 1)
    assert "it has no workers; start some, for example: dask worker tcp://127.0.0.1:" in lines[0]
