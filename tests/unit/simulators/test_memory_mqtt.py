"""The double of MQTT and the bridge's ports over it."""

from random import Random

import pytest

from ingest.contracts.errors import BridgeTakenError
from ingest.ports import UNACKNOWLEDGED
from simulators.whole.memory import InMemoryMessageSource, MemoryMqtt
from simulators.whole.memory_mqtt import MqttMessage, matches


def _source(mqtt: MemoryMqtt, receive_max: int = 100) -> InMemoryMessageSource:
    source = InMemoryMessageSource(mqtt, "bridge", receive_max=receive_max)
    source.subscribe(["stock/v1/+/+/scans"])
    source.poll(0)
    return source


def _publish(mqtt: MemoryMqtt, *payloads: bytes) -> None:
    for payload in payloads:
        mqtt.publish("stock/v1/s/d/scans", payload)


def test_unacknowledged_messages_come_again() -> None:
    """After a reconnect what was not acknowledged is sent again, in order, before the rest."""
    mqtt = MemoryMqtt()
    first = _source(mqtt)
    _publish(mqtt, b"1", b"2", b"3")
    messages = first.poll(10)
    first.acknowledge([messages[0][2]])
    first.drop()
    _publish(mqtt, b"4")
    assert [payload for _, payload, _ in _source(mqtt).poll(10)] == [b"2", b"3", b"4"]
    assert mqtt.counts.redelivered == 2


def test_receive_maximum_holds_back() -> None:
    """No more than the receive maximum is under way; an acknowledgement frees one place."""
    mqtt = MemoryMqtt()
    source = _source(mqtt, receive_max=2)
    _publish(mqtt, b"1", b"2", b"3")
    messages = source.poll(10)
    assert [payload for _, payload, _ in messages] == [b"1", b"2"]
    source.acknowledge([messages[0][2]])
    assert [payload for _, payload, _ in source.poll(10)] == [b"3"]


def test_stale_acknowledgements_are_dropped() -> None:
    """A token of an older connection acknowledges nothing in the new one."""
    mqtt = MemoryMqtt()
    source = _source(mqtt)
    _publish(mqtt, b"1")
    old = source.poll(10)
    source.drop()
    new = source.poll(10)
    source.acknowledge([old[0][2]])
    assert source.stale_acks == 1
    assert new[0][1] == b"1"
    assert len(mqtt.sessions["bridge"].inflight) == 1


def test_takeover_ends_the_first() -> None:
    """A second client with the same id gets the session; the first one is told."""
    mqtt = MemoryMqtt()
    first = _source(mqtt)
    _source(mqtt)
    with pytest.raises(BridgeTakenError):
        first.poll(1)


def test_crash_loses_queues_and_retained() -> None:
    """A crash that loses takes sessions with it; the source subscribes again by itself."""
    mqtt = MemoryMqtt()
    source = _source(mqtt)
    _publish(mqtt, b"1")
    mqtt.crash(lose=True)
    mqtt.up = True
    assert source.poll(10) == []
    _publish(mqtt, b"2")
    assert [payload for _, payload, _ in source.poll(10)] == [b"2"]
    assert mqtt.counts.lost == 1


def test_retained_is_told_to_new_subscribers() -> None:
    """A retained message waits for whoever subscribes later."""
    mqtt = MemoryMqtt()
    mqtt.publish("a/b", b"kept", retain=True)
    source = InMemoryMessageSource(mqtt, "late")
    source.subscribe(["a/+"])
    assert [payload for _, payload, _ in source.poll(10)] == [b"kept"]
    assert source.subscribed == {"a/+"}


def test_quality_0_needs_no_acknowledgement() -> None:
    """A message at QoS 0 bears the token that says so, and is gone for who is away."""
    mqtt = MemoryMqtt()
    source = _source(mqtt)
    mqtt.publish("stock/v1/s/d/scans", b"0", qos=0)
    assert [token for _, _, token in source.poll(10)] == [UNACKNOWLEDGED]
    source.drop()
    mqtt.publish("stock/v1/s/d/scans", b"0", qos=0)
    assert source.poll(10) == []


def test_last_will_follows_a_broken_connection() -> None:
    """The will is published when a connection ends without grace, and not with it."""
    mqtt = MemoryMqtt()
    heard: list[MqttMessage] = []
    mqtt.connect("watch", heard.append).subscribe("will")
    for graceful in (True, False):
        connection = mqtt.connect("device", lambda _: None)
        connection.will = ("will", b"gone")
        connection.close(graceful=graceful)
    assert [message.payload for message in heard] == [b"gone"]


def test_duplicates_on_request() -> None:
    """With 100 percent each message comes twice."""
    mqtt = MemoryMqtt(Random(1), duplicate_percent=100)
    session = mqtt.sessions
    assert not session
    assert mqtt.delayed


@pytest.mark.parametrize(
    ("topic_filter", "topic", "covered"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d", False),
        ("a/#", "a/b/c", True),
        ("a/+", "a/b/c", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_filters(topic_filter: str, topic: str, covered: bool) -> None:
    """`+` is one level, `#` the rest."""
    assert matches(topic_filter, topic) is covered
