"""A dask scheduler and workers as processes of their own, on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from support.waiting import wait_for

__all__ = ["Cluster", "with_compiled_tools"]

COMPILED = platformdirs.user_cache_path("wasmtime", appauthor=False)


def with_compiled_tools(cache: Path) -> None:
    """An empty cache but for the compiled Yosys of Amaranth, which would take every process 20 s to compile."""
    COMPILED.mkdir(parents=True, exist_ok=True)
    cache.mkdir()
    (cache / "wasmtime").symlink_to(COMPILED)


class Cluster:
    """A scheduler and its workers. `scheduler` and `workers` are further options of theirs, such as those of TLS."""

    def __init__(self, folder: Path, scheduler: tuple[str, ...] = (), workers: tuple[str, ...] = ()) -> None:
        self.folder, self._options = folder, workers
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        file = folder / "s.json"
        alone = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        self._start("scheduler", ("scheduler", *alone, *scheduler), os.environ)
        wait_for(lambda: file.exists() and file.read_text().endswith("}"))
        self.address: str = json.loads(file.read_text())["address"]

    def _start(self, name: str, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def worker(self, name: str, preload: str = "") -> None:
        """Starts a worker that runs a text first. A cache of its own: nothing reaches the client but through the scheduler."""
        place = self.folder / name
        place.mkdir()
        (place / "preload.py").write_text(preload)
        with_compiled_tools(place / "cache")
        alone = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60", "--host", "127.0.0.1")
        own = ("--name", name, "--local-directory", str(place), "--preload", str(place / "preload.py"))
        environment = os.environ | {"XDG_CACHE_HOME": str(place / "cache")}
        self._start(name, ("worker", self.address, *alone, *own, *self._options), environment)

    def end(self) -> None:
        """Kills every process."""
        for process in self.processes.values():
            process.kill()
            process.wait()
