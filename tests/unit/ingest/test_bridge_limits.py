"""The bridge at its limits: floods, poison, and the way out."""

import pytest

from ingest.bridge import BridgeLimits
from ingest.contracts.events import BATCH_EVENTS_MAX, IDENTIFIER_LENGTH_MAX
from ingest.frames import ReadingInput
from tests.unit.ingest.doubles import FakeSink, Rig, as_json, reading

READINGS = "stock/v1/oslo/scale-1/readings"
ACCEPTED = "stock/v1/oslo/scale-1/accepted"


@pytest.mark.parametrize(
    "topic",
    [
        f"stock/v1/oslo/{'d' * 3_000}/readings",
        f"stock/v1/{'s' * (IDENTIFIER_LENGTH_MAX + 1)}/scale-1/readings",
        f"stock/v1/oslo/{'d' * 65_509}/readings",  # its `…/accepted` would not fit a packet
        "stock/v1/oslo/sca\nle/readings",
    ],
)
def test_a_topic_of_no_device_can_not_stop_the_bridge(topic: str) -> None:
    """Whatever its length it is a letter, and what follows is served."""
    rig = Rig()
    rig.source.put(topic, as_json(reading(1)))
    rig.source.put(READINGS, as_json(reading(2)))
    rig.run()
    (letter,) = rig.sink.letters()
    assert (letter.reason, letter.origin) == ("unknown_topic", topic)
    assert rig.source.acknowledged == [1, 2]
    assert all(len(told) < 300 for told, _ in rig.source.published)


def test_a_flood_of_refused_events_is_taken_piece_by_piece() -> None:
    """At the limit of what is on its way the rest of a poll waits, in order, nothing lost."""
    limits = BridgeLimits(frames_in_flight_max=100)
    rig = Rig(sink=FakeSink(at_once=False), limits=limits)
    for _ in range(20):
        rig.source.put(READINGS, as_json([1] * 60))
    rig.run()
    assert rig.bridge.frames_in_flight == 120  # the message that reached the limit is whole
    assert rig.bridge.in_flight == 2
    for _ in range(20):
        rig.sink.flush(0)
        rig.run(30)
    assert rig.source.acknowledged == list(range(1, 21))
    assert rig.bridge.counts.letters == {"bad_schema": 20 * 60}


def test_what_waits_inside_is_left_to_the_broker_on_the_way_out() -> None:
    """Messages that a limit held back are neither taken nor acknowledged once it ends."""
    rig = Rig(sink=FakeSink(at_once=False), limits=BridgeLimits(frames_in_flight_max=1))
    rig.source.put(READINGS, b"{")
    rig.source.put(READINGS, as_json(reading(1)))
    rig.bridge.step()
    rig.sink.flush(0)
    for _ in range(3):
        rig.bridge.step(taking=False)
    assert rig.source.acknowledged == [1]
    assert rig.sink.items() == []
    assert rig.bridge.idle


def test_a_batch_beyond_the_limit_is_one_letter_with_a_receipt() -> None:
    """Its sender hears that its numbers are in the dead letters and stops resending them."""
    rig = Rig()
    count = BATCH_EVENTS_MAX + 1
    rig.source.put(READINGS, as_json([reading(seq) for seq in range(count)]))
    rig.run()
    assert [one.reason for one in rig.sink.letters()] == ["oversize"]
    assert rig.receipts(ACCEPTED) == [("b1", 0, count - 1)]


def test_the_largest_batch_is_taken() -> None:
    """Exactly the limit is allowed, and fills as many frames as it must."""
    rig = Rig()
    rig.source.put(READINGS, as_json([reading(seq) for seq in range(BATCH_EVENTS_MAX)]))
    rig.run()
    assert [len(frame.items) for _, frame in rig.sink.frames()] == [500, 500]
    assert rig.receipts(ACCEPTED) == [("b1", 0, BATCH_EVENTS_MAX - 1)]


def test_on_the_way_out_recovered_events_are_sent_too() -> None:
    """No message waits for them any more, so the bridge is idle only when Kafka has them."""
    rig = Rig(sink=FakeSink(at_once=True))
    rig.source.put("stock/v1/oslo/scale-2/readings", as_json(reading(4, source="scale-2")))
    rig.run()
    rig.sink.at_once = False
    rig.feed.waiting.append(("device:oslo:scale-2", b"x"))
    rig.clock_ms += 1_000
    rig.bridge.step()
    assert rig.bridge.in_flight == 0
    assert not rig.bridge.idle
    rig.bridge.step(taking=False)
    assert [item.seq for item in rig.sink.items() if isinstance(item, ReadingInput)] == [4]
    assert not rig.bridge.idle
    rig.sink.flush(0)
    rig.bridge.step(taking=False)
    assert rig.bridge.idle


def test_on_the_way_out_receipts_do_not_wait() -> None:
    """What Kafka has is told before the connection closes, so that nobody sends it again."""
    rig = Rig(sink=FakeSink(at_once=False))
    rig.source.put(READINGS, as_json(reading(3)))
    rig.bridge.step()
    rig.bridge.step(taking=False)
    assert rig.receipts(ACCEPTED) == []
    assert not rig.bridge.idle
    rig.sink.flush(0)
    rig.bridge.step(taking=False)
    assert rig.receipts(ACCEPTED) == [("b1", 3, 3)]
    assert rig.bridge.idle


def test_a_bridge_that_has_nothing_is_idle() -> None:
    """From the start, and again when all is done and told."""
    rig = Rig()
    assert rig.bridge.idle
    rig.source.put(READINGS, as_json(reading(3)))
    rig.bridge.step()
    assert not rig.bridge.idle
    rig.run()
    assert rig.bridge.idle
