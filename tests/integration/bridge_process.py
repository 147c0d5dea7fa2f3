"""Real bridges, and a gateway that keeps what has no receipt."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.contracts.events import DeadLetter
from ingest.contracts.reference import (
    CatalogVersion,
    ChannelAssignment,
    Device,
    Entity,
    Installation,
    Site,
    Sku,
    entity_key,
)
from ingest.contracts.settings import KafkaSettings, MqttSettings, Settings
from ingest.contracts.topics import CATALOG, DEAD_LETTERS, INPUTS
from ingest.frames import INPUT_FRAMES, InputItem, ScanInput
from streams.engine.adapters.reader import RecordWriter, end_offsets, read_topic

DEADLINE_S: Final = 40.0
RESEND_S: Final = 1.5
SKU: Final = "bridge-test-milk"


def eventually(done: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Return the first true value of `done`, looked at often until the deadline."""
    ends_s = time.monotonic() + deadline_s
    while True:
        value = done()
        if value:
            return value
        assert time.monotonic() < ends_s, what
        time.sleep(0.02)


def environment(*groups: Settings, **names: str) -> dict[str, str]:
    """Return this process's environment with settings as `SHELFSTREAM_` variables."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SHELFSTREAM_")}  # noqa: TID251 - handed on
    environ["SHELFSTREAM_HOME"] = os.devnull
    for group in groups:
        for name, value in group.model_dump().items():
            if value is not None:
                secret = getattr(value, "get_secret_value", None)
                text = str(secret() if secret else value)
                environ[f"SHELFSTREAM_{group.group}_{name.upper()}"] = text
    return environ | names


class BridgeProcess:
    """One `python -m ingest.main`."""

    def __init__(self, stack: Any, log_path: Path, bridge_slice: str = "0/1") -> None:
        """Start it."""
        self.log_path = log_path
        self._log = log_path.open("ab")
        self._begin = log_path.stat().st_size
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ingest.main"],
            env=environment(stack.kafka, stack.mqtt, SHELFSTREAM_BRIDGE_SLICE=bridge_slice),
            stderr=self._log,
        )

    @property
    def log(self) -> str:
        """What it has said since it started."""
        return self.log_path.read_bytes()[self._begin :].decode()

    def ready(self, filters: int = 3) -> "BridgeProcess":
        """Wait until the broker has confirmed so many topic filters."""

        def subscribed() -> bool:
            assert self.process.poll() is None, self.log
            return any(
                event.get("event") == "mqtt_subscribed" and event["filters"] >= filters
                for event in map(msgspec.json.decode, self.log.splitlines())
            )

        eventually(subscribed, f"the bridge did not subscribe: {self.log}")
        return self

    def kill(self) -> None:
        """Kill it with no warning."""
        self.process.kill()
        self.process.wait()

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return int(
            eventually(
                lambda: (self.process.poll() is not None) and [self.process.returncode], self.log
            )[0]
        )

    def close(self) -> None:
        """Ask it to end, and see that it does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            finally:
                self.process.kill()
        self._log.close()


class Gateway:
    """A device that sends scans of one site, and sends again what has no receipt."""

    def __init__(self, settings: MqttSettings, site: str, device: str) -> None:
        """Connect, and listen to receipts."""
        self.topic = f"stock/v1/{site}/{device}/scans"
        self._device = device
        self._accepted = f"stock/v1/{site}/{device}/accepted"
        self.spool: dict[int, float] = {}
        """When each number without a receipt was last sent."""
        self._listening = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(
            settings.username, settings.password.get_secret_value() or None
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_receipt
        self._client.connect(settings.host, settings.port)
        self._client.loop_start()
        eventually(lambda: self._listening, "no SUBACK")

    def event(self, seq: int) -> dict[str, object]:
        """Return one scan."""
        return {
            "source": self._device,
            "boot": "boot-1",
            "seq": seq,
            "observed_at_ms": 1_700_000_000_000,
            "action": "sale",
            "sku": SKU,
        }

    def send(self, numbers: Iterable[int]) -> None:
        """Send one message an event, and keep the numbers."""
        for seq in numbers:
            self.spool[seq] = time.monotonic()
            self.publish(msgspec.json.encode(self.event(seq)))

    def publish(self, payload: bytes) -> None:
        """Send any bytes."""
        self._client.publish(self.topic, payload, qos=1)

    def receipted(self) -> bool:
        """Send again what waits too long; tell whether nothing waits."""
        now_s = time.monotonic()
        late = [seq for seq, sent_s in list(self.spool.items()) if now_s - sent_s > RESEND_S]
        self.send(late)
        return not self.spool

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, *_: Any) -> None:
        self._client.subscribe(self._accepted, 1)

    def _on_subscribe(self, *_: Any) -> None:
        self._listening = True

    def _on_receipt(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        for told in msgspec.json.decode(message.payload)["ranges"]:
            for seq in range(told["first"], told["last"] + 1):
                self.spool.pop(seq, None)


class Logs:
    """What a test wrote, found again in Kafka."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Note where the logs end now."""
        self._kafka = kafka
        self._ends = {
            name: asyncio.run(end_offsets(kafka, name)) for name in (INPUTS.name, DEAD_LETTERS.name)
        }

    def inputs(self) -> list[InputItem]:
        """Return the inputs since."""
        values = asyncio.run(self._values(INPUTS.name))
        return [item for value in values for item in INPUT_FRAMES.decode(value).items]

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters since."""
        values = asyncio.run(self._values(DEAD_LETTERS.name))
        return [DeadLetter.model_validate_json(value) for value in values]

    def scans(self, source: str) -> list[int]:
        """Return the numbers of a source's scans, repeats included."""
        return [
            item.seq
            for item in self.inputs()
            if isinstance(item, ScanInput) and item.source == source
        ]

    async def _values(self, topic: str) -> list[bytes]:
        return [
            record.value or b""
            async for records in read_topic(
                self._kafka, topic, from_offsets=self._ends[topic], until_end=True
            )
            for record in records
        ]


def add_to_catalogue(kafka: KafkaSettings, version: int, sites: dict[str, list[str]]) -> None:
    """Add sites with their devices, beside what is there, as one load would."""
    entities: list[Entity] = [Sku(sku=SKU, quantity_units_max=1_000)]
    for site, devices in sites.items():
        entities.append(Site(site=site))
        entities += [
            Device(device=one, site=site, channels=(ChannelAssignment(channel="a", sku=SKU),))
            for one in devices
        ]
    entities.append(CatalogVersion(version=version, loaded_at_ms=0))
    asyncio.run(_written(kafka, entities))


async def _written(kafka: KafkaSettings, entities: list[Entity]) -> None:
    async with RecordWriter(kafka) as writer:
        installed = False
        async for records in read_topic(kafka, CATALOG.name, until_end=True):
            installed = installed or any(record.key == b"installation" for record in records)
        if not installed:
            count = len(await end_offsets(kafka, INPUTS.name))
            made = Installation(
                installation_id="bridge-test", partition_count=count, time="wall", created_at_ms=0
            )
            entities = [made, *entities]
        for entity in entities:
            value = entity.model_dump_json().encode()
            await writer.write(CATALOG.name, 0, entity_key(entity).encode(), value)
