"""Alerting on real parts: fold, sender and floor as processes, Kafka, MQTT, a local HTTP server."""

import asyncio
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from paho.mqtt.enums import CallbackAPIVersion

from alerting.adapters.kafka import known_deliveries
from alerting.contracts import FloorTask
from alerting.rules import REPEAT_MS_MIN
from deploy.command_send import send_alert_answer
from deploy.terminal import Answer
from ingest.contracts.settings import KafkaSettings, MqttSettings
from ingest.contracts.topics import (
    ALERT_INPUTS,
    ALERTS,
    DEAD_LETTERS,
    DELIVERIES,
    EVENTS,
    mqtt_tasks_topic,
)
from ingest.partitions import partition_of
from streams.contracts.alerts import (
    ALERT,
    ALERT_INPUT_FRAMES,
    Alert,
    AlertAnswer,
    AlertEnded,
    AlertItem,
    AlertRaised,
    AlertRuleInput,
    AlertVerb,
    ChannelInput,
    Severity,
)
from streams.contracts.events import (
    EVENT_FRAMES,
    CommandAccepted,
    CommandRefused,
    TransferChanged,
)
from streams.contracts.state import Transfer, key
from streams.engine.adapters.connection import client_options
from streams.engine.adapters.reader import RecordWriter, end_offsets, read_topic
from tests.conformance.test_sender import HttpReceiver, http_receiver

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PARTITIONS = 4
DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]
NOW_MS = 1_700_000_000_000
ANSWER_WAIT_MS = 20_000


