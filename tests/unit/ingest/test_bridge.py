"""The bridge on doubles: what it promises, in any order of Kafka's answers."""

import pytest

from ingest.bridge import ANNOUNCE_MS, BridgeLimits
from ingest.contracts.errors import DeliveryError, InstallationError
from ingest.contracts.topics import ALERT_INPUTS, DEAD_LETTERS, INPUTS, PLANS
from ingest.frames import INPUT_FRAMES, ReadingInput, ScanInput, TickInput
from ingest.ports import UNACKNOWLEDGED
from ingest.slices import SliceRouter
from tests.unit.ingest.doubles import (
    FakeCatalog,
    FakeSink,
    Installed,
    Rig,
    Watched,
    as_json,
    reading,
    scan,
)

READINGS = "stock/v1/oslo/scale-1/readings"
SCANS = "stock/v1/oslo/scale-1/scans"
ACCEPTED = "stock/v1/oslo/scale-1/accepted"


def _driven() -> FakeCatalog:
    return FakeCatalog(installation=Installed(time="driven"))


def test_nothing_is_acknowledged_before_kafka_has_it() -> None:
    """Neither the acknowledgement nor the receipt leaves while a part is on its way."""
    rig = Rig(sink=FakeSink(at_once=False))
    rig.source.put(READINGS, as_json([reading(1), reading(2, weight_g="x")]))
    rig.run()
    assert len(rig.sink.records) == 2
    assert rig.source.acknowledged == []
    rig.sink.records[0][3].finished = True
    rig.run()
    assert rig.source.acknowledged == []
    rig.sink.records[1][3].finished = True
    rig.run()
    assert rig.source.acknowledged == [1]
    assert rig.receipts(ACCEPTED) == [("b1", 1, 2)]


def test_acknowledgements_leave_in_the_order_received() -> None:
    """A message whose frames are done waits for the message before it."""
    catalog = FakeCatalog(channels={"scale-1": [Watched("milk"), Watched("rice", channel="b")]})
    rig = Rig(catalog=catalog, sink=FakeSink(at_once=False))
    rig.source.put(READINGS, as_json(reading(1)))
    rig.run(30)
    rig.source.put(READINGS, as_json(reading(2, channel="b")))
    rig.run(30)
    rig.sink.records[1][3].finished = True
    rig.run(30)
    assert rig.source.acknowledged == []
    rig.sink.records[0][3].finished = True
    rig.run(30)
    assert rig.source.acknowledged == [1, 2]


def test_each_event_ends_as_an_input_or_a_letter() -> None:
    """Good and bad of many messages: nothing is lost, nothing is both."""
    rig = Rig()
    for seq in range(30):
        bad = {"weight_g": -(10**9)} if seq % 3 == 0 else {}
        rig.source.put(READINGS, as_json(reading(seq, **bad)))
    rig.source.put(READINGS, b"nothing")
    rig.run()
    taken = {item.seq for item in rig.sink.items() if isinstance(item, ReadingInput)}
    assert taken == {seq for seq in range(30) if seq % 3}
    assert [one.reason for one in rig.sink.letters()] == ["absurd_value"] * 10 + ["bad_json"]
    assert rig.bridge.counts.letters == {"absurd_value": 10, "bad_json": 1}
    assert rig.source.acknowledged == list(range(1, 32))
    assert rig.receipts(ACCEPTED) == [("b1", 0, 29)]


def test_a_refused_record_ends_the_bridge() -> None:
    """MQTT delivers again what was not acknowledged."""
    rig = Rig(sink=FakeSink(at_once=False))
    rig.source.put(READINGS, as_json(reading()))
    rig.run(30)
    handle = rig.sink.records[0][3]
    handle.finished, handle.refusal = True, "NotEnoughReplicas"
    with pytest.raises(DeliveryError, match=r"shelfstream.inputs: NotEnoughReplicas"):
        rig.bridge.step()
    assert rig.source.acknowledged == []


