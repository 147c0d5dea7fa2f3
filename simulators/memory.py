"""The doubles of Kafka and MQTT under one name each: see the modules they come from."""

from simulators.memory_bridge import (
    InMemoryCatalogFeed,
    InMemoryMessageSource,
    InMemoryRecordSink,
)
from simulators.memory_clients import InMemoryInputLog, InMemoryStateLog
from simulators.memory_kafka import MemoryKafka
from simulators.memory_link import Link
from simulators.memory_mqtt import MemoryMqtt

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