async def _partition_count(kafka: KafkaSettings) -> int:
    """Make the topics that are missing; return how many partitions they have."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        for topic in (ALERT_INPUTS, ALERTS, DELIVERIES, EVENTS, DEAD_LETTERS):
            made = NewTopic(
                topic.name, topic.partitions(PARTITIONS), 1, topic_configs=topic.config()
            )
            try:
                await admin.create_topics([made])
            except TopicAlreadyExistsError:
                continue
    finally:
        await admin.close()
    return len(await end_offsets(kafka, ALERT_INPUTS.name))


def _environ(stack: Any, partition_count: int, home: Path, **more: str) -> dict[str, str]:
    ours = os.environ  # noqa: TID251 - a child needs PATH and the like
    kept = {name: value for name, value in ours.items() if not name.startswith("SHELFSTREAM")}
    settings: list[KafkaSettings | MqttSettings] = [stack.kafka, stack.mqtt]
    for group in settings:
        for name, value in group.model_dump(mode="python", exclude_none=True).items():
            plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
            kept[f"SHELFSTREAM_{group.group}_{name.upper()}"] = str(plain)
    return {
        **kept,
        "SHELFSTREAM_HOME": str(home),
        "SHELFSTREAM_INSTALLATION_PARTITION_COUNT": str(partition_count),
        **more,
    }


@contextmanager
def _process(job: str, environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "alerting.main", job], cwd=ROOT, env=environ, stderr=out
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(30)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(30)
    process.returncode = 0  # killed on purpose: what counts is what the next one does


async def _eventually(what: str, check: Callable[[], Awaitable[bool]]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not await check():
        assert time.monotonic() < deadline_s, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.1)


async def _tell(kafka: KafkaSettings, partitions: list[int], *items: AlertItem) -> None:
    async with RecordWriter(kafka) as writer:
        for partition in partitions:
            frame = ALERT_INPUT_FRAMES.encode(list(items), received_at_ms=NOW_MS)
            await writer.write(ALERT_INPUTS.name, partition, None, frame)


async def _alert_of(kafka: KafkaSettings, alert_key: str) -> Alert:
    raw, found = key(ALERT, alert_key), Alert(**_BLANK)
    async for records in read_topic(kafka, ALERTS.name, until_end=True):
        for record in records:
            if record.key == raw and record.value is not None:
                found = msgspec.msgpack.decode(record.value, type=Alert)
    return found


async def _deliveries_of(kafka: KafkaSettings, alert_key: str) -> dict[str, str]:
    found = await _alert_of(kafka, alert_key)
    return {name.rsplit("-", 1)[-1]: how for name, how in found.deliveries.items()}


_BLANK: dict[str, Any] = {
    "alert_key": "",
    "kind": "",
    "site": "",
    "sku": "",
    "severity": "info",
    "state": "open",
    "raised_at_ms": 0,
}


def _raised(alert_key: str, kind: str, severity: Severity = "critical") -> AlertRaised:
    return AlertRaised(
        alert_key=alert_key,
        kind=kind,
        site="berlin",
        sku="milk",
        severity=severity,
        at_ms=NOW_MS,
    )


def _answer(verb: AlertVerb, alert_key: str) -> AlertAnswer:
    command_id = f"{verb}-{alert_key}"
    return AlertAnswer(
        command_id=command_id, verb=verb, alert_key=alert_key, site="berlin", actor="ann", at_ms=0
    )


def _sent(kafka: KafkaSettings, answer: AlertAnswer) -> Answer | None:
    return asyncio.run(send_alert_answer(kafka, answer, now_ms=NOW_MS, wait_ms=ANSWER_WAIT_MS))


async def _until_told(stack: Any, receiver: HttpReceiver, run: str, partitions: int) -> None:
    """A rule to a living and a dead channel: one message each, both results in the alert."""
    kafka, kind, alert_key = stack.kafka, f"stockout-{run}", f"breach-milk-{run}"
    names = [f"live{run}", f"dead{run}"]
    reference: list[AlertItem] = [
        ChannelInput(version=1, channel=names[0], url_variable="LIVE_URL"),
        ChannelInput(version=1, channel=names[1], url_variable="DEAD_URL"),
        AlertRuleInput(version=1, rule=run, channels=names, kinds=[kind]),
    ]
    await _tell(kafka, list(range(partitions)), *reference)
    await _tell(kafka, [partition_of("berlin", partitions)], _raised(alert_key, kind))

    async def told() -> bool:
        found = await _deliveries_of(kafka, alert_key)
        return found == {names[0]: "delivered", names[1]: "failed"}

    await _eventually("both results in the alert", told)
    assert receiver.taken().count(f"delivery-{alert_key}-1-{names[0]}") == 1


def test_messages_go_out_and_results_come_back(stack: Any, tmp_path: Path) -> None:
    """Through apprise to a real server; a dead channel fails visibly; a restart repeats nothing."""
    partitions = asyncio.run(_partition_count(stack.kafka))
    run = f"{time.monotonic_ns():x}"
    with http_receiver() as receiver, ExitStack() as processes:
        environ = _environ(
            stack,
            partitions,
            tmp_path,
            LIVE_URL=receiver.url,
            DEAD_URL="json://127.0.0.1:9/",
            SHELFSTREAM_ALERTING_ATTEMPTS_MAX="2",
            SHELFSTREAM_ALERTING_BACKOFF_MS="10",
        )
        processes.enter_context(_process("fold", environ, tmp_path / "fold.log"))
        with _process("send", environ, tmp_path / "send.log") as sender:
            asyncio.run(_until_told(stack, receiver, run, partitions))
            _kill(sender)
        with _process("send", environ, tmp_path / "send.log"):
            asyncio.run(_until_told(stack, receiver, f"{run}b", partitions))
        answer = _answer("acknowledge", f"breach-milk-{run}b")
        assert isinstance(_sent(stack.kafka, answer), CommandAccepted)
        late = _sent(stack.kafka, _answer("snooze", f"breach-milk-{run}b"))
        assert isinstance(late, CommandRefused)
        assert late.current_state == "acknowledged"
        mine = [name for name in receiver.taken() if run in name]
    assert len(mine) == len(set(mine)) == 2
    known = asyncio.run(known_deliveries(stack.kafka))
    of_run = {name: at_ms for name, at_ms in known.items() if run in name}
    assert len(of_run) == 4  # two messages delivered, two failed: none is sent again
    assert all(at_ms >= NOW_MS for at_ms in of_run.values())


async def _until_told_of_both(
    kafka: KafkaSettings, run: str, partitions: int, alert_keys: list[str]
) -> None:
    """Two warnings under one rule that repeats as often as a rule may; both told."""
    channel = f"live{run}"
    rule = AlertRuleInput(
        version=1, rule=run, channels=[channel], kinds=[run], repeat_ms=REPEAT_MS_MIN
    )
    made = ChannelInput(version=1, channel=channel, url_variable="LIVE_URL")
    await _tell(kafka, list(range(partitions)), made, rule)
    raised = [_raised(alert_key, run, "warning") for alert_key in alert_keys]
    await _tell(kafka, [partition_of("berlin", partitions)], *raised)
    for alert_key in alert_keys:
        await _until_delivered(kafka, alert_key, 1)


async def _until_delivered(kafka: KafkaSettings, alert_key: str, count: int) -> None:
    async def delivered() -> bool:
        found = await _alert_of(kafka, alert_key)
        return list(found.deliveries.values()).count("delivered") >= count

    await _eventually(f"{count} messages of {alert_key} delivered", delivered)


async def _until_taken(receiver: HttpReceiver, alert_key: str, count: int) -> list[str]:
    async def taken() -> bool:
        return sum(alert_key in one for one in receiver.taken()) >= count

    await _eventually(f"{count} messages of {alert_key} taken", taken)
    return [one for one in receiver.taken() if alert_key in one]


def test_no_repeat_follows_an_acknowledgement(stack: Any, tmp_path: Path) -> None:
    """Nor graver news, nor a killed fold's successor; the rule goes on for another alert."""
    kafka, partitions = stack.kafka, asyncio.run(_partition_count(stack.kafka))
    run = f"{time.monotonic_ns():x}"
    answered, open_key = f"breach-milk-{run}a", f"breach-milk-{run}b"
    home = [partition_of("berlin", partitions)]
    with http_receiver() as receiver, ExitStack() as processes:
        environ = _environ(stack, partitions, tmp_path, LIVE_URL=receiver.url)
        processes.enter_context(_process("send", environ, tmp_path / "send.log"))
        with _process("fold", environ, tmp_path / "fold.log") as fold:
            asyncio.run(_until_told_of_both(kafka, run, partitions, [answered, open_key]))
            assert isinstance(_sent(kafka, _answer("acknowledge", answered)), CommandAccepted)
            told = set(asyncio.run(_alert_of(kafka, answered)).deliveries)
            _kill(fold)
        processes.enter_context(_process("fold", environ, tmp_path / "fold.log"))
        asyncio.run(_tell(kafka, home, _raised(answered, run, "critical")))
        repeats = len(asyncio.run(_alert_of(kafka, open_key)).deliveries)
        asyncio.run(_until_delivered(kafka, open_key, repeats + 2))
        alert = asyncio.run(_alert_of(kafka, answered))
        assert (alert.state, alert.severity, set(alert.deliveries)) == (
            "acknowledged",
            "critical",
            told,
        )
        ends = [
            AlertEnded(alert_key=one, site="berlin", at_ms=NOW_MS) for one in (answered, open_key)
        ]
        asyncio.run(_tell(kafka, home, *ends))
        taken = asyncio.run(_until_taken(receiver, answered, len(told) + 1))
    assert len(taken) == len(set(taken)) == len(told) + 1  # the notice of its end, and no more


