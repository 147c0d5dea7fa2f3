"""The doubles of Kafka and MQTT under one name each: see the modules they come from."""

from simulators.whole.memory_bridge import (
    InMemoryCatalogFeed,
    InMemoryMessageSource,
    InMemoryRecordSink,
)
from simulators.whole.memory_clients import InMemoryInputLog, InMemoryStateLog
from simulators.whole.memory_kafka import MemoryKafka
from simulators.whole.memory_link import Link
from simulators.whole.memory_mqtt import MemoryMqtt

__all__ = [
    "InMemoryCatalogFeed",
    "InMemoryInputLog",
    "InMemoryMessageSource",
    "InMemoryRecordSink",
    "InMemoryStateLog",
    "Link",
    "MemoryKafka",
    "MemoryMqtt",
]
