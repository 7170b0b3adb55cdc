"""The requests of the page over HTTP: the board's answer, refusals in one line, and who may ask."""

import http.client
import json
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from support.drawn_digits import DIGITS, demonstration

from softstream.boards.link.protocol import Frame, Type, encode
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError
from softstream.scripts.demonstration.application import listening_sockets

JSON = {"Content-Type": "application/json"}


def asked(address, method, path, content=None, headers=JSON):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.headers, text


@pytest.fixture(scope="module")
def address():
    with demonstration() as address:
        yield address


def test_a_drawn_digit_goes_through_the_board(address):
    digit, strokes = DIGITS[5]
    status, _, text = asked(address, "POST", "/drawing", {"strokes": strokes})
    result = json.loads(text)
    assert (status, result["winner"], result["differences"]) == (200, digit, 0)
    assert len(result["probabilities"]) == len(result["exact"]) == len(result["codes"]) == 10
    assert max(result["probabilities"]) == result["probabilities"][digit]
    assert max(abs(a - b) for a, b in zip(result["probabilities"], result["exact"], strict=True)) <= 2**-8
    assert result["microseconds"] == pytest.approx(result["cycles"] / 12, abs=1e-3)


def test_examples_follow_each_other(address):
    results = [json.loads(asked(address, "POST", "/example", {})[2]) for _ in range(3)]
    assert len({tuple(result["pixels"]) for result in results}) == 3
    assert all(result["winner"] == result["label"] for result in results)


def test_a_head_without_probabilities_names_the_winner():
    with demonstration(preset("digits-argmax")) as address:
        result = json.loads(asked(address, "POST", "/drawing", {"strokes": DIGITS[0][1]})[2])
    assert (result["winner"], result["probabilities"], result["differences"]) == (0, None, 0)


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")]
)
def test_the_page_loads_nothing_from_elsewhere(address, path, kind):
    status, headers, text = asked(address, "GET", path)
    assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert b"http" not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("content", "headers", "rule"),
    [
        (b"{", JSON, "no JSON document"),
        (b"[" * 100_000, JSON, "no JSON document"),
        (b"[]", JSON, "must be a JSON object"),
        (b"{}", JSON, "strokes: "),
        (b"{}", {}, "its content type must be application/json"),
        (b"{}", {"Content-Type": "text/plain"}, "its content type must be application/json"),
    ],
)
def test_a_request_of_another_form_is_refused_in_one_line(address, content, headers, rule):
    status, _, text = asked(address, "POST", "/drawing", content, headers)
    error = json.loads(text)["error"]
    assert status == 400
    assert rule in error
    assert "\n" not in error


def test_other_hosts_paths_and_methods_get_no_answer(address):
    assert asked(address, "GET", "/", headers={"Host": "example.org"})[0] == 404
    assert asked(address, "GET", "/../cli.py")[0] == 404
    assert asked(address, "GET", "/drawing")[0] == 405
    assert asked(address, "GET", "/board", headers={"Host": "localhost:1"})[0] == 200


def test_a_request_that_is_too_long_is_refused(address):
    # The server may close the connection before the client has sent everything.
    with suppress(ConnectionError):
        assert asked(address, "POST", "/drawing", b" " * (1 << 19))[0] == 400
    assert asked(address, "GET", "/board")[0] == 200


def test_a_board_that_fails_is_reported_and_asked_again():
    faults = [True]

    def mischief(frame):
        if frame.type == Type.RESULT and faults:
            faults.clear()
            return encode(Frame(Type.ERROR, 0, 0, b"\x01"))
        return encode(frame)

    with demonstration(mischief=mischief) as address:
        status, _, text = asked(address, "POST", "/example", {})
        assert (status, list(json.loads(text))) == (502, ["error"])
        assert "try again" in json.loads(text)["error"]
        assert asked(address, "POST", "/example", {})[0] == 200


def test_a_board_that_computes_wrongly_is_shown():
    def mischief(frame):
        if frame.type == Type.RESULT:
            frame = Frame(
                frame.type, frame.sequence, frame.acknowledge, bytes([frame.payload[0] ^ 1]) + frame.payload[1:]
            )
        return encode(frame)

    with demonstration(mischief=mischief) as address:
        assert json.loads(asked(address, "POST", "/example", {})[2])["differences"] == 1


def test_a_port_in_use_is_refused_with_one_that_is_free():
    [listener] = listening_sockets(0)
    port = listener.getsockname()[1]
    with pytest.raises(
        UserError, match=rf"^--http-port {port}: in use by another program; for example --http-port "
    ) as refusal:
        listening_sockets(port)
    listener.close()
    [other] = listening_sockets(int(str(refusal.value).rpartition(" ")[2]))
    other.close()
