"""The sender: each message delivered or visibly failed, and no channel waits for another."""

import asyncio

import pytest

from alerting.sender import backoff_ms
from alerting.settings import AlertingSettings
from tests.unit.alerting.sender_fakes import DEADLINE_S, Sending, delivery, eventually, frame


def test_messages_are_sent_and_their_results_written() -> None:
    """In the order of their channel; the offset is committed when all are done."""
    world = Sending()
    world.log.append(frame(delivery("a", 1), delivery("b", 1)))
    world.log.append(frame(delivery("a", 2)))

    async def scenario() -> None:
        await eventually(lambda: world.log.committed == {0: 2})

    asyncio.run(world.during(scenario))
    assert [it for it in world.sender.taken if it.endswith("a")] == [
        "delivery-k-1-a",
        "delivery-k-2-a",
    ]
    assert world.results.of("b") == [("delivery-k-1-b", True, 1, "")]
    assert set(world.results.times_ms) == {7}


def test_a_hanging_channel_holds_nobody_up_and_keeps_its_offset() -> None:
    """The others go on; what is unfinished is what a restart reads again."""
    world = Sending(send_timeout_ms=600_000)
    world.sender.hanging.add("dead")
    world.log.append(frame(delivery("dead", 1)))
    for number in range(1, 50):
        world.log.append(frame(delivery("ok", number)))

    async def scenario() -> None:
        await eventually(lambda: len(world.results.of("ok")) == 49)

    asyncio.run(world.during(scenario))
    assert world.log.committed.get(0, 0) == 0

    world.sender.hanging.clear()
    world.known = dict.fromkeys(world.sender.taken, 7)

    async def again() -> None:
        await eventually(lambda: world.log.committed == {0: 50})

    asyncio.run(world.during(again))
    assert len(world.sender.taken) == len(set(world.sender.taken)) == 50


def test_a_full_queue_fails_the_message_and_never_blocks() -> None:
    """More messages than may wait for a dead channel fail at once with the reason."""
    world = Sending(send_timeout_ms=600_000, queue_deliveries_max=2)
    world.sender.hanging.add("dead")
    world.log.append(frame(*[delivery("dead", number) for number in range(10)]))
    world.log.append(frame(delivery("ok", 1)))

    async def scenario() -> None:
        await eventually(lambda: len(world.results.results) == 9)

    asyncio.run(world.during(scenario))
    assert world.results.of("ok") == [("delivery-k-1-ok", True, 1, "")]
    failed = world.results.of("dead")
    assert len(failed) == 8
    assert {error for *_, error in failed} == {"2 messages wait for this channel already"}


def test_a_failing_channel_is_tried_with_back_off() -> None:
    """Two failures, then it is taken: one result, three attempts."""
    world = Sending()
    world.sender.failures_left["a"] = 2
    world.log.append(frame(delivery("a", 1)))

    async def scenario() -> None:
        await eventually(lambda: bool(world.results.results))

    asyncio.run(world.during(scenario))
    assert world.results.of("a") == [("delivery-k-1-a", True, 3, "")]


def test_a_dead_channel_fails_visibly_and_later_messages_are_tried_once() -> None:
    """After all attempts failed the queue drains quickly, until one message is taken again."""
    world = Sending()
    world.sender.dead.add("a")
    world.log.append(frame(*[delivery("a", number) for number in range(1, 4)]))

    async def scenario() -> None:
        await eventually(lambda: len(world.results.results) == 3)
        world.sender.dead.clear()
        world.log.append(frame(delivery("a", 4)))
        await eventually(lambda: len(world.results.results) == 4)
        world.sender.failures_left["a"] = 2
        world.log.append(frame(delivery("a", 5)))
        await eventually(lambda: len(world.results.results) == 5)

    asyncio.run(world.during(scenario))
    assert [(ok, attempts) for _, ok, attempts, _ in world.results.of("a")] == [
        (False, 3),
        (False, 1),
        (False, 1),
        (True, 1),
        (True, 3),
    ]


def test_an_attempt_that_takes_too_long_has_failed() -> None:
    """The reason names the time-out."""
    world = Sending(send_timeout_ms=10, attempts_max=1)
    world.sender.hanging.add("a")
    world.log.append(frame(delivery("a", 1)))

    async def scenario() -> None:
        await eventually(lambda: bool(world.results.results))

    asyncio.run(world.during(scenario))
    assert world.results.of("a") == [("delivery-k-1-a", False, 1, "no answer within 10 ms")]


