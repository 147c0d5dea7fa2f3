"""What the bridge needs of the outside, as roles.

The adapters are in `ingest.adapters`; the doubles of the in-memory whole are in `simulators`. One
conformance suite a port runs on both.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, Protocol, TypeAlias

Token: TypeAlias = int
"""Names one received message of one connection; -1 for a message that needs no acknowledgement."""

Message: TypeAlias = tuple[str, bytes, Token]
"""Topic, payload and token. A plain tuple: one is made for each message of the hot path."""

UNACKNOWLEDGED: Token = -1


class MessageSource(Protocol):
    """A persistent MQTT session, served without blocking."""

    @property
    def subscribed(self) -> frozenset[str]:
        """The topic filters that the broker has confirmed in this session."""

    @property
    def stale_acks(self) -> int:
        """How many acknowledgements were dropped since their connection had gone."""

    def poll(self, limit: int) -> list[Message]:
        """Serve the connection, and return at most `limit` messages in the order received.

        With a limit of 0 the connection is kept alive and messages stay with the source.

        Raises:
            BridgeTakenError: Another process has taken this client id's session.
        """

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledge messages in the order received; those of an older connection are dropped."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message once, with no promise that it arrives (QoS 0)."""

    def announce(self, topic: str, payload: bytes) -> None:
        """Send a retained message, in order with what the broker hands to others (QoS 1)."""

    def subscribe(self, filters: Iterable[str]) -> None:
        """Add topic filters to the session; confirmed ones appear in `subscribed`."""


class SendHandle(Protocol):
    """One record on its way."""

    def done(self) -> bool:
        """Tell whether the record was written or refused."""

    def error(self) -> str | None:
        """Return why it was refused; None when it was written."""


class RecordSink(Protocol):
    """Kafka, for writing; never blocks, keeps the order within a partition."""

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> SendHandle:
        """Queue one record.

        Raises:
            DeliveryError: It can't be queued (Kafka is gone, the buffer is full).
        """

    def poll(self) -> None:
        """Let queued records move on; a sink with a thread of its own does nothing."""

    def flush(self, timeout_s: float) -> bool:
        """Wait until all queued records are done; False when time ran out."""


class CatalogFeed(Protocol):
    """The catalog topic, followed."""

    def poll(self) -> list[tuple[str, bytes | None]]:
        """Return new records as (key, value), in order, without waiting; None removes a key.

        A load is returned whole: while it is half applied, events would be resolved by what no
        version of the catalogue ever said.
        """


class DeviceEntry(Protocol):
    """A device as the catalogue has it."""


class Assignment(Protocol):
    """What a channel watches, valid at some time."""

    @property
    def channel(self) -> str:
        """The channel."""

    @property
    def location(self) -> str:
        """Where in the site."""

    @property
    def sku(self) -> str:
        """The article."""

    @property
    def unit_weight_mg(self) -> int:
        """Weight of one base unit in milligrams; 0 where unknown."""

    @property
    def tare_g(self) -> int:
        """Weight of the empty shelf in grams."""

    @property
    def span_mm(self) -> int:
        """Distance seen when the shelf is empty, millimetres."""

    @property
    def unit_depth_mm(self) -> int:
        """Depth of one base unit, millimetres."""

    @property
    def valid_from_ms(self) -> int:
        """From when it holds, UTC milliseconds; until the next version of the channel."""

    @property
    def settle_ms(self) -> int:
        """How long a changed value must hold before it counts; 0 counts it at once."""

    @property
    def report_interval_ms(self) -> int:
        """How often the device reports; 0 where it is not said."""

    @property
    def backroom(self) -> bool:
        """Whether it watches the backroom, and not the shelf."""


class Article(Protocol):
    """What a GTIN names."""

    @property
    def sku(self) -> str:
        """The SKU."""

    @property
    def units(self) -> int:
        """Base units a pack."""


class SkuEntry(Protocol):
    """An article as the catalogue has it."""

    @property
    def quantity_units_max(self) -> int:
        """The largest quantity one scan may claim, base units."""

    @property
    def base_unit(self) -> str:
        """Piece, g or ml."""


class InstallationEntry(Protocol):
    """What the installation was made with."""

    @property
    def partition_count(self) -> int:
        """Partitions of every partitioned topic."""

    @property
    def time(self) -> Literal["wall", "driven"]:
        """Whether time is the clock's or is sent on `stock/v1/_time`."""


class CatalogView(Protocol):
    """The catalogue, as far as the bridge asks it."""

    @property
    def version(self) -> int:
        """Number of the newest load that was applied."""

    @property
    def installation(self) -> InstallationEntry | None:
        """The installation's record; None before it was read."""

    def sites(self) -> Collection[str]:
        """Return the known sites."""

    def apply(self, key: str, value: bytes | None) -> None:
        """Apply one record of the catalog topic."""

    def device(self, site: str, device: str) -> DeviceEntry | None:
        """Return a device of a site."""

    def assignment(self, device: str, channel: str, at_ms: int) -> Assignment | None:
        """Return what a channel watched at a time, UTC milliseconds."""

    def assigned_until_ms(self, device: str, channel: str, at_ms: int) -> int:
        """Return when the next version of a channel after `at_ms` begins, UTC milliseconds."""

    def assignments(self, device: str, at_ms: int) -> Sequence[Assignment]:
        """Return what the channels of a device watched at a time, UTC milliseconds."""

    def article(self, gtin14: str) -> Article | None:
        """Return what a GTIN of 14 digits names."""

    def sku(self, sku: str) -> SkuEntry | None:
        """Return an article."""