def test_a_full_sink_ends_the_bridge() -> None:
    """What can't be queued is not skipped."""
    rig = Rig(sink=FakeSink(full=True))
    rig.source.put(READINGS, as_json(reading()))
    with pytest.raises(DeliveryError, match="full"):
        rig.run()


def test_what_is_in_flight_is_limited() -> None:
    """At a limit no message is taken until Kafka answers."""
    limits = BridgeLimits(messages_in_flight_max=10, frames_in_flight_max=2, frame_items_max=3)
    rig = Rig(sink=FakeSink(at_once=False), limits=limits)
    for seq in range(50):
        rig.source.put(READINGS, as_json(reading(seq)))
    rig.run()
    assert rig.bridge.in_flight == 10
    assert rig.bridge.frames_in_flight == 4
    for _ in range(60):
        rig.sink.flush(0)
        rig.run(30)
    assert rig.source.acknowledged == list(range(1, 51))


def test_bytes_in_flight_are_limited() -> None:
    """Large frames stop the taking before the number of frames does."""
    rig = Rig(sink=FakeSink(at_once=False), limits=BridgeLimits(bytes_in_flight_max=1))
    rig.source.put(READINGS, as_json(reading(1)))
    rig.run()
    rig.source.put(READINGS, as_json(reading(2)))
    rig.run()
    assert len(rig.source.waiting) == 1
    rig.sink.flush(0)
    rig.run()
    assert rig.source.waiting == []


def test_frames_are_stamped() -> None:
    """With the installation's time and the version of the catalogue that resolved their items."""
    rig = Rig()
    rig.source.put(READINGS, as_json(reading()))
    rig.run(10)
    rig.feed.waiting.append(("device:oslo:scale-9", b"x"))
    rig.run()
    rig.source.put(READINGS, as_json(reading(1)))
    rig.run()
    frames = [frame for _, frame in rig.sink.frames()]
    assert [frame.reference_version for frame in frames] == [1, 2]
    assert all(frame.received_at_ms >= 1_700_000_000_000 for frame in frames)


def test_an_open_frame_leaves_before_the_catalogue_changes() -> None:
    """Its items were resolved by the version before, and it says so."""
    rig = Rig()
    rig.source.put(READINGS, as_json(reading()))
    rig.bridge.step()
    rig.feed.waiting.append(("device:oslo:scale-9", b"x"))
    rig.clock_ms += 1_000
    rig.source.put(READINGS, as_json(reading(1)))
    rig.bridge.step()
    rig.run()
    frames = [frame for _, frame in rig.sink.frames()]
    assert [(frame.reference_version, len(frame.items)) for frame in frames] == [(1, 1), (2, 1)]


def test_qos_0_is_served_and_not_acknowledged() -> None:
    """It becomes an input with a receipt like any other, but there is nothing to tell MQTT."""
    rig = Rig()
    rig.source.waiting.append((READINGS, as_json(reading(1)), UNACKNOWLEDGED))
    rig.source.put(READINGS, as_json(reading(2)))
    rig.run()
    assert rig.source.acknowledged == [1]
    assert rig.bridge.counts.acknowledged == 1
    assert rig.receipts(ACCEPTED) == [("b1", 1, 2)]


def test_a_device_that_sends_again_while_unknown_is_not_counted_twice() -> None:
    """A resend has the number of the first, by which the fold knows it; order is kept."""
    rig = Rig()
    topic = "stock/v1/oslo/scale-2/scans"
    for seq in (1, 2, 1):
        rig.source.put(topic, as_json(scan(seq, source="scale-2")))
    rig.run()
    assert len({letter.letter_id for letter in rig.sink.letters()}) == 2
    rig.feed.waiting.append(("device:oslo:scale-2", b"x"))
    rig.run()
    rig.source.put(topic, as_json(scan(2, source="scale-2")))
    rig.run()
    numbers = [(one.boot, one.seq) for one in rig.sink.items() if isinstance(one, ScanInput)]
    assert numbers == [("b1", 1), ("b1", 2), ("b1", 1), ("b1", 2)]


