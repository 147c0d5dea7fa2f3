"""Dead letters of the sink, to Kafka."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from ingest.contracts.events import DeadLetter
from ingest.contracts.topics import DEAD_LETTERS
from streams.engine.adapters.reader import RecordWriter

_DETAIL_LENGTH_MAX: Final = 2_000


class KafkaLetterBox:
    """Writes what the database refused into `shelfstream.dead-letters`."""

    def __init__(self, writer: RecordWriter, now_ms: Callable[[], int]) -> None:
        """Take an entered writer and the wall clock."""
        self._writer = writer
        self._now_ms = now_ms

    async def put(self, origin: str, payload: bytes, detail: str) -> None:
        """Keep a letter; the same refusal always gets the same id."""
        digest = hashlib.blake2b(origin.encode() + payload, digest_size=10).hexdigest()
        letter = DeadLetter(
            letter_id=f"sink-{digest}",
            reason="sink_refused",
            detail=detail[:_DETAIL_LENGTH_MAX],
            origin=origin,
            received_at_ms=self._now_ms(),
            payload_base64=b64encode(payload).decode("ascii"),
        )
        body = letter.model_dump_json().encode()
        await self._writer.write(DEAD_LETTERS.name, 0, letter.letter_id.encode(), body)
