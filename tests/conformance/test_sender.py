"""What every Sender does: the double of the tests and apprise with a real HTTP server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from alerting.adapters.apprise import AppriseSender
from alerting.ports import Sender, SendError
from tests.unit.alerting.sender_fakes import FakeSender, delivery


class Receiver(Protocol):
    """The other side of a channel."""

    @property
    def sender(self) -> Sender:
        """What is tested."""

    def refuse(self) -> None:
        """Refuse from now on."""

    def taken(self) -> list[str]:
        """Return the ids of the messages taken."""


class _FakeReceiver:
    def __init__(self) -> None:
        self.sender = FakeSender()

    def refuse(self) -> None:
        self.sender.dead.add("shop")

    def taken(self) -> list[str]:
        return self.sender.taken


class HttpReceiver:
    """A local HTTP server that takes apprise's json:// messages."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status == 200:
                    receiver.messages.append(json.loads(body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/"
        self.environ = {"SHOP_URL": self.url, "BAD_URL": "nonsense://secret"}
        self.sender = AppriseSender(self.environ)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def refuse(self) -> None:
        """Answer 503 from now on."""
        self.status = 503

    def taken(self) -> list[str]:
        """Return the last line of each message: its id."""
        return [message["message"].splitlines()[-1] for message in self.messages]

    def close(self) -> None:
        """Stop listening."""
        self.sender.close()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Listen while the block runs."""
    receiver = HttpReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


@pytest.fixture(params=["fake", "apprise"])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    """Each kind of sender with its other side."""
    if request.param == "fake":
        yield _FakeReceiver()
        return
    with http_receiver() as real:
        yield real


def test_a_message_arrives_with_its_id(receiver: Receiver) -> None:
    """Send returns when the other side has taken the message."""
    asyncio.run(receiver.sender.send(delivery("shop", 1)))
    assert receiver.taken() == ["delivery-k-1-shop"]


def test_a_refusal_is_an_error_that_may_be_tried_again(receiver: Receiver) -> None:
    """The reason is a sentence; nothing was taken."""
    receiver.refuse()
    with pytest.raises(SendError) as refused:
        asyncio.run(receiver.sender.send(delivery("shop", 1)))
    assert str(refused.value)
    assert not refused.value.permanent
    assert receiver.taken() == []


def test_apprise_says_what_and_how_bad() -> None:
    """Title, text and kind of message reach the other side."""
    with http_receiver() as real:
        asyncio.run(real.sender.send(delivery("shop", 1)))
        (message,) = real.messages
    assert message["title"] == "Warning: Low stock: milk at berlin"
    assert message["message"] == "available 3\ndelivery-k-1-shop"
    assert message["type"] == "warning"


def test_a_missing_or_bad_url_is_permanent_and_never_told() -> None:
    """The reason names the variable, not the secret in it."""
    with http_receiver() as real:
        for variable in ("NO_URL", "BAD_URL"):
            message = msgspec.structs.replace(delivery("shop", 1), url_variable=variable)
            with pytest.raises(SendError, match=variable) as refused:
                asyncio.run(real.sender.send(message))
            assert refused.value.permanent
            assert "secret" not in str(refused.value)


def test_a_url_may_stand_in_a_file(tmp_path: Path) -> None:
    """The file is read at each message, so a new secret needs no restart."""
    path = tmp_path / "url"
    with http_receiver() as real:
        message = msgspec.structs.replace(delivery("shop", 1), url_variable=f"file:{path}")
        with pytest.raises(SendError, match="can't be read"):
            asyncio.run(real.sender.send(message))
        path.write_text(f"{real.url}\n", encoding="utf-8")
        asyncio.run(real.sender.send(message))
        assert real.taken() == ["delivery-k-1-shop"]
