"""Reading a topic to its end gives up, with a sentence, where the broker has gone for good."""

import asyncio
from types import TracebackType
from typing import Any, Self

import pytest

from ingest.contracts.errors import StalledError
from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters import reader
from streams.engine.adapters.reader import TopicRecord, read_topic


class Silent:
    """A topic of three records whose broker dies after the first, or gives only markers."""

    def __init__(self, *_: object, **__: object) -> None:
        """Begin at the beginning."""
        self.positions = {0: 0}
        self.polls = 0

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def ends(self) -> dict[int, int]:
        """Tell of three records."""
        return {0: 3}

    async def poll(self) -> list[TopicRecord]:
        """Give one record, then nothing for ever."""
        self.polls += 1
        if self.polls > 1:
            return []
        self.positions[0] = 1
        return [TopicRecord(0, 0, None, b"x", 0)]


class Marked(Silent):
    """The same, but its end is two transaction markers: positions move, records don't come."""

    async def poll(self) -> list[TopicRecord]:
        """Move one offset a poll."""
        self.positions[0] += 1
        return []


async def read_to_end() -> list[Any]:
    """Read the whole topic."""
    return [r async for batch in read_topic(KafkaSettings(), "t", until_end=True) for r in batch]


def test_a_broker_that_is_gone_for_good_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence before the known end ends the reading; it is not taken for the end."""
    monkeypatch.setattr(reader, "TopicReader", Silent)
    with pytest.raises(StalledError, match="t gave nothing for 60000 ms"):
        asyncio.run(read_to_end())


def test_markers_at_the_end_are_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets without records count as steps towards the end."""
    monkeypatch.setattr(reader, "TopicReader", Marked)
    assert asyncio.run(read_to_end()) == []
