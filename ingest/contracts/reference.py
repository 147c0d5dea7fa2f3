"""Reference data: what a catalogue file holds and what stands in `shelfstream.catalog`.

One entity is one record, JSON, under the key `entity_key` gives it. Field names follow the records
of `ingest.frames`. Durations end in `_ms`; a catalogue file may also give them as `_s`, `_minutes`,
`_hours` or `_days`.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from ingest.contracts import patterns
from ingest.contracts.alert_reference import AlertRule, NotificationChannel
from ingest.contracts.demand_reference import Promotion
from ingest.contracts.events import (
    IDENTIFIER_LENGTH_MAX,
    QUANTITY_UNITS_MAX,
    Code,
    Identifier,
    TimeMs,
)
from ingest.contracts.fields import (
    DurationMs,
    GtinText,
    Money,
    Name,
    OptionalCode,
    ReferenceModel,
    Units,
)
from ingest.contracts.policy_reference import Policy
from ingest.contracts.supply_reference import Lane, Supplier

KEY_SEPARATOR: Final = "\x1f"
"""Between the parts of a key; identifiers and codes can't hold it."""

VERSION_KEY: Final = "version"
INSTALLATION_KEY: Final = "installation"
NETWORK_KEY: Final = "network"

GTINS_MAX: Final = 32
CHANNELS_MAX: Final = 256
"""Of one device."""
PROMOTIONS_MAX: Final = 4_096
ASSIGNMENTS_MAX: Final = 16_384
"""Versions of all channels of one device together."""


class Network(ReferenceModel):
    """What holds for the whole network."""

    name: Name = ""
    currency: Annotated[str, Field(pattern=patterns.CURRENCY)] = "EUR"


class Site(ReferenceModel):
    """A shop or a warehouse."""

    site: Identifier
    name: Name = ""
    kind: Literal["shop", "warehouse"] = "shop"
    parent_site: OptionalCode = ""
    """Where it replenishes from when no donor has surplus; empty for the supplier."""


class Gtin(ReferenceModel):
    """One trade item of a SKU: a piece, a case."""

    gtin: GtinText
    units: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)] = 1
    """Base units a pack."""


class Sku(ReferenceModel):
    """An article; all quantities of it are in its base unit."""

    sku: Code
    name: Name = ""
    category: OptionalCode = ""
    base_unit: Literal["piece", "g", "ml"] = "piece"
    gtins: Annotated[tuple[Gtin, ...], Field(max_length=GTINS_MAX)] = ()
    pack_units: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)] = 1
    """Base units that are moved and ordered together."""
    unit_cost_minor: Money = 0
    unit_weight_mg: Annotated[int, Field(ge=0, le=10**12)] = 0
    """Weight of one base unit in milligrams; a channel may say otherwise. 0: unknown, or 1 g."""
    quantity_units_max: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)] = QUANTITY_UNITS_MAX
    """A scan that claims more is refused as absurd."""
    supplier: OptionalCode = ""
    order_units_min: Units = 0
    """The least that the supplier delivers of it at once."""
    order_multiple_units: Annotated[int, Field(ge=0, le=QUANTITY_UNITS_MAX)] = 0
    """It is ordered of the supplier in so many units or a multiple; 0: as the policy says."""


class ChannelAssignment(ReferenceModel):
    """What one channel of a device watches from a time on."""

    channel: Identifier
    sku: OptionalCode = ""
    """Empty: it watches nothing from then on."""
    location: Annotated[str, Field(max_length=IDENTIFIER_LENGTH_MAX)] = ""
    """Name of the place, for people."""
    area: Literal["shelf", "backroom"] = "shelf"
    """What it watches: where customers take from, or what the shelf is refilled from. They are
    summed apart."""
    unit_weight_mg: Annotated[int, Field(ge=0, le=10**12)] = 0
    """0 takes the SKU's."""
    tare_g: Annotated[int, Field(ge=-(10**7), le=10**7)] = 0
    span_mm: Annotated[int, Field(ge=0, le=10**6)] = 0
    """The distance seen when the shelf is empty."""
    unit_depth_mm: Annotated[int, Field(ge=0, le=10**6)] = 0
    settle_ms: DurationMs = 0
    """A changed weight or distance counts once it has held for so long, so that a hand on the shelf
    moves nothing; 0: the sensor sends settled values only."""
    valid_from_ms: TimeMs = 0
    """Left out in a file: from the beginning for a new channel, from the load on for a change."""