class _Floor:
    """A tablet at a site that hears of tasks."""

    def __init__(self, mqtt: MqttSettings, topic: str) -> None:
        self.heard: queue.Queue[FloorTask] = queue.Queue()
        self._subscribed: queue.Queue[bool] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(mqtt.username, mqtt.password.get_secret_value() or None)
        self._client.on_message = self._hear
        self._client.on_subscribe = lambda *_: self._subscribed.put(True)
        self._client.connect(mqtt.host, mqtt.port)
        self._client.loop_start()
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.get(timeout=DEADLINE_S)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.heard.put(FloorTask.model_validate_json(message.payload))


def test_an_approved_transfer_becomes_a_task_on_the_floor(stack: Any, tmp_path: Path) -> None:
    """The event is committed in Kafka, the task heard on MQTT at the donor's site."""
    partitions = asyncio.run(_partition_count(stack.kafka))
    run = f"{time.monotonic_ns():x}"
    transfer = Transfer(
        transfer_id=f"transfer-milk-{run}",
        sku="milk",
        from_site=f"hub{run}",
        to_site="berlin",
        state="approved",
        quantity_units=12,
    )
    changed = TransferChanged(at_ms=NOW_MS, transfer=transfer)

    async def write() -> None:
        async with RecordWriter(stack.kafka) as writer:
            frame = EVENT_FRAMES.encode([changed], received_at_ms=NOW_MS)
            await writer.write(EVENTS.name, partition_of("milk", partitions), None, frame)

    floor = _Floor(stack.mqtt, mqtt_tasks_topic(transfer.from_site))
    try:
        environ = _environ(stack, partitions, tmp_path)
        with _process("floor", environ, tmp_path / "floor.log"):
            asyncio.run(write())
            task = floor.heard.get(timeout=DEADLINE_S)
    finally:
        floor.close()
    assert (task.task, task.transfer_id, task.quantity_units) == (
        "dispatch",
        transfer.transfer_id,
        12,
    )
