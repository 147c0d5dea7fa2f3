"""The world of the simulation: gateways that emit, staff that carry out transfers, true stock.

The truth is plain addition over what the gateways spooled: it knows neither log nor fold.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final, cast

import msgspec

from ingest.contracts.topics import EVENTS, MQTT_TIME, mqtt_topic
from ingest.frames import ScanAction
from simulators.gateway import Gateway, Leaf, Publication
from simulators.whole.harness_catalog import SimulatedCatalog, opening_of, scanner_of, shelf_of
from simulators.whole.harness_system import EPOCH_MS, System
from simulators.whole.memory_link import Link
from simulators.whole.memory_mqtt import QOS_0_MID, MqttConnection, MqttMessage
from streams.contracts.events import EVENT_FRAMES, TransferChanged
from streams.contracts.ledger import scan_cause
from streams.contracts.state import Transfer

GATEWAY_STEP_S: Final = 0.1
RESEND_AFTER_MS: Final = 1_500
SIGNS: Final[dict[ScanAction, int]] = {
    "receive": 1,
    "return": 1,
    "arrive": 1,
    "adjust": 1,
    "sale": -1,
    "waste": -1,
    "dispatch": -1,
}
"""What a scan does to the book of its own site."""
EMITTED: Final[tuple[ScanAction, ...]] = (
    "sale",
    "sale",
    "sale",
    "sale",
    "return",
    "waste",
    "adjust",
    "receive",
)


@dataclass(frozen=True, slots=True)
class EmittedScan:
    """One scan as its gateway spooled it."""

    cause: str
    sku: str
    site: str
    action: ScanAction
    quantity_units: int
    transfer_id: str


class GatewayLine:
    """One gateway with its MQTT client: what stands between the device and the broker."""

    def __init__(self, system: System, site: str, source: str, leaf: Leaf) -> None:
        """Power the device on."""
        self.gateway = Gateway(
            site=site,
            source=source,
            boot="b1",
            leaf=leaf,
            batch_events=4,
            resend_after_ms=RESEND_AFTER_MS,
        )
        self._system = system
        self._rng = system.dice(source)
        self._link = Link(self._rng, system.options.delay_ms_max)
        self._connection: MqttConnection | None = None
        self._held: list[Publication] = []
        self._boot_number = 1
        self._accepted = mqtt_topic(site, source, "accepted")

    def step(self) -> None:
        """Connect where that is needed, and send what is due, not always in order."""
        now_ms = self._system.now_ms()
        if not self.gateway.online or not self._system.mqtt.up:
            return
        if self._connection is None or not self._connection.open:
            self._connection = self._system.mqtt.connect(self.gateway.source, self._on_message)
            self._connection.subscribe(self._accepted)
        due = [*self._held, *self.gateway.outgoing(now_ms)]
        self._held = []
        for publication in due:
            if self._rng.randrange(100) < self._system.options.disorder_percent:
                self._held.append(publication)
            else:
                payload = publication.payload()
                forward = partial(
                    self._connection.forward, publication.topic, payload, qos=1, retain=False
                )
                self._link.post(forward)

    def restart(self) -> None:
        """Switch the device off and on: a new boot; its spool is on disk."""
        if self.gateway.restart(f"b{self._boot_number + 1}"):
            self._boot_number += 1
            self._held = []
            self.disconnect()

    def disconnect(self) -> None:
        """Lose the connection."""
        if self._connection is not None:
            self._connection.close(graceful=False)

    def _on_message(self, message: MqttMessage) -> None:
        if self._connection is not None and message.mid != QOS_0_MID:
            self._connection.ack(message.mid)
        for one in msgspec.json.decode(message.payload)["ranges"]:
            now_ms = self._system.now_ms()
            self.gateway.on_receipt(one["boot"], one["first"], one["last"], now_ms)


class World:
    """Gateways, shelves, staff, and the truth about what they did."""

    def __init__(self, system: System, catalog: SimulatedCatalog) -> None:
        """Stock the sites."""
        self.catalog = catalog
        self.rng: Random = system.dice("world")
        self.opening = opening_of(catalog, self.rng)
        self.truth: Counter[tuple[str, str]] = Counter(self.opening)
        """Units by (SKU, site)."""
        self.scans: dict[str, EmittedScan] = {}
        """By cause."""
        self.driven_ms = 0
        """The last driven time sent; 0 in wall time."""
        self.busy = True
        """Whether shoppers shop and staff take on new work."""
        self.chores = 0
        """Transfers in the hands of staff."""
        self._system = system
        self._heard: set[str] = set()
        self.scanners = {
            site: GatewayLine(system, site, scanner_of(site), "scans")
            for site in catalog.site_names
        }
        self.shelves = {
            site: GatewayLine(system, site, shelf_of(site), "readings")
            for site in catalog.site_names
        }

    @property
    def lines(self) -> list[GatewayLine]:
        """All gateways."""
        return [*self.scanners.values(), *self.shelves.values()]

    @property
    def unaccepted_events(self) -> int:
        """How many events still wait for their receipt."""
        return sum(line.gateway.unaccepted_events for line in self.lines)

    def now_ms(self) -> int:
        """Return device time, UTC milliseconds."""
        return self.driven_ms or self._system.now_ms()

    async def run_gateways(self) -> None:
        """Serve all gateways for ever."""
        while True:
            for line in self.lines:
                line.step()
            await asyncio.sleep(GATEWAY_STEP_S)

    async def run_shoppers(self) -> None:
        """Emit scans and readings while the world is busy."""
        interval_ms = self._system.options.emit_interval_ms
        while self.busy:
            site = self.rng.choice(self.catalog.site_names)
            sku = self.rng.choice(self.catalog.skus)
            if self.rng.randrange(5) == 0:
                self._read_shelf(sku, site)
            else:
                self._emit_one(sku, site)
            await asyncio.sleep(self.rng.randint(1, 2 * interval_ms) / 1000)

    async def run_staff(self) -> None:
        """Hear committed events, and carry out each approved transfer once."""
        logs = self._system.kafka.topics[EVENTS.name].partitions
        positions = [0] * len(logs)
        while True:
            for index, log in enumerate(logs):
                records, positions[index] = log.fetch(positions[index], 1_000)
                for record in records:
                    for event in EVENT_FRAMES.decode(record.value or b"").items:
                        if isinstance(event, TransferChanged):
                            self._hear(event.transfer)
            await asyncio.sleep(GATEWAY_STEP_S)

    async def run_clock(self) -> None:
        """Drive time over MQTT where the installation's time is driven."""
        connection: MqttConnection | None = None
        self.driven_ms = EPOCH_MS
        while True:
            if self._system.mqtt.up:
                if connection is None or not connection.open:
                    connection = self._system.mqtt.connect("clock", lambda _: None)
                self.driven_ms += 500
                connection.publish(MQTT_TIME, msgspec.json.encode({"at_ms": self.driven_ms}))
            await asyncio.sleep(0.5)

    def scan(
        self, action: ScanAction, sku: str, site: str, quantity_units: int, **names: str
    ) -> EmittedScan:
        """Let a site's scanner scan, and do to the truth what the scan says."""
        fields: dict[str, str | int | bool] = {
            "observed_at_ms": self.now_ms(),
            "action": action,
            "sku": sku,
            "quantity": quantity_units,
            **names,
        }
        gateway = self.scanners[site].gateway
        boot, seq = gateway.append(fields)
        cause = scan_cause(gateway.source, boot, seq)
        transfer_id = names.get("transfer_id", "")
        emitted = EmittedScan(cause, sku, site, action, quantity_units, transfer_id)
        self.scans[cause] = emitted
        self.truth[sku, site] += SIGNS[action] * quantity_units
        return emitted

    def _emit_one(self, sku: str, site: str) -> None:
        action = self.rng.choice(EMITTED)
        quantity = self.rng.randint(1, 40 if action == "receive" else 6)
        if action == "adjust" and self.rng.randrange(2):
            quantity = -quantity
        self.scan(action, sku, site, quantity)

    def _read_shelf(self, sku: str, site: str) -> None:
        units = max(0, self.truth[sku, site] + self.rng.randint(-1, 1))
        self.shelves[site].gateway.append(
            {"observed_at_ms": self.now_ms(), "channel": sku, "weight_g": 100 * units}
        )

    def _hear(self, transfer: Transfer) -> None:
        if transfer.state != "approved" or transfer.transfer_id in self._heard or not self.busy:
            return
        self._heard.add(transfer.transfer_id)
        self.chores += 1
        self._system.count("transfer carried out")
        asyncio.get_running_loop().create_task(self._carry(transfer))

    async def _carry(self, transfer: Transfer) -> None:
        rng = self.rng
        await asyncio.sleep(rng.randint(50, 2_500) / 1000)
        unnamed = rng.randrange(100) < self._system.options.unnamed_percent
        late_dispatch = rng.randrange(6) == 0
        if not late_dispatch:
            self._transfer_scan("dispatch", transfer, transfer.quantity_units, unnamed=unnamed)
        await asyncio.sleep(rng.randint(50, 2_500) / 1000)
        first = transfer.quantity_units
        if first > 1 and rng.randrange(5) == 0:
            first = rng.randint(1, first - 1)
        self._transfer_scan("arrive", transfer, first, unnamed=unnamed)
        if first < transfer.quantity_units:
            await asyncio.sleep(rng.randint(50, 1_000) / 1000)
            rest = transfer.quantity_units - first
            self._transfer_scan("arrive", transfer, rest, unnamed=unnamed)
        if late_dispatch:
            self._system.count("late dispatch")
            await asyncio.sleep(rng.randint(50, 1_000) / 1000)
            self._transfer_scan("dispatch", transfer, transfer.quantity_units, unnamed=unnamed)
        self.chores -= 1

    def _transfer_scan(
        self, action: str, transfer: Transfer, quantity_units: int, *, unnamed: bool
    ) -> None:
        here, there = transfer.from_site, transfer.to_site
        if action == "arrive":
            here, there = there, here
        names = {"transfer_id": transfer.transfer_id}
        if unnamed:
            names = {"counterpart_site": there}
        self.scan(cast("ScanAction", action), transfer.sku, here, quantity_units, **names)
