"""Rules of a device's spool: nothing is forgotten before its receipt, nothing leaves the window."""

import json
from itertools import pairwise
from typing import Any

import pytest

from ingest.contracts.events import PAYLOAD_BYTES_MAX
from simulators.fleet import Fleet, percentile
from simulators.gateway import (
    BOOTS_MAX,
    RESEND_AFTER_MS,
    RESEND_AFTER_MS_MAX,
    WINDOW_EVENTS,
    Gateway,
    Publication,
    SpoolFullError,
)


def a_gateway(**options: Any) -> Gateway:
    """Return a scanner gateway of shop-01 in its first boot."""
    return Gateway(site="shop-01", source="gateway-shop-01", boot="b1", leaf="scans", **options)


def filled(count: int, **options: Any) -> Gateway:
    """Return a gateway with so many events in its spool."""
    gateway = a_gateway(**options)
    for number in range(count):
        gateway.append({"observed_at_ms": number, "action": "sale", "sku": "TEA"})
    return gateway


def numbers(publications: list[Publication] | Any) -> list[int]:
    """Return the sequence numbers sent, in order."""
    return [event["seq"] for one in publications for event in json.loads(one.payload())]


def test_events_carry_source_boot_and_number() -> None:
    """What leaves is a JSON array on the device's own topic, numbered from 0."""
    (sent,) = filled(2).outgoing(0)
    assert sent.topic == "stock/v1/shop-01/gateway-shop-01/scans"
    assert [(e["source"], e["boot"], e["seq"]) for e in json.loads(sent.payload())] == [
        ("gateway-shop-01", "b1", 0),
        ("gateway-shop-01", "b1", 1),
    ]


def test_batches_are_cut() -> None:
    """A message holds at most the named number of events."""
    batches = filled(25, batch_events=10).outgoing(0)
    assert [len(one.bodies) for one in batches] == [10, 10, 5]


def test_nothing_is_sent_twice_before_the_time_out() -> None:
    """Without a receipt an event is sent once, then again only after the time-out."""
    gateway = filled(3)
    assert numbers(gateway.outgoing(0)) == [0, 1, 2]
    assert not gateway.outgoing(RESEND_AFTER_MS - 1)
    assert numbers(gateway.outgoing(RESEND_AFTER_MS)) == [0, 1, 2]
    assert gateway.resent_events == 3


def test_a_resend_waits_longer_each_time() -> None:
    """A slow pipeline is not buried under repeats."""
    gateway = filled(1)
    sent_at_ms = [now for now in range(0, 200_000, 100) if gateway.outgoing(now)]
    pauses_ms = [later - first for first, later in pairwise(sent_at_ms)]
    assert pauses_ms[:4] == [3_000, 6_000, 12_000, 24_000]
    assert set(pauses_ms[4:]) == {RESEND_AFTER_MS_MAX}


def test_only_what_is_unaccepted_is_sent_again() -> None:
    """A receipt frees its range, wherever it lies, and only that."""
    gateway = filled(5)
    gateway.outgoing(0)
    assert gateway.on_receipt("b1", 1, 3, 10) == 3
    assert numbers(gateway.outgoing(RESEND_AFTER_MS)) == [0, 4]


def test_the_window_is_never_left() -> None:
    """One unaccepted event holds back all that is too far beyond it."""
    gateway = filled(3_000)
    assert numbers(gateway.outgoing(0))[-1] == WINDOW_EVENTS - 1
    gateway.on_receipt("b1", 1, WINDOW_EVENTS - 1, 5)
    assert not gateway.outgoing(6)
    gateway.on_receipt("b1", 0, 0, 7)
    assert numbers(gateway.outgoing(8)) == list(range(WINDOW_EVENTS, 2 * WINDOW_EVENTS))


def test_receipts_of_strange_boots_and_numbers_change_nothing() -> None:
    """A receipt for what was never sent frees nothing, also what was not sent yet."""
    gateway = filled(3, batch_events=1)
    assert gateway.on_receipt("b9", 0, 2, 0) == 0
    assert gateway.on_receipt("b1", 0, 2, 0) == 0
    assert gateway.unaccepted_events == 3


def test_a_repeated_receipt_frees_nothing() -> None:
    """The bridge may say it again."""
    gateway = filled(3)
    gateway.outgoing(0)
    assert (gateway.on_receipt("b1", 0, 2, 1), gateway.on_receipt("b1", 0, 2, 2)) == (3, 0)


def test_a_full_spool_refuses_aloud() -> None:
    """At its limit a spool raises instead of dropping."""
    gateway = filled(3, spool_events_max=3)
    assert gateway.room_events == 0
    with pytest.raises(SpoolFullError, match="gateway-shop-01"):
        gateway.append({"observed_at_ms": 1, "action": "sale", "sku": "TEA"})


def test_a_restart_keeps_the_old_spool() -> None:
    """A new boot numbers from 0 while the old one's events are still sent until accepted."""
    gateway = filled(2)
    gateway.restart("b2")
    gateway.append({"observed_at_ms": 9, "action": "sale", "sku": "TEA"})
    sent = [json.loads(one.payload()) for one in gateway.outgoing(0)]
    assert [[(e["boot"], e["seq"]) for e in batch] for batch in sent] == [
        [("b1", 0), ("b1", 1)],
        [("b2", 0)],
    ]
    gateway.on_receipt("b1", 0, 1, 1)
    assert gateway.unaccepted_events == 1


def test_too_many_kept_boots_refuse_a_restart() -> None:
    """At its limit of unaccepted boots a gateway does not start again."""
    gateway = filled(1)
    started = []
    for number in range(BOOTS_MAX + 1):
        started.append(gateway.restart(f"c{number}"))
        if started[-1]:
            gateway.append({"observed_at_ms": 1, "action": "sale", "sku": "TEA"})
    assert started == [True] * BOOTS_MAX + [False]


