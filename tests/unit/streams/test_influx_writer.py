"""The InfluxDB writer on a local HTTP server: which answers are about the lines, which are not."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from ingest.contracts.settings import InfluxSettings
from streams.adapters.influx import InfluxPointWriter
from streams.ports import PointsRefusedError, WriterUnavailableError


class Database:
    """Answers every write with one status; keeps what was written."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.status = 204
        self.answer = b'{"code":"invalid","message":"unable to parse"}'
        self.writes: list[tuple[str, str]] = []
        database = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                database.writes.append((self.path, body.decode()))
                self.send_response(database.status)
                answer = b"" if database.status == 204 else database.answer
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture(scope="module")
def served() -> Iterator[Database]:
    """Run the server for all tests here."""
    database = Database()
    yield database
    database.server.shutdown()
    database.server.server_close()


@pytest.fixture
def database(served: Database) -> Database:
    """Return the server as new."""
    served.status = 204
    served.writes.clear()
    return served


def write(database: Database, *lines: str) -> None:
    """Write lines by the adapter."""
    settings = InfluxSettings(
        url=f"http://127.0.0.1:{database.server.server_port}",
        token=SecretStr("secret"),
        org="shop",
        bucket="stock",
    )
    with InfluxPointWriter(settings, write_timeout_ms=2_000) as writer:
        asyncio.run(writer.write(lines))


def test_lines_go_out_in_one_write_with_nanosecond_stamps(database: Database) -> None:
    """One request, one line each, to the bucket of the settings."""
    write(database, "m f=1i 1", "m f=2i 2")
    path, body = database.writes[0]
    assert len(database.writes) == 1
    assert body.splitlines() == ["m f=1i 1", "m f=2i 2"]
    assert {"bucket=stock", "org=shop", "precision=ns"} <= set(path.partition("?")[2].split("&"))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_answers_about_the_lines_are_refusals(database: Database, status: int) -> None:
    """The same lines would get them again; the database's own words are kept."""
    database.status = status
    with pytest.raises(PointsRefusedError, match="unable to parse"):
        write(database, "nonsense")


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_answers_about_anything_else_ask_for_patience(database: Database, status: int) -> None:
    """A wrong token or a bucket that is not there yet makes no dead letters."""
    database.status = status
    with pytest.raises(WriterUnavailableError, match=f"^InfluxDB answered {status}$"):
        write(database, "m f=1i 1")