def test_a_channel_without_an_address_is_not_tried_again() -> None:
    """What another attempt can't change fails at the first."""
    world = Sending()
    world.sender.misconfigured.add("a")
    world.log.append(frame(delivery("a", 1)))

    async def scenario() -> None:
        await eventually(lambda: bool(world.results.results))

    asyncio.run(world.during(scenario))
    assert world.results.of("a") == [("delivery-k-1-a", False, 1, "no address")]


def test_too_many_channels_fail_visibly() -> None:
    """The number of workers has a limit."""
    world = Sending(channels_max=1)
    world.log.append(frame(delivery("a", 1), delivery("b", 1)))

    async def scenario() -> None:
        await eventually(lambda: len(world.results.results) == 2)

    asyncio.run(world.during(scenario))
    assert world.results.of("b") == [("delivery-k-1-b", False, 0, "more than 1 channels")]


def test_records_read_again_are_not_sent_again() -> None:
    """After a rebalance records come twice; the same id at another time is another message."""
    world = Sending()
    world.log.append(frame(delivery("a", 1)))
    world.log.append(frame(delivery("a", 1)))

    async def scenario() -> None:
        await eventually(lambda: world.log.committed == {0: 2})
        world.log.append(frame(delivery("a", 1)))
        world.log.append(frame(delivery("a", 1, at_ms=99)))
        await eventually(lambda: world.log.committed == {0: 4})

    asyncio.run(world.during(scenario))
    assert world.sender.taken == ["delivery-k-1-a", "delivery-k-1-a"]


def test_a_record_that_is_no_frame_is_counted_and_passed() -> None:
    """It can't hold the outbox up for ever."""
    world = Sending()
    world.log.append(b"garbage")
    world.log.append(frame(delivery("a", 1)))

    async def scenario() -> None:
        await eventually(lambda: world.log.committed == {0: 2})

    asyncio.run(world.during(scenario))
    assert world.sender.taken == ["delivery-k-1-a"]


def test_the_wait_doubles_to_its_limit() -> None:
    """1 s, 2 s, 4 s, ... never above a minute, whatever the attempt."""
    settings = AlertingSettings()
    waits = [backoff_ms(settings, attempts) for attempts in (1, 2, 3, 7, 1_000)]
    assert waits == [1_000, 2_000, 4_000, 60_000, 60_000]


def test_what_the_fold_knew_at_the_start_is_not_sent_again_but_a_later_message_is() -> None:
    """An alert that was forgotten counts anew: its old id comes again and means another message."""
    world = Sending()
    world.known = {"delivery-k-1-a": 50, "delivery-k-2-a": 50}
    world.log.append(frame(delivery("a", 1, at_ms=50), delivery("a", 2, at_ms=51)))

    async def scenario() -> None:
        await eventually(lambda: world.log.committed == {0: 1})

    asyncio.run(world.during(scenario))
    assert world.sender.taken == ["delivery-k-2-a"]


def test_only_so_many_finished_messages_are_remembered() -> None:
    """The oldest is forgotten first; read again it is sent again, which is allowed."""
    world = Sending(known_deliveries_max=1)
    world.log.append(frame(delivery("a", 1), delivery("a", 2)))

    async def scenario() -> None:
        await eventually(lambda: world.log.committed == {0: 1})
        world.log.append(frame(delivery("a", 2)))
        world.log.append(frame(delivery("a", 1)))
        await eventually(lambda: world.log.committed == {0: 3})

    asyncio.run(world.during(scenario))
    assert world.sender.taken == ["delivery-k-1-a", "delivery-k-2-a", "delivery-k-1-a"]


def test_a_result_that_kafka_refuses_ends_the_sender() -> None:
    """Nothing is committed, so that the next start sends the message again."""
    world = Sending()
    world.log.append(frame(delivery("a", 1)))
    world.results.broken = True

    async def forever() -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await world.during(forever)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(scenario())
    assert [str(error) for error in caught.value.exceptions] == ["Kafka is away"]
    assert world.log.committed == {0: 0}


def test_one_good_message_makes_a_dead_channel_patient_again() -> None:
    """A single attempt each while it is dead; all of them once one was taken."""
    world = Sending(attempts_max=3)
    world.sender.failures_left["a"] = 4

    async def scenario() -> None:
        for number in (1, 2, 3, 4):
            world.log.append(frame(delivery("a", number)))
            await eventually(lambda: world.log.committed == {0: len(world.log.records)})
            if number == 3:
                world.sender.failures_left["a"] = 2

    asyncio.run(world.during(scenario))
    attempts = [(delivered, attempts) for _, delivered, attempts, _ in world.results.of("a")]
    assert attempts == [(False, 3), (False, 1), (True, 1), (True, 3)]
