"""What `shelfstream dlq` and `shelfstream log` make of records."""

import msgspec
import pytest

from deploy.commands.dlq import unsendable
from deploy.commands.log import frame_lines
from ingest.contracts.events import DeadLetter, DeadLetterReason
from ingest.frames import (
    INPUT_FRAMES,
    InputItem,
    ReadingInput,
    ReferenceInput,
    SiteRecord,
    TickInput,
)
from streams.engine.adapters.reader import TopicRecord


def _letter(origin: str, reason: DeadLetterReason = "bad_schema") -> DeadLetter:
    return DeadLetter(
        letter_id="letter-1",
        reason=reason,
        detail="",
        origin=origin,
        received_at_ms=0,
        payload_base64="",
    )


@pytest.mark.parametrize(
    ("letter", "why_not"),
    [
        (_letter("stock/v1/oslo/till/scans"), None),
        (_letter("shelfstream.inputs/0/17"), "comes from Kafka"),
        (_letter("stock/v1/oslo/till/scans", "oversize"), "too large"),
    ],
)
def test_only_what_mqtt_can_take_is_sent_again(letter: DeadLetter, why_not: str | None) -> None:
    """Other letters are skipped with a sentence."""
    told = unsendable(letter)
    assert told == why_not if why_not is None or told is None else why_not in told


def _record(value: bytes) -> TopicRecord:
    return TopicRecord(2, 17, None, value, 0)


def test_items_are_printed_with_their_names() -> None:
    """Array-like structs become names and values, nested ones too; JSON keeps every field."""
    reading = ReadingInput("milk", "oslo", "a1", "s", "c", "b", 5, 9, False, "units", 3)
    items: list[InputItem] = [
        reading,
        ReferenceInput(3, SiteRecord("oslo")),
        TickInput(7),
    ]
    record = _record(INPUT_FRAMES.encode(items, received_at_ms=11))
    plain = list(frame_lines(record, INPUT_FRAMES))
    assert plain[2] == "2/17 11 TickInput at_ms=7"
    assert "sku=milk" in plain[0]
    told = [msgspec.json.decode(line) for line in frame_lines(record, INPUT_FRAMES, as_json=True)]
    assert told[0]["item"] == "ReadingInput"
    assert told[0]["kind"] == "units"
    assert told[1]["entity"]["site"] == "oslo"


def test_what_is_no_frame_is_told() -> None:
    """A bad record does not end the tail."""
    (line,) = frame_lines(_record(b"\x09x"), INPUT_FRAMES)
    assert "frame version 9" in line
    (told,) = frame_lines(_record(b""), INPUT_FRAMES, as_json=True)
    assert msgspec.json.decode(told)["offset"] == 17
