"""What an expert writes by hand: confluent-kafka, a dictionary, a changelog; at least once.

No framework, no rebalancing, no recovery: the limit to approach. A changelog record is written for
each key that a frame changed; once a second all is flushed, then the offsets are committed.
"""

import time
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from deploy.bench.counting import count_into
from deploy.bench.events import DECODE_EVENT, ENCODE, FRAMES, Event
from deploy.bench.peers.told import Progress, Told, await_go, told

MESSAGES_MAX: Final = 64
POLL_S: Final = 0.1
COMMIT_EVERY_S: Final = 1.0
FLUSH_S_MAX: Final = 30.0


def main() -> None:
    """Count all events, then say so."""
    await_go()
    my = told()
    consumer = Consumer(
        my.librdkafka()
        | {
            "group.id": my.name,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.min.bytes": 1,
        }
    )
    producer = Producer(
        my.librdkafka()
        | {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )
    consumer.subscribe([my.topic])
    count(my, consumer, producer)
    consumer.close()


def count(my: Told, consumer: Consumer, producer: Producer) -> None:
    """Read, count, write the changelog, commit, until all events are done."""
    totals: dict[str, list[int]] = {}
    progress = Progress(my.events)
    changelog = f"{my.name}-state"
    done, due_s = False, time.monotonic() + COMMIT_EVERY_S
    while not done:
        for message in consumer.consume(MESSAGES_MAX, POLL_S):
            items = items_of(my, message)
            partition = message.partition()
            changed: dict[str, list[int]] = {}
            count_into(items, totals, changed)
            for sku, total in changed.items():
                produce(producer, changelog, sku, ENCODE(total), partition)
            producer.poll(0)
            done = progress.add(len(items))
        if done or time.monotonic() >= due_s:
            if producer.flush(FLUSH_S_MAX):
                raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT))  # noqa: SLF001 - librdkafka's own name
            consumer.commit(asynchronous=False)
            due_s = time.monotonic() + COMMIT_EVERY_S
    progress.say()


def items_of(my: Told, message: Message) -> list[Event]:
    """Return the events of one record.

    Raises:
        KafkaException: The broker reported an error in the record's stead.
    """
    if message.error():
        raise KafkaException(message.error())
    value = message.value()
    return FRAMES.decode(value).items if my.frames else [DECODE_EVENT(value)]


def produce(producer: Producer, topic: str, key: str, value: bytes, partition: int) -> None:
    """Write one changelog record; wait where librdkafka's queue is full."""
    while True:
        try:
            producer.produce(topic, value, key, partition)
        except BufferError:
            producer.poll(POLL_S)
        else:
            return


if __name__ == "__main__":
    main()
