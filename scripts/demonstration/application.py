"""The web page of `softstream serve`: three files and three requests, on the loopback interface.

| request | answer |
| --- | --- |
| GET `/`, `/page.css`, `/page.js` | the page; it loads nothing from elsewhere |
| GET `/board` | JSON: board, link, clock, configuration |
| POST `/drawing` with `{"strokes": [[[x, y], ...], ...]}` | JSON: a `Recognition` |
| POST `/example` with `{}` | JSON: the same for a digit that the network has not seen, with its `label` |

A request that is refused has status 400, a fault of the link 502; both have `{"error": "one line"}`. Only requests whose `Host`
names the loopback interface are answered, and POST takes JSON alone, so another page in the browser cannot use the board.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from typing import Any

import tornado.httpserver
import tornado.routing
import tornado.web

from softstream.hw.errors import LinkError, UserError
from softstream.scripts.demonstration.classifier import Classifier, Recognition
from softstream.scripts.demonstration.drawing import checked_strokes, pixels_of

__all__ = ["HOST", "Server", "listening_sockets"]

HOST = "127.0.0.1"
_LOOPBACK = r"(127\.0\.0\.1|localhost)(:\d+)?"
_MOST_BYTES = 1 << 18
"""Most bytes of a request: a drawing of `MOST_POINTS` points has less than half of it."""
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def listening_sockets(port: int) -> list[socket.socket]:
    """A socket that listens on the loopback interface; port 0 takes a free one.

    Raises `UserError` for a port that is in use or that this user may not open, with one that was free a moment ago.
    """
    try:
        return [_listening(port)]
    except OSError as error:
        with _listening(0) as free:
            remedy = free.getsockname()[1]
        why = "not allowed for this user" if isinstance(error, PermissionError) else "in use by another program"
        raise UserError(f"--http-port {port}: {why}; for example --http-port {remedy}") from None


def _listening(port: int) -> socket.socket:
    """A socket that is not shared: without SO_REUSEPORT a second server on the same port is refused."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


class _Handler(tornado.web.RequestHandler):
    """Headers of every answer, and errors as one line of JSON."""

    server: Server

    def initialize(self, server: Server) -> None:
        self.server = server

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish({"error": f"{status_code} {self._reason}"})

    def refuse(self, status: int, error: Exception) -> None:
        """Ends the request with an error."""
        self.set_status(status)
        self.finish({"error": str(error)})

    def content(self) -> Mapping[str, Any]:
        """The JSON object of a request. Raises `UserError`."""
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise UserError("request: its content type must be application/json")
        try:
            content = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise UserError("request: no JSON document") from None
        if not isinstance(content, dict):
            raise UserError('request: must be a JSON object; for example {"strokes": [[[0.5, 0.1], [0.5, 0.9]]]}')
        return content

    async def answer(self, work: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        """Ends the request with the result of work that occupies the link."""
        try:
            content = self.content()
            result = await asyncio.get_running_loop().run_in_executor(self.server.worker, work, content)
        except UserError as error:
            self.refuse(400, error)
        except LinkError as error:
            self.refuse(502, error)
        else:
            self.finish(result)


class _Unknown(_Handler):
    def prepare(self) -> None:
        self.send_error(404)


class _File(_Handler):
    def get(self) -> None:
        name, kind = _FILES[self.request.path]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.finish((resources.files(__package__) / name).read_bytes())


class _Board(_Handler):
    def get(self) -> None:
        self.finish(dict(self.server.description))


class _Drawing(_Handler):
    async def post(self) -> None:
        await self.answer(lambda content: self.server.drawing(content.get("strokes")))


class _Example(_Handler):
    async def post(self) -> None:
        await self.answer(lambda _: self.server.example())


class Server:
    """The page in front of a classifier. `description` is the answer of `/board`.

    All work with the board runs in one thread, one request after the other, because a link has one conversation at a time.
    """

    def __init__(self, classifier: Classifier, description: Mapping[str, Any]) -> None:
        self._classifier = classifier
        self.description = description
        self.worker = ThreadPoolExecutor(1)
        self.digits = 0
        """Digits that the board has answered."""
        self._example = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = threading.Event()
        arguments = {"server": self}
        rules: list[Any] = [
            *((path, _File, arguments) for path in _FILES),
            ("/board", _Board, arguments),
            ("/drawing", _Drawing, arguments),
            ("/example", _Example, arguments),
        ]
        self._application = tornado.web.Application(
            [tornado.routing.Rule(tornado.routing.HostMatches(_LOOPBACK), rules)],
            default_handler_class=_Unknown,
            default_handler_args=arguments,
            log_function=lambda handler: None,
        )

    def drawing(self, strokes: object) -> dict[str, Any]:
        """The answer to a drawing. Raises `UserError` for strokes of another form, `LinkError`."""
        return self._recognised(pixels_of(checked_strokes(strokes))).to_json()

    def example(self) -> dict[str, Any]:
        """The answer to the next digit that the network has not seen. Raises `LinkError`."""
        self._example = (self._example + 1) % self._classifier.examples
        pixels, label = self._classifier.example(self._example)
        return {**self._recognised(pixels).to_json(), "label": label}

    def _recognised(self, pixels: Any) -> Recognition:
        result = self._classifier.recognise(pixels)
        self.digits += 1
        return result

    def run(self, sockets: list[socket.socket], ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop` is called or the process is interrupted, then closes the sockets."""
        with suppress(asyncio.CancelledError):
            asyncio.run(self._serve(sockets, ready))

    async def _serve(self, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
        self._loop, end = asyncio.get_running_loop(), asyncio.Event()
        self._end = end
        server = tornado.httpserver.HTTPServer(
            self._application, max_body_size=_MOST_BYTES, max_buffer_size=_MOST_BYTES
        )
        server.add_sockets(sockets)
        try:
            ready()
            if not self._stopped.is_set():
                await end.wait()
        finally:
            server.stop()
            await server.close_all_connections()
            self.worker.shutdown(wait=True, cancel_futures=True)

    def stop(self) -> None:
        """Ends `run`, from any thread."""
        self._stopped.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._end.set)
