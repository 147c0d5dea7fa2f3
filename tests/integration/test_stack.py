"""The local stack for real: what runs, what is refused, and that nothing is ever left behind."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from influxdb_client.client.influxdb_client import InfluxDBClient

from deploy.stack.home import Home
from deploy.stack.installation import check_installation, confirm_installation
from deploy.stack.kafka_broker import (
    DIRECT_MIB_MAX,
    METASPACE_MIB_MAX,
    format_storage,
    write_configuration,
)
from deploy.stack.plan import read_plan
from deploy.stack.probes import accepts_mqtt_login
from deploy.topics import answers_metadata, create_topics
from ingest.contracts.errors import InstallationError, PartitionCountError
from ingest.contracts.reference import Installation
from ingest.contracts.settings import InfluxSettings
from ingest.contracts.topics import TOPICS, Topic
from streams.engine.adapters.connection import client_options
from tests.conftest import KAFKA_HEAP_MIB
from tests.stack import TestStack

pytestmark = pytest.mark.integration

JVM_REST_MIB = 192
"""Code cache, stacks and the collector's own tables."""


def test_storage_is_made_whatever_the_cluster_id_begins_with(
    stack: TestStack, tmp_path: Path
) -> None:
    """One random id in sixty-four begins with a dash; it is no option of Kafka's tool."""
    home = Home(tmp_path / "home")
    odd = read_plan(stack.home).model_copy(update={"kafka_cluster_id": "-" + "b" * 21})
    write_configuration(home, odd)
    format_storage(home, odd)
    assert f"cluster.id={odd.kafka_cluster_id}" in (
        home.data("kafka") / "meta.properties"
    ).read_text(encoding="utf-8")


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


def secrets_of(stack: TestStack) -> list[str]:
    """Return every generated password and token."""
    plan = read_plan(stack.home).model_dump()
    return [value for name, value in plan.items() if name.endswith(("password", "token"))]


def processes_of(stack: TestStack) -> dict[str, psutil.Process]:
    """Return the supervisor and each process that it keeps, by name."""
    state = stack.state()
    pids = {part.name: part.pid for part in state.parts if part.pid is not None}
    return {name: psutil.Process(pid) for name, pid in pids.items()} | {
        "supervisor": psutil.Process(state.supervisor_pid)
    }


def test_everybody_listens_on_loopback_only(stack: TestStack) -> None:
    """Kafka's clients and controller, MQTT, InfluxDB: no port is open to another machine."""
    listening: dict[str, list[str]] = {}
    for name, process in processes_of(stack).items():
        connections = process.net_connections(kind="inet")
        hosts = [c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN]
        listening[name] = [host.removeprefix("::ffff:") for host in hosts]
    assert {host for hosts in listening.values() for host in hosts} == {"127.0.0.1"}
    assert (len(listening["kafka"]), len(listening["mosquitto"])) == (2, 1)


def test_no_secret_is_on_a_command_line_or_in_a_log(stack: TestStack) -> None:
    """`ps` and the logs are read by people who have no login, and pasted into mails."""
    secrets = secrets_of(stack)
    assert len(set(secrets)) == 6
    lines = {name: " ".join(each.cmdline()) for name, each in processes_of(stack).items()}
    logs = {path.name: path.read_text() for path in stack.home.log("kafka").parent.iterdir()}
    assert {"kafka.log", "mosquitto.log", "supervisor.log"} <= set(logs)
    told = [name for name, text in (lines | logs).items() if any(s in text for s in secrets)]
    assert told == []


def test_what_holds_a_secret_is_its_owners_only(stack: TestStack) -> None:
    """Files with a secret, all logs and the brokers' data, even where others may enter the home."""
    secrets = [secret.encode() for secret in secrets_of(stack)]
    home = stack.home
    texts = [path for path in home.path.glob("*") if path.is_file()]
    for folder in ("config", "logs"):
        texts += [path for path in (home.path / folder).rglob("*") if path.is_file()]
    holding = {path for path in texts if any(s in path.read_bytes() for s in secrets)}
    assert {home.env_file, home.plan_file} <= holding
    data = list(home.data("kafka").glob("shelfstream.*/partition.metadata"))
    assert data
    private = {*holding, *data, *(path for path in texts if path.suffix == ".log")}
    assert [path for path in private if path.stat().st_mode & 0o077] == []
    # mosquitto keeps hashes.
    assert home.config("mosquitto") / "passwords" not in holding


def test_kafka_stays_within_its_memory(stack: TestStack) -> None:
    """Heap, classes and buffers are limited; what the kernel gave is below their sum and a rest."""
    process = processes_of(stack)["kafka"]
    limits_mib = (KAFKA_HEAP_MIB, METASPACE_MIB_MAX, DIRECT_MIB_MAX)
    options = ("-Xmx{}m", "-XX:MaxMetaspaceSize={}m", "-XX:MaxDirectMemorySize={}m")
    wanted = {option.format(mib) for option, mib in zip(options, limits_mib, strict=True)}
    assert wanted <= set(process.cmdline())
    assert process.memory_info().rss < (sum(limits_mib) + JVM_REST_MIB) * 1024 * 1024
