"""The packages of the Python package index that bring the tools: their versions, and the first run of a compiled one."""

import fcntl
import importlib.metadata
from collections.abc import Callable, Iterable
from pathlib import Path

from softstream.hw.errors import MissingTool

__all__ = ["prepare", "versions"]


def versions(packages: Iterable[str], missing: Callable[[str], str]) -> dict[str, str]:
    """Package → version. Raises `MissingTool` with the text of `missing(package)` for one that is not installed."""
    installed = {}
    for package in packages:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise MissingTool(missing(package)) from None
    return installed


def prepare(package: str, cache: Path, first_run: Callable[[], object]) -> None:
    """Calls `first_run` unless this version of a YoWASP tool ran before; other processes wait for it.

    The first run of such a tool compiles it for some seconds and stores the result. Two at once would do that twice, and the
    second would rewrite a file that other processes may have mapped already.
    """
    ready = cache / f"{package}-{importlib.metadata.version(package)}.ready"
    if ready.exists():
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = ready.with_suffix(".lock").open("w")
    except OSError:  # a cache that cannot be written costs time, nothing else
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            first_run()
            ready.touch()
