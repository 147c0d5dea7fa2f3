"""Frames fill up and messages are released."""

from ingest.batcher import AckLedger, FrameBatcher
from ingest.frames import TickInput


def test_a_frame_is_due_when_full_or_old() -> None:
    """The item limit seals at once, the age limit at the next look."""
    batcher = FrameBatcher(items_max=3, age_ms_max=20)
    for place in range(4):
        batcher.add([(0, TickInput(place))], None, 100, 7)
    assert [len(batch.items) for batch in batcher.due(100)] == [3]
    assert batcher.due(119) == []
    (batch,) = batcher.due(120)
    assert (batch.partition, batch.received_at_ms, len(batch.items)) == (0, 7, 1)


def test_a_message_counts_once_a_frame() -> None:
    """Items of one message in one frame are one part; in two frames two."""
    batcher, ledger = FrameBatcher(items_max=2), AckLedger()
    message = ledger.opened(1, "", [])
    batcher.add([(partition, TickInput(0)) for partition in (0, 0, 0, 1)], message, 0, 0)
    assert message.parts == 3
    batches = batcher.seal()
    assert sum(batch.messages.count(message) for batch in batches) == 3
    assert batcher.seal() == []


def test_messages_leave_in_the_order_received() -> None:
    """A message that is done waits for those before it."""
    ledger = AckLedger()
    first, second = ledger.opened(1, "", []), ledger.opened(2, "", [])
    first.parts = 1
    assert ledger.released() == []
    first.parts = 0
    assert ledger.released() == [first, second]
    assert len(ledger) == 0
