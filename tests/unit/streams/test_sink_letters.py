"""Dead letters of the sink: the same refusal has the same id, and nothing grows without a limit."""

import asyncio
import base64
import json
from typing import Any

from ingest.contracts.topics import DEAD_LETTERS
from streams.adapters.letters import KafkaLetterBox
from streams.engine.adapters.reader import RecordWriter


class KeptWriter(RecordWriter):
    """Keeps what would be written."""

    def __init__(self) -> None:
        """Begin empty; nothing is connected."""
        self.written: list[tuple[str, int, bytes | None, Any]] = []

    async def write(self, topic: str, partition: int, key: bytes | None, value: bytes) -> int:
        """Keep a record."""
        self.written.append((topic, partition, key, json.loads(value)))
        return 0


def letters(*puts: tuple[str, bytes, str]) -> list[Any]:
    """Return the records of some refusals."""
    writer = KeptWriter()
    box = KafkaLetterBox(writer, lambda: 77)

    async def put_all() -> None:
        for origin, payload, detail in puts:
            await box.put(origin, payload, detail)

    asyncio.run(put_all())
    return writer.written


def test_a_letter_says_what_whence_and_why() -> None:
    """Its bytes are kept as they were, whatever they are; its id is its key."""
    ((topic, partition, key, letter),) = letters(("t/0/4", b"\xff\x00", "no frame"))
    assert (topic, partition) == (DEAD_LETTERS.name, 0)
    assert key == letter["letter_id"].encode()
    assert base64.b64decode(letter["payload_base64"]) == b"\xff\x00"
    assert (letter["reason"], letter["origin"], letter["detail"], letter["received_at_ms"]) == (
        "sink_refused",
        "t/0/4",
        "no frame",
        77,
    )


def test_a_repeat_after_a_restart_is_the_same_letter() -> None:
    """Whatever the words of the refusal; another place or other bytes are another letter."""
    found = letters(
        ("t/0/4", b"a", "x"), ("t/0/4", b"a", "y"), ("t/0/5", b"a", "x"), ("t/0/4", b"b", "x")
    )
    keys = [key for _, _, key, _ in found]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_long_words_are_cut() -> None:
    """A database may answer with a page; 2,000 characters are kept."""
    ((_, _, _, letter),) = letters(("influxdb", b"a", "x" * 5_000))
    assert letter["detail"] == "x" * 2_000
