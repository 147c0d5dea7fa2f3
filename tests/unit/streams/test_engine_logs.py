"""What libraries repeat is said once."""

import logging

from streams.engine.logs import RepeatFilter


def record(line: int) -> logging.LogRecord:
    """Return a library's record from one line of its code."""
    return logging.LogRecord("aiokafka", logging.ERROR, "client.py", line, "down", None, None)


def test_a_place_that_repeats_itself_is_heard_once() -> None:
    """Another place is heard all the same."""
    heard = RepeatFilter()
    assert [heard.filter(record(line)) for line in (1, 1, 2, 1)] == [True, False, True, False]
