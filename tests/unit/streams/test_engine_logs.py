"""One JSON object a line on stderr, and what libraries repeat is said once."""

import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from streams.engine import logs
from streams.engine.logs import RepeatFilter, configure_logs


def record(line: int) -> logging.LogRecord:
    """Return a library's record from one line of its code."""
    return logging.LogRecord("aiokafka", logging.ERROR, "client.py", line, "down", None, None)


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    """Undo what a test configures."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_place_that_repeats_itself_is_heard_once() -> None:
    """Another place is heard all the same."""
    heard = RepeatFilter()
    assert [heard.filter(record(line)) for line in (1, 1, 2, 1)] == [True, False, True, False]


def test_a_place_is_heard_again_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage that lasts is told of as long as it lasts."""
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    heard = RepeatFilter()
    told = []
    for now_s[0] in (100.0, 109.9, 110.0, 119.9):
        told.append(heard.filter(record(1)))
    assert told == [True, False, True, False]


def test_the_places_remembered_are_bounded() -> None:
    """Beyond the limit all are forgotten, and may be heard once more."""
    heard = RepeatFilter()
    for line in range(2 * logs._PLACES_MAX):
        assert heard.filter(record(line))
        assert len(heard._said_at_s) <= logs._PLACES_MAX


def test_our_own_words_are_json_with_their_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With level and time; nothing on stdout."""
    configure_logs()
    structlog.get_logger("x").warning("refused", origin="t/0/1")
    out, err = capsys.readouterr()
    said = json.loads(err)
    assert (out, said["event"], said["level"], said["origin"]) == (
        "",
        "refused",
        "warning",
        "t/0/1",
    )
    assert said["at"].endswith("Z")


def test_libraries_are_heard_from_warnings_on_and_the_noisy_ones_from_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the same form as our own words."""
    logging.getLogger("aiokafka").setLevel(logging.NOTSET)  # the command's tests silence it
    configure_logs()
    logging.getLogger("some.library").info("nothing")
    logging.getLogger("some.library").warning("heard")
    logging.getLogger("aiokafka.client").warning("nothing")
    logging.getLogger("aiokafka.client").error("heard too")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("heard", "warning"),
        ("heard too", "error"),
    ]
