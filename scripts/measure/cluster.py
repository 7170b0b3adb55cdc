"""The connection to a cluster of dask: who answers, with which versions, over TLS if asked for, and without dask's own words.

A scheduler must be trusted: tasks and results are pickled Python objects, so whoever controls it runs code here.
"""

from __future__ import annotations

import logging
import platform
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softstream.hw.errors import UserError
from softstream.hw.extras import need

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["PLAIN", "Tls", "connected", "watched"]

_CONNECT_SECONDS = 10
_VERSIONS_SECONDS = 20
_SILENT_SECONDS = 60
_LEAVE_SECONDS = 1
_LIBRARIES = ("distributed", "tornado", "asyncio")
_SAME_PACKAGES = ("distributed", "cloudpickle", "msgpack", "softstream")
"""Packages whose version decides whether a worker understands this client."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM format for a `tls://` scheduler; all three, or none for a plain connection."""

    ca: str | None = None
    """Certificate authority."""
    cert: str | None = None
    """Certificate of this client."""
    key: str | None = None
    """Private key of the certificate."""

    def check(self, address: str | None) -> bool:
        """Whether TLS is asked for. Raises `UserError` for an incomplete set, a missing file or an address without TLS."""
        files = {"--tls-ca": self.ca, "--tls-cert": self.cert, "--tls-key": self.key}
        if not any(files.values()):
            if address is not None and address.startswith("tls://"):
                raise UserError(
                    f"--scheduler {address}: TLS needs three files; for example --tls-ca ca.pem --tls-cert cert.pem "
                    "--tls-key key.pem"
                )
            return False
        absent = [option for option, file in files.items() if not file]
        if absent:
            raise UserError(
                f"{absent[0]}: not given; TLS needs all three: --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem"
            )
        if address is None or not address.startswith("tls://"):
            raise UserError(f"--scheduler {address}: must begin with tls:// for TLS; for example tls://127.0.0.1:8786")
        for option, file in files.items():
            if not Path(str(file)).is_file():
                raise UserError(f"{option} {file}: no such file; must be a file in PEM format, for example cert.pem")
        return True


PLAIN = Tls()
"""A connection without TLS."""


@contextmanager
def connected(address: str, tls: Tls, workers_seconds: float) -> Iterator[Client]:
    """A client of the scheduler, once it has a worker and the versions of dask are the same everywhere.

    Raises `MissingTool` without dask, and `UserError` for a scheduler that does not answer, that has no workers, or one of whose
    workers has another version.
    """
    need("--scheduler", "cluster")
    import distributed

    class Client(distributed.Client):
        def __del__(self) -> None:
            """Of a client without a connection, dask's own waits for it and prints a traceback."""

    _silence()
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, security=_security(address, tls))
    except (OSError, ValueError, TypeError):
        raise UserError(
            f"--scheduler {address}: no scheduler of distributed {distributed.__version__} answers there; must be the address "
            "of a running dask scheduler of that version, for example tcp://127.0.0.1:8786"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=workers_seconds)
        except TimeoutError:
            raise UserError(
                f"--scheduler {address}: it has no workers; start some, for example: dask worker {address}"
            ) from None
        _check_versions(client, address)
        yield client


def _security(address: str, tls: Tls) -> Any:
    from distributed.security import Security

    if not tls.check(address):
        return None
    try:
        security = Security(
            tls_ca_file=tls.ca, tls_client_cert=tls.cert, tls_client_key=tls.key, require_encryption=True
        )
        security.get_connection_args("client")  # reads the files
    except (OSError, ValueError) as error:
        raise UserError(
            f"--tls-cert {tls.cert}: not usable with {tls.key} and {tls.ca} ({error}); must be files in PEM format that belong "
            "together, for example cert.pem"
        ) from None
    return security


def _check_versions(client: Client, address: str) -> None:
    """Raises `UserError` for a worker whose dask would not understand this client, or that does not say its versions."""
    try:
        versions: Any = client.sync(client._get_versions, packages=_SAME_PACKAGES, callback_timeout=_VERSIONS_SECONDS)
    except Exception:  # of many kinds: what an incompatible scheduler sends
        raise UserError(
            f"--scheduler {address}: it does not understand this version of dask; must have the same versions everywhere, for "
            "example by pip install -c scripts/constraints.txt"
        ) from None
    own_versions = {name: versions["client"]["packages"].get(name) for name in _SAME_PACKAGES}
    own_versions["python"] = ".".join(platform.python_version_tuple()[:2])
    for name, facts in versions["workers"].items():
        packages = facts.get("packages", {}) if isinstance(facts, dict) else {}
        worker_versions = {package: packages.get(package) for package in _SAME_PACKAGES}
        worker_versions["python"] = ".".join(str(packages.get("python", "")).split(".")[:2])
        for package, version in own_versions.items():
            other = worker_versions[package]
            if other != version:
                raise UserError(
                    f"worker at {name}: {package} is {other}, here it is {version}; must be the same everywhere, for "
                    "example by pip install -c scripts/constraints.txt"
                )


@contextmanager
def watched(client: Client, address: str, seconds: float, tell: Callable[[str], None]) -> Iterator[None]:
    """Within the block, says so once whenever the scheduler has had no worker for some seconds.

    A scheduler that does not answer within a minute is left: dask cancels every future, as for one that ends.
    """
    done = threading.Event()
    connection: Any = client  # whose types allow None for what an open client has

    def watch() -> None:
        without = 0.0
        step = min(seconds / 5, 5.0)
        while not done.wait(step):
            try:
                workers = connection.sync(connection.scheduler.identity, callback_timeout=_SILENT_SECONDS)["workers"]
            except Exception:  # of many kinds; no answer, or the connection is gone
                connection.loop.add_callback(connection.scheduler_comm.comm.abort)
                return
            without = 0.0 if workers else without + step
            if without >= seconds > without - step and not done.is_set():
                tell(
                    f"--scheduler {address}: no worker for {seconds:g} s; start some, for example: dask worker {address}"
                )

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(_LEAVE_SECONDS)


def _silence() -> None:
    """From now on dask says nothing: each of its faults ends in one line of softstream's.

    It stays so until the process ends, because threads and objects of dask outlive the connection.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] in _LIBRARIES] + list(
        _LIBRARIES
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed")