def test_a_historical_event_sent_again_is_the_same_input() -> None:
    """After a restart, with nothing learnt of its clock, every field is what it was."""
    event = as_json(scan(5, historical=True, observed_at_ms=1_600_000_000_000))
    made = []
    for _ in range(2):
        rig = Rig()
        rig.source.put(SCANS, event)
        rig.run()
        made += rig.sink.items()
    assert made[0] == made[1]
    assert isinstance(made[0], ScanInput)
    assert (made[0].historical, made[0].observed_at_ms) == (True, 1_600_000_000_000)


def test_a_frame_that_spans_a_step_of_time_says_so_itself() -> None:
    """The tick stands among the items where time passed, so later ones are of the later time."""
    rig = Rig(catalog=_driven())
    rig.source.put("stock/v1/_time", b'{"at_ms":1000}')
    rig.source.put(READINGS, as_json(reading(1, observed_at_ms=1)))
    rig.bridge.step()
    rig.source.put("stock/v1/_time", b'{"at_ms":2000}')
    rig.source.put(READINGS, as_json(reading(2, observed_at_ms=1)))
    rig.run()
    (frame,) = [frame for _, frame in rig.sink.frames() if len(frame.items) > 2]
    assert frame.received_at_ms == 1_000
    told = [one.at_ms if isinstance(one, TickInput) else -1 for one in frame.items]
    assert told == [1_000, -1, 2_000, -1]


def test_driven_time_is_broadcast_and_stamped() -> None:
    """A time message ticks every partition of three logs; events after it are received then."""
    rig = Rig(catalog=_driven())
    assert "stock/v1/_time" in rig.source.filters
    rig.source.put("stock/v1/_time", b'{"at_ms":1000}')
    rig.source.put(READINGS, as_json(reading(observed_at_ms=900)))
    rig.source.put("stock/v1/_time", b'{"at_ms":2000}')
    rig.run()
    for topic in (PLANS.name, ALERT_INPUTS.name):
        ticks = [
            INPUT_FRAMES.decode(value).items
            for name, _, value, _ in rig.sink.records
            if name == topic
        ]
        assert ticks == [[TickInput(1000)]] * 4 + [[TickInput(2000)]] * 4
    by_partition = dict(rig.sink.frames())
    assert len(by_partition) == 4
    seen = [frame.items for frame in by_partition.values()]
    assert sorted(len(items) for items in seen) == [2, 2, 2, 3]
    (mixed,) = [items for items in seen if len(items) == 3]
    assert [type(item) for item in mixed] == [TickInput, ReadingInput, TickInput]
    assert {frame.received_at_ms for frame in by_partition.values()} == {1000}
    assert rig.source.acknowledged == [1, 2, 3]


def test_driven_time_never_goes_back_and_may_be_bad() -> None:
    """Older times are acknowledged and counted, unreadable ones become letters."""
    rig = Rig(catalog=_driven())
    for payload in (
        b'{"at_ms":5000}',
        b'{"at_ms":4000}',
        b"{}",
        b'{"at_ms":-1}',
        b'{"at_ms":5000}',
    ):
        rig.source.put("stock/v1/_time", payload)
    rig.run()
    assert {item.at_ms for item in rig.sink.items() if isinstance(item, TickInput)} == {5000}
    assert [one.reason for one in rig.sink.letters()] == ["bad_schema", "absurd_value"]
    assert rig.bridge.counts.time_ignored == 2
    assert rig.source.acknowledged == [1, 2, 3, 4, 5]


def test_times_in_a_row_are_one_tick() -> None:
    """Only the last of several times with nothing between them is broadcast."""
    rig = Rig(catalog=_driven())
    for at_ms in range(1, 50):
        rig.source.put("stock/v1/_time", as_json({"at_ms": at_ms}))
    rig.run()
    assert [item.at_ms for item in rig.sink.items() if isinstance(item, TickInput)] == [49] * 4
    assert len(rig.source.acknowledged) == 49


def test_wall_time_ignores_driven_time() -> None:
    """A stray time message changes nothing where the clock is the wall's."""
    rig = Rig()
    rig.source.put("stock/v1/_time", b'{"at_ms":5000}')
    rig.run()
    assert rig.sink.records == []
    assert rig.source.acknowledged == [1]


