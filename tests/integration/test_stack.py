"""The local stack for real: what runs, what is refused, and that nothing is ever left behind."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from influxdb_client.client.influxdb_client import InfluxDBClient

from deploy.installation import check_installation, confirm_installation
from deploy.plan import read_plan
from deploy.probes import accepts_mqtt_login
from deploy.topics import answers_metadata, create_topics
from ingest.contracts.errors import InstallationError, PartitionCountError
from ingest.contracts.reference import Installation
from ingest.contracts.settings import InfluxSettings
from ingest.contracts.topics import TOPICS, Topic
from streams.engine.adapters.connection import client_options
from tests.stack import TestStack

pytestmark = pytest.mark.integration


def test_kafka_refuses_a_wrong_password(stack: TestStack) -> None:
    """Only the generated login gets an answer."""
    wrong = stack.kafka.model_copy(update={"password": stack.mqtt.password})
    assert asyncio.run(answers_metadata(stack.kafka))
    assert not asyncio.run(answers_metadata(wrong))


def test_mosquitto_accepts_both_logins_and_no_other(stack: TestStack) -> None:
    """The pipeline and the devices have a login each; a guess has none."""
    for login in (stack.mqtt, stack.devices):
        password = login.password.get_secret_value()
        assert asyncio.run(accepts_mqtt_login(login.port, login.username, password))
    assert not asyncio.run(accepts_mqtt_login(stack.mqtt.port, "devices", "guess"))


def test_topics_are_made_once_and_another_count_is_refused(stack: TestStack) -> None:
    """A second run makes nothing; a differing count is refused by name."""
    count = read_plan(stack.home).partition_count
    assert asyncio.run(create_topics(stack.kafka, count)) == []
    with pytest.raises(PartitionCountError, match=f"has {count} partitions.*expects {count + 1}"):
        asyncio.run(create_topics(stack.kafka, count + 1))


def test_the_installation_on_the_broker_is_this_one(stack: TestStack) -> None:
    """The record of the first start holds, and another installation is refused."""
    plan = read_plan(stack.home)
    mine = Installation(
        installation_id=plan.installation_id,
        partition_count=plan.partition_count,
        time=plan.time,
        created_at_ms=1,
    )
    found = asyncio.run(confirm_installation(stack.kafka, mine))
    assert found.created_at_ms > 1
    with pytest.raises(InstallationError, match="has time wall, and this home has driven"):
        check_installation(found, mine.model_copy(update={"time": "driven"}))


def test_records_get_the_brokers_time(stack: TestStack, unique: Callable[[str], str]) -> None:
    """Retention counts from when Kafka took a record, so that a day of 2010 is kept as well."""
    topic = Topic(name=unique("old-day"), partitioned_by="single", retention_ms=1000, doc="")

    async def timestamp_ms() -> int:
        await create_topics(stack.kafka, 1, topics=[topic])
        async with AIOKafkaProducer(**client_options(stack.kafka)) as producer:
            await producer.send_and_wait(topic.name, b"x", timestamp_ms=1_291_161_600_000)
        consumer = AIOKafkaConsumer(**client_options(stack.kafka))
        async with consumer:
            partition = TopicPartition(topic.name, 0)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            record = await consumer.getone()
            return int(record.timestamp)

    assert asyncio.run(timestamp_ms()) > 1_700_000_000_000
    assert {"message.timestamp.type"} <= set(TOPICS[0].config())


def test_influxdb_is_set_up(influx: InfluxSettings) -> None:
    """Where there is an influxd, the generated token opens the bucket."""
    token = influx.token.get_secret_value()
    with InfluxDBClient(url=influx.url, token=token, org=influx.org) as client:
        assert client.buckets_api().find_bucket_by_name(influx.bucket) is not None
