"""Frames fill up and messages are released."""

import msgspec
import pytest

from ingest.batcher import PACKED_ITEMS_MAX, AckLedger, FrameBatcher
from ingest.frames import INPUT_FRAMES, InputItem, TickInput


def test_a_frame_is_due_when_full_or_old() -> None:
    """The item limit seals at once, the age limit at the next look."""
    batcher = FrameBatcher(items_max=3, age_ms_max=20)
    for place in range(4):
        assert batcher.add({0: [TickInput(place)]}, 1, None, 100, 7) == 1
    assert [batch.count for batch in batcher.due(100)] == [3]
    assert batcher.due(119) == []
    (batch,) = batcher.due(120)
    assert (batch.partition, batch.received_at_ms, batch.count) == (0, 7, 1)


def test_frames_leave_together() -> None:
    """Once one is old those of other partitions go with it, for one request takes them all."""
    batcher = FrameBatcher(age_ms_max=20)
    batcher.add({0: [TickInput(0)]}, 1, None, 100, 7)
    batcher.add({1: [TickInput(1)]}, 1, None, 115, 8)
    assert batcher.due(119) == []
    due = batcher.due(120)
    assert [(batch.partition, batch.received_at_ms) for batch in due] == [(0, 7), (1, 8)]
    assert not batcher


@pytest.mark.parametrize("count", [1, 15, 16, 31, 32, 33, 64, 499, 500])
def test_a_frame_is_the_same_however_it_was_packed(count: int) -> None:
    """Items packed in parts, at every edge of the parts and of the array's header."""
    batcher = FrameBatcher()
    items: list[InputItem] = [TickInput(place) for place in range(count)]
    for item in items:
        batcher.add({0: [item]}, 1, None, 0, 9)
    (batch,) = batcher.seal()
    assert batch.count == count
    made = batch.value(received_at_ms=9, reference_version=3)
    assert made == INPUT_FRAMES.encode(items, received_at_ms=9, reference_version=3)


def test_few_items_wait_to_be_packed() -> None:
    """So many at most are objects still; the others are bytes."""
    batcher = FrameBatcher()
    for place in range(400):
        batcher.add({0: [TickInput(place)]}, 1, None, 0, 0)
    (batch,) = batcher.seal()
    assert batch.count == 400
    assert len(batch.pieces) < PACKED_ITEMS_MAX


def test_a_message_counts_once_a_frame() -> None:
    """Items of one message in one frame are one part; in two frames two."""
    batcher, ledger = FrameBatcher(items_max=2), AckLedger()
    message = ledger.opened(1, "", [])
    assert batcher.add({0: [TickInput(0)] * 3, 1: [TickInput(0)]}, 1, message, 0, 0) == 4
    assert message.parts == 3
    batches = batcher.seal()
    assert sum(batch.messages.count(message) for batch in batches) == 3
    assert batcher.seal() == []


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 11])
def test_a_message_larger_than_a_frame_is_cut(count: int) -> None:
    """Frames are cut between items, whatever their pieces, and none but the last has room."""
    batcher, ledger = FrameBatcher(items_max=4), AckLedger()
    items: list[InputItem] = [TickInput(place) for place in range(1 + count)]
    batcher.add({0: items[:1]}, 1, None, 0, 9)
    message = ledger.opened(1, "", [])
    whole = [msgspec.msgpack.encode(item) for item in items[1:]]
    pieces = [msgspec.Raw(half) for one in whole for half in (one[:2], one[2:])]
    assert batcher.add({0: pieces}, 2, message, 0, 9) == count
    batches = batcher.seal()
    assert [batch.count for batch in batches[:-1]] == [4] * (len(batches) - 1)
    assert message.parts == len(batches)
    for place, batch in enumerate(batches):
        made = batch.value(received_at_ms=9, reference_version=3)
        some = items[4 * place : 4 * place + 4]
        assert made == INPUT_FRAMES.encode(some, received_at_ms=9, reference_version=3)


def test_messages_leave_in_the_order_received() -> None:
    """A message that is done waits for those before it."""
    ledger = AckLedger()
    first, second = ledger.opened(1, "", []), ledger.opened(2, "", [])
    first.parts = 1
    assert ledger.released() == []
    first.parts = 0
    assert ledger.released() == [first, second]
    assert len(ledger) == 0
