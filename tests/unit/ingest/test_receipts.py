"""Receipts are gathered a device."""

import msgspec

from ingest.contracts.events import Receipt
from ingest.receipts import RECEIPT_AGE_MS_MAX, RECEIPT_RANGES_MAX, ReceiptBook


def test_numbers_that_follow_one_another_become_one_range() -> None:
    """A sender of single events hears one receipt for many of them."""
    book = ReceiptBook()
    for seq in (1, 2, 3, 5):
        book.add("t", [("b", seq, seq)], 100)
    book.add("t", [("c", 6, 9)], 100)
    assert book.due(100 + RECEIPT_AGE_MS_MAX - 1) == []
    ((topic, payload),) = book.due(100 + RECEIPT_AGE_MS_MAX)
    assert topic == "t"
    told = Receipt.model_validate_json(payload)
    assert [(one.boot, one.first, one.last) for one in told.ranges] == [
        ("b", 1, 3),
        ("b", 5, 5),
        ("c", 6, 9),
    ]
    assert book.due(10_000) == []


def test_a_full_receipt_does_not_wait() -> None:
    """The limit of ranges sends at once."""
    book = ReceiptBook()
    book.add("t", [("b", 2 * place, 2 * place) for place in range(RECEIPT_RANGES_MAX)], 100)
    ((_, payload),) = book.due(100)
    assert len(msgspec.json.decode(payload)["ranges"]) == RECEIPT_RANGES_MAX