class Device(ReferenceModel):
    """A sensor, a scanner or a gateway at a site."""

    device: Identifier
    site: Identifier
    kind: Literal["scale", "distance", "counter", "rfid", "beam", "scanner", "gateway"] = "scanner"
    report_interval_ms: DurationMs = 0
    """How often it reports by itself, at the least: `blind_after_ms` counts from the report it owes
    next. A battery sensor that reports every few hours is not silent after a minute."""
    channels: Annotated[tuple[ChannelAssignment, ...], Field(max_length=ASSIGNMENTS_MAX)] = ()


class Installation(ReferenceModel):
    """What an installation was made with; recorded once, never changed by a load."""

    installation_id: Identifier
    partition_count: Annotated[int, Field(ge=1, le=1_024)]
    time: Literal["wall", "driven"]
    created_at_ms: TimeMs


class CatalogVersion(ReferenceModel):
    """The newest load: the last record of its transaction."""

    version: Annotated[int, Field(ge=1)]
    loaded_at_ms: TimeMs
    """0 in an installation whose time is driven."""
    changed: Annotated[int, Field(ge=0)] = 0
    """How many entities it added, changed or removed."""


Entity = (
    Network
    | Site
    | Lane
    | Supplier
    | Sku
    | Device
    | Policy
    | Promotion
    | NotificationChannel
    | AlertRule
    | Installation
    | CatalogVersion
)


class CatalogFile(ReferenceModel):
    """A whole catalogue: what is not in it is removed by a load."""

    network: Network = Network()
    sites: tuple[Site, ...] = ()
    lanes: tuple[Lane, ...] = ()
    suppliers: tuple[Supplier, ...] = ()
    skus: tuple[Sku, ...] = ()
    devices: tuple[Device, ...] = ()
    policies: tuple[Policy, ...] = ()
    promotions: Annotated[tuple[Promotion, ...], Field(max_length=PROMOTIONS_MAX)] = ()
    channels: tuple[NotificationChannel, ...] = ()
    rules: tuple[AlertRule, ...] = ()


ENTITY_MODELS: Final[dict[str, type[BaseModel]]] = {
    NETWORK_KEY: Network,
    "site": Site,
    "lane": Lane,
    "supplier": Supplier,
    "sku": Sku,
    "device": Device,
    "policy": Policy,
    "promotion": Promotion,
    "channel": NotificationChannel,
    "rule": AlertRule,
    INSTALLATION_KEY: Installation,
    VERSION_KEY: CatalogVersion,
}
"""The model behind each kind of key."""

_KEY_FIELDS: Final[dict[type[BaseModel], tuple[str, ...]]] = {
    Network: (),
    Site: ("site",),
    Lane: ("from_site", "to_site"),
    Supplier: ("supplier",),
    Sku: ("sku",),
    Device: ("device",),
    Policy: ("scope", "site", "category", "sku"),
    Promotion: ("promotion",),
    NotificationChannel: ("channel",),
    AlertRule: ("rule",),
    Installation: (),
    CatalogVersion: (),
}
_KINDS: Final = {model: kind for kind, model in ENTITY_MODELS.items()}


def entity_kind(key: str) -> str:
    """Return the kind that a key begins with."""
    return key.partition(KEY_SEPARATOR)[0]


def entity_key(entity: Entity) -> str:
    """Return the record key of an entity: its kind and its names."""
    names = (str(getattr(entity, name)) for name in _KEY_FIELDS[type(entity)])
    return KEY_SEPARATOR.join((_KINDS[type(entity)], *names))


def entity_name(key: str) -> str:
    """Return a key as people read it: `lane A > B`, `sku 22423`."""
    kind, *names = key.split(KEY_SEPARATOR)
    joined = (" > " if kind == "lane" else " ").join(name for name in names if name)
    return f"{kind} {joined}".strip()