def test_offline_events_are_buffered_and_historical() -> None:
    """Offline nothing leaves; what happened then is sent later and says so."""
    gateway = filled(1)
    gateway.online = False
    gateway.append({"observed_at_ms": 5, "action": "sale", "sku": "TEA"})
    assert not gateway.outgoing(0)
    gateway.online = True
    (sent,) = gateway.outgoing(1)
    assert [event.get("historical", False) for event in json.loads(sent.payload())] == [False, True]


def test_a_fleet_hands_receipts_to_their_device() -> None:
    """Receipts are counted and timed; broken ones are counted too."""
    fleet = Fleet([filled(2)])
    assert len(fleet.outgoing(100)) == 1
    receipt = b'{"ranges":[{"boot":"b1","first":0,"last":1}]}'
    topic = "stock/v1/shop-01/gateway-shop-01/accepted"
    assert fleet.on_message("stock/v1/shop-02/gateway-shop-02/accepted", receipt, 150) == 0
    assert fleet.on_message("stock/v1/shop-01/gateway-shop-01/status", receipt, 150) == 0
    assert fleet.on_message("accepted", receipt, 150) == 0
    assert fleet.on_message(topic, b"{", 150) == 0
    assert fleet.on_message(topic, receipt, 150) == 2
    assert (fleet.unaccepted_events, fleet.accepted_events, fleet.bad_receipts) == (0, 2, 1)
    assert list(fleet.latencies_ms) == [50]


def test_percentiles_are_of_the_values_themselves() -> None:
    """Nearest rank; -1 where nothing was measured."""
    assert [percentile(range(1, 101), share) for share in (0.5, 0.99)] == [51, 100]
    assert percentile([], 0.5) == -1


def test_a_batch_is_cut_by_its_bytes_too() -> None:
    """Long codes make shorter messages: none is larger than the wire takes."""
    gateway = a_gateway(batch_events=10_000)
    for number in range(1_000):
        gateway.append({"observed_at_ms": number, "action": "sale", "sku": "x" * 2_000})
    sent = gateway.outgoing(0)
    assert len(sent) > 1
    assert max(len(one.payload()) for one in sent) <= PAYLOAD_BYTES_MAX
    assert numbers(sent) == list(range(1_000))


def test_the_room_is_of_all_boots_together() -> None:
    """A device that starts again has no more memory than before."""
    gateway = filled(2, spool_events_max=3)
    gateway.restart("b2")
    gateway.append({"observed_at_ms": 1, "action": "sale", "sku": "TEA"})
    with pytest.raises(SpoolFullError, match=r"the spool of gateway-shop-01 is full \(3\)"):
        gateway.append({"observed_at_ms": 2, "action": "sale", "sku": "TEA"})
    gateway.outgoing(0)
    gateway.on_receipt("b1", 0, 1, 1)
    assert gateway.append({"observed_at_ms": 2, "action": "sale", "sku": "TEA"}) == ("b2", 1)


def test_an_old_boot_is_forgotten_once_it_is_accepted() -> None:
    """What it sent again is still counted, and its number of kept boots is free again."""
    gateway = filled(1)
    gateway.outgoing(0)
    gateway.outgoing(RESEND_AFTER_MS)
    gateway.restart("b2")
    gateway.on_receipt("b1", 0, 0, RESEND_AFTER_MS + 1)
    assert gateway.resent_events == 1
    assert [gateway.restart(f"c{number}") for number in range(BOOTS_MAX + 1)].count(
        True
    ) == BOOTS_MAX


def test_the_present_boot_is_kept_when_everything_is_accepted() -> None:
    """Numbers go on; a device without news is not a new device."""
    gateway = filled(2)
    gateway.outgoing(0)
    gateway.on_receipt("b1", 0, 1, 1)
    assert gateway.append({"observed_at_ms": 3, "action": "sale", "sku": "TEA"}) == ("b1", 2)


def test_the_time_to_acceptance_counts_from_the_first_sending() -> None:
    """A resend does not make a batch look quick, and half a batch is not accepted yet."""
    fleet = Fleet([filled(2)])
    topic = "stock/v1/shop-01/gateway-shop-01/accepted"
    fleet.outgoing(0)
    fleet.outgoing(RESEND_AFTER_MS)
    fleet.on_message(topic, b'{"ranges":[{"boot":"b1","first":0,"last":0}]}', 3_500)
    assert list(fleet.latencies_ms) == []
    fleet.on_message(topic, b'{"ranges":[{"boot":"b1","first":1,"last":1}]}', 4_000)
    assert list(fleet.latencies_ms) == [4_000]
    assert (fleet.published_events, fleet.resent_events, fleet.unaccepted_events) == (4, 2, 0)


def test_an_offline_device_keeps_its_receipts() -> None:
    """A receipt for what was sent before the outage frees it, whenever it is read."""
    gateway = filled(2)
    gateway.outgoing(0)
    gateway.online = False
    assert gateway.on_receipt("b1", 0, 1, 5) == 2
    assert gateway.unaccepted_events == 0


@pytest.mark.parametrize("first", [-5, 0])
def test_odd_ranges_of_a_receipt_free_only_what_was_sent(first: int) -> None:
    """A range that begins below 0, ends far beyond, or is the wrong way round."""
    gateway = filled(3)
    gateway.outgoing(0)
    gateway.append({"observed_at_ms": 9, "action": "sale", "sku": "TEA"})
    assert gateway.on_receipt("b1", 2, 1, 1) == 0
    assert gateway.on_receipt("b1", first, 10**12, 1) == 3
    assert gateway.unaccepted_events == 1
