"""Replaying an order log: every line once, in order, as far as room and the file's time allow."""

import json

from simulators.oracle import Oracle, oracle_read
from simulators.orderlog import OrderLine, Survey
from simulators.replaying import REPLAY_SPOOL_EVENTS_MAX, Replay, expect_replay, replay_sites
from simulators.simulation import Outgoing

SITES = replay_sites(2)


def some_lines(count: int) -> list[OrderLine]:
    """Return so many lines, a second apart, at two sites; every fifth is a return."""
    return [
        OrderLine(1_000 * number, number % 2, f"A {number % 7}", -1 if number % 5 == 0 else 2)
        for number in range(1, count + 1)
    ]


def accept_all(replay: Replay, messages: list[Outgoing]) -> list[dict[str, object]]:
    """Give a receipt for each message; return its events."""
    events: list[dict[str, object]] = []
    for message in messages:
        if message.topic == "stock/v1/_time":
            continue
        batch = json.loads(message.payload)
        events += batch
        part = {"boot": batch[0]["boot"], "first": batch[0]["seq"], "last": batch[-1]["seq"]}
        payload = json.dumps({"ranges": [part]}).encode()
        replay.fleet.on_message(message.topic.replace("scans", "accepted"), payload, 0)
    return events


def test_every_line_becomes_one_scan() -> None:
    """Sales and returns with positive quantities and the code verbatim."""
    replay = Replay(some_lines(20_000), SITES, "b", driven=True)
    events: list[dict[str, object]] = []
    clock_ms = 0
    while not replay.done:
        clock_ms += 1
        replay.feed(clock_ms, None)
        assert replay.fleet.room_events_min >= 0
        events += accept_all(replay, replay.outgoing(clock_ms))
    assert (replay.lines_read, len(events)) == (20_000, 20_000)
    first = min(events, key=lambda event: int(str(event["observed_at_ms"])))
    assert (first["action"], first["quantity"], first["sku"]) == ("sale", 2, "A 1")
    assert sum(event["action"] == "return" for event in events) == 4_000


def test_lines_wait_for_room() -> None:
    """Without receipts no more is taken than the spools hold."""
    replay = Replay(some_lines(20_000), SITES, "b", driven=True)
    for clock_ms in range(10):
        replay.feed(clock_ms, None)
    assert replay.lines_read <= 2 * REPLAY_SPOOL_EVENTS_MAX
    assert not replay.done


def test_lines_wait_for_their_time() -> None:
    """At a speed, what is later than now is not taken, and none is lost by the waiting."""
    replay = Replay(some_lines(100), SITES, "b", driven=True)
    replay.feed(0, 10_000)
    assert replay.lines_read == 10
    replay.feed(1, 10_999)
    assert replay.lines_read == 10
    replay.feed(2, None)
    assert replay.lines_read == 100


def test_time_comes_first_and_not_too_often() -> None:
    """Driven time is the newest line's, and is not repeated."""
    replay = Replay(some_lines(100), SITES, "b", driven=True)
    (told,) = replay.feed(0, 10_000)
    assert json.loads(told.payload) == {"at_ms": 10_000}
    assert not replay.feed(1, 20_000)
    assert json.loads(replay.feed(1_000, None)[0].payload) == {"at_ms": 100_000}
    assert not Replay(some_lines(10), SITES, "b", driven=False).feed(0, None)


def test_what_must_come_out_is_added_to_what_was() -> None:
    """A second replay goes on from the truth of the first, and both runs' scans are expected."""
    found = Survey(stock={(0, "A"): -3}, lines_by_site={0: 2})
    first = Oracle()
    expect_replay(first, found, SITES, "b1")
    second = oracle_read(first.document())
    expect_replay(second, found, SITES, "b2")
    assert second.stock == {("site-01", "A"): -6}
    assert (second.scan_count, len(second.scans)) == (4, 2)
    assert second.conserved()
