"""The connection to a cluster: TLS files, versions of workers, the absence of workers, and dask's own words."""

import logging
import threading
import time
import warnings
from types import SimpleNamespace

import pytest

from softstream.hw.errors import UserError
from softstream.scripts.measure import cluster
from softstream.scripts.measure.cluster import PLAIN, Tls, watched

PACKAGES = dict.fromkeys(cluster._SAME_PACKAGES, "1.0") | {"python": "3.11.2.final.0"}


@pytest.fixture
def files(tmp_path):
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("nothing")
    return Tls(*(str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")))


def test_without_files_there_is_no_tls():
    assert not PLAIN.check("tcp://127.0.0.1:8786")
    with pytest.raises(UserError, match=r"TLS needs three files; for example --tls-ca ca\.pem"):
        PLAIN.check("tls://127.0.0.1:8786")


def test_all_three_files_make_tls(files):
    assert files.check("tls://127.0.0.1:8786")
    with pytest.raises(UserError, match=r"must begin with tls:// for TLS; for example tls://127\.0\.0\.1:8786"):
        files.check("tcp://127.0.0.1:8786")


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_file_that_is_missing_is_named(name, files, tmp_path):
    parts = {"ca": files.ca, "cert": files.cert, "key": files.key}
    with pytest.raises(UserError, match=rf"^--tls-{name}: not given; TLS needs all three"):
        Tls(**parts | {name: None}).check("tls://127.0.0.1:8786")
    with pytest.raises(UserError, match=rf"^--tls-{name} .*none\.pem: no such file; must be a file in PEM format"):
        Tls(**parts | {name: str(tmp_path / "none.pem")}).check("tls://127.0.0.1:8786")


def test_files_that_are_no_certificates_are_one_line(files):
    pytest.importorskip("distributed")
    with pytest.raises(UserError, match=r"^--tls-cert .*: not usable with .* must be files in PEM format"):
        cluster._security("tls://127.0.0.1:8786", files)


def client(**workers):
    def sync(function, packages, callback_timeout):
        assert packages == cluster._SAME_PACKAGES
        assert callback_timeout == cluster._VERSIONS_SECONDS
        return {"client": {"packages": PACKAGES}, "workers": workers}

    return SimpleNamespace(sync=sync, _get_versions=None)


@pytest.fixture
def python_3_11(monkeypatch):
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "11", "7"))


def test_workers_of_the_same_versions_are_accepted(python_3_11):
    cluster._check_versions(client(a={"packages": PACKAGES}, b={"packages": PACKAGES}), "tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(({name: "0.9"}, f"{name} is 0.9, here it is 1.0") for name in cluster._SAME_PACKAGES),
        ({"python": "3.13.0.final.0"}, "python is 3.13, here it is 3.11"),
    ],
)
def test_a_worker_of_another_version_is_named(change, words, python_3_11):
    workers = client(good={"packages": PACKAGES}, other={"packages": PACKAGES | change})
    with pytest.raises(UserError, match=rf"^worker at other: {words}; must be the same everywhere"):
        cluster._check_versions(workers, "tcp://127.0.0.1:1")


@pytest.mark.parametrize("answer", [None, "an error", {}, {"packages": {}}])
def test_a_worker_that_does_not_say_its_versions_is_named(answer, python_3_11):
    with pytest.raises(UserError, match=r"^worker at odd: distributed is None"):
        cluster._check_versions(client(odd=answer), "tcp://127.0.0.1:1")


def test_a_scheduler_that_does_not_understand_is_one_line():
    def sync(function, packages, callback_timeout):
        raise TimeoutError

    with pytest.raises(
        UserError, match=r"^--scheduler tcp://127\.0\.0\.1:1: it does not understand this version of dask"
    ):
        cluster._check_versions(SimpleNamespace(sync=sync, _get_versions=None), "tcp://127.0.0.1:1")


def with_workers(answer):
    """A client whose scheduler answers with the workers of `answer()`, and the list of what it does about a bad answer."""
    aborted = []
    identity = SimpleNamespace(identity=None)
    loop = SimpleNamespace(add_callback=lambda callback: callback())
    comm = SimpleNamespace(comm=SimpleNamespace(abort=lambda: aborted.append(True)))
    sync = lambda function, callback_timeout: {"workers": answer()}  # noqa: E731
    return SimpleNamespace(sync=sync, scheduler=identity, loop=loop, scheduler_comm=comm), aborted


def test_the_absence_of_workers_is_said_once_each_time():
    lines, workers = [], {}
    with watched(with_workers(lambda: workers)[0], "tcp://x", 0.1, lines.append):
        time.sleep(0.6)
        assert lines == ["--scheduler tcp://x: no worker for 0.1 s; start some, for example: dask worker tcp://x"]
        workers["a"] = {}
        time.sleep(0.3)
        workers.clear()
        time.sleep(0.6)
    assert len(lines) == 2


@pytest.mark.parametrize("error", [OSError, TimeoutError])
def test_a_scheduler_that_does_not_answer_is_left(error):
    def no_answer():
        raise error

    client, aborted = with_workers(no_answer)
    with watched(client, "tcp://x", 0.01, pytest.fail):
        time.sleep(0.1)
    assert aborted == [True]


def test_a_scheduler_that_never_answers_does_not_hold_up_the_end():
    asked, answered = threading.Event(), threading.Event()

    def late():
        asked.set()
        answered.wait(60)

    began = time.monotonic()
    with watched(with_workers(late)[0], "tcp://x", 0.01, pytest.fail):
        assert asked.wait(10)
    assert time.monotonic() - began < 10
    answered.set()


@pytest.fixture
def levels():
    names = [*cluster._LIBRARIES, "distributed.client"]
    before = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_dask_says_nothing(levels, caplog, recwarn):
    logging.getLogger("distributed.client").setLevel(logging.WARNING)
    cluster._silence()
    for name in ("distributed.client", "asyncio", "tornado.application"):
        logging.getLogger(name).error("a traceback")
    warnings.warn_explicit("a table of versions", UserWarning, "client.py", 1, module="distributed.client")
    assert not caplog.records
    assert not recwarn.list