def test_only_slice_0_broadcasts() -> None:
    """The other slices stamp by driven time and stay silent."""
    rig = Rig(catalog=_driven(), slice_index=1, slice_count=2)
    rig.source.put("stock/v1/_time", b'{"at_ms":5000}')
    rig.run()
    assert rig.sink.records == []
    assert rig.source.acknowledged == [1]


def test_unknown_devices_are_served_once_known() -> None:
    """The dead letter stays, and its events are taken when the device appears."""
    rig = Rig()
    rig.source.put("stock/v1/oslo/scale-2/readings", as_json(reading(4, source="scale-2")))
    rig.run()
    assert [one.reason for one in rig.sink.letters()] == ["unknown_device"]
    assert rig.receipts("stock/v1/oslo/scale-2/accepted") == [("b1", 4, 4)]
    rig.feed.waiting.append(("device:oslo:scale-2", b"x"))
    rig.run()
    assert [item.seq for item in rig.sink.items() if isinstance(item, ReadingInput)] == [4]
    assert rig.bridge.counts.recovered == 1
    assert len(rig.sink.letters()) == 1


def test_announced_sites_are_passed_over() -> None:
    """Slice 0 acknowledges another slice's messages without a frame, once that slice has them."""
    sites = [f"site-{number}" for number in range(8)]
    catalog = FakeCatalog(devices={(site, "scale-1") for site in sites})
    second = SliceRouter(1, 2, driven=False)
    theirs = second.own(sites)[0]
    rig = Rig(catalog=catalog, slice_count=2)
    topic = f"stock/v1/{theirs}/scale-1/readings"
    rig.source.put(topic, as_json(reading(1)))
    rig.run()
    told = second.announcement([theirs], second.filters([theirs]))
    assert told is not None
    rig.source.put(second.sites_topic, told)
    rig.source.put(topic, as_json(reading(2)))
    rig.run()
    assert [item.seq for item in rig.sink.items() if isinstance(item, ReadingInput)] == [1]
    assert rig.source.acknowledged == [1, 2, 3]
    assert rig.bridge.counts.passed_over == 1


def test_a_slice_announces_what_the_broker_confirmed() -> None:
    """First nothing, then its sites, again only when something changed."""
    sites = [f"site-{number}" for number in range(8)]
    catalog = FakeCatalog(devices={(site, "scale-1") for site in sites})
    rig = Rig(catalog=catalog, slice_index=1, slice_count=2)
    rig.run(500)
    rig.source.subscribed = frozenset(rig.source.filters)
    rig.run(500)
    own = SliceRouter(1, 2, driven=False).own(sites)
    topic = "stock/v1/_bridge/bridge-1-of-2/sites"
    assert rig.source.announced == [(topic, b"[]"), (topic, as_json(own))]
    rig.clock_ms += ANNOUNCE_MS
    rig.bridge.step()
    assert rig.source.announced[2:] == [(topic, as_json(own))]  # it expires with the session


def test_on_the_way_out_nothing_new_is_taken() -> None:
    """Open frames are sent whatever their age, new messages stay with the broker."""
    rig = Rig()
    rig.source.put(SCANS, as_json(scan(1)))
    rig.bridge.step()
    rig.source.put(SCANS, as_json(scan(2)))
    rig.bridge.step(taking=False)
    assert rig.source.acknowledged == [1]
    assert len(rig.source.waiting) == 1


def test_no_installation_no_bridge() -> None:
    """Partitions can't be computed without knowing their number."""
    with pytest.raises(InstallationError, match="installation"):
        Rig(catalog=FakeCatalog(installation=None))


def test_topics_are_the_contracts() -> None:
    """Frames go to the inputs, letters to the dead letters."""
    rig = Rig()
    rig.source.put(READINGS, as_json([reading(1), reading(2, boot="")]))
    rig.run()
    assert {name for name, *_ in rig.sink.records} == {INPUTS.name, DEAD_LETTERS.name}
