"""The catalogue in memory: what a name means, at which time."""

import pytest

from ingest.catalog import Article, Catalog
from ingest.contracts.errors import CatalogError
from ingest.contracts.events import QUANTITY_UNITS_MAX
from ingest.contracts.planogram import NEVER_ENDS_MS
from ingest.contracts.reference import (
    CatalogVersion,
    ChannelAssignment,
    Device,
    Entity,
    Gtin,
    Installation,
    Site,
    Sku,
    entity_key,
    entity_name,
)


def applied(*entities: Entity) -> Catalog:
    """Return a catalogue that took these entities as records."""
    catalog = Catalog()
    for entity in entities:
        catalog.apply(entity_key(entity), entity.model_dump_json().encode())
    return catalog


BOLT = Sku(sku="BOLT", unit_weight_mg=5_000, gtins=(Gtin(gtin="4006381333931", units=12),))
SCALE = Device(
    device="d",
    site="S",
    kind="scale",
    channels=(
        ChannelAssignment(channel="a", sku="NUT", valid_from_ms=100, unit_weight_mg=7),
        ChannelAssignment(channel="a", sku="BOLT", location="A1", tare_g=9),
        ChannelAssignment(channel="a", valid_from_ms=200),
        ChannelAssignment(channel="b", sku="BOLT"),
    ),
)


def test_a_device_is_known_at_its_site_only() -> None:
    """Site and device together name a device; a removed one is gone."""
    catalog = applied(SCALE)
    entry = catalog.device("S", "d")
    assert entry is not None
    assert entry.kind == "scale"
    assert catalog.device("T", "d") is None
    catalog.apply(entity_key(SCALE), None)
    assert catalog.device("S", "d") is None
    assert catalog.assignment("d", "a", 5) is None
    assert catalog.assignments("d", 5) == []


@pytest.mark.parametrize(
    ("at_ms", "sku"), [(0, "BOLT"), (99, "BOLT"), (100, "NUT"), (199, "NUT"), (200, None)]
)
def test_a_channel_is_resolved_by_time(at_ms: int, sku: str | None) -> None:
    """Each version holds from its first millisecond; one without a SKU watches nothing."""
    found = applied(SCALE).assignment("d", "a", at_ms)
    assert (found.sku if found else None) == sku


@pytest.mark.parametrize(
    ("channel", "at_ms", "until_ms"),
    [
        ("a", 0, 100),
        ("a", 99, 100),
        ("a", 100, 200),
        ("a", 200, NEVER_ENDS_MS),
        ("zz", 0, NEVER_ENDS_MS),
    ],
)
def test_a_version_holds_until_the_next(channel: str, at_ms: int, until_ms: int) -> None:
    """The last one, and a channel that nobody knows, change never."""
    assert applied(SCALE).assigned_until_ms("d", channel, at_ms) == until_ms


def test_nothing_is_watched_before_the_first_version() -> None:
    """A reading older than every version names no article, nor does an unknown channel."""
    late = Device(
        device="d", site="S", channels=(ChannelAssignment(channel="a", sku="X", valid_from_ms=9),)
    )
    catalog = applied(late)
    assert catalog.assignment("d", "a", 8) is None
    assert catalog.assignment("d", "zz", 10) is None


@pytest.mark.parametrize(("at_ms", "channels"), [(199, ["a", "b"]), (200, ["b"])])
def test_what_is_watched_is_asked_for_a_time(at_ms: int, channels: list[str]) -> None:
    """Channels that watch nothing then are left out; a change to come is no change yet."""
    assert [one.channel for one in applied(SCALE).assignments("d", at_ms)] == channels


def test_the_weight_is_the_channels_or_the_articles() -> None:
    """A channel's own weight wins; the article's is used in whichever order they are read."""
    for catalog in (applied(BOLT, SCALE), applied(SCALE, BOLT)):
        own, inherited = catalog.assignment("d", "a", 150), catalog.assignment("d", "a", 50)
        assert own is not None
        assert own.unit_weight_mg == 7
        assert inherited is not None
        assert (inherited.unit_weight_mg, inherited.tare_g, inherited.location) == (5_000, 9, "A1")


def test_a_channel_watches_the_shelf_unless_it_is_said_to_watch_the_backroom() -> None:
    """It may be put elsewhere from a time on; `location` is only its place's name."""
    channels = (
        ChannelAssignment(channel="a", sku="BOLT", location="backroom"),
        ChannelAssignment(channel="a", sku="BOLT", area="backroom", valid_from_ms=100),
    )
    catalog = applied(BOLT, Device(device="d", site="S", channels=channels))
    found = [catalog.assignment("d", "a", at_ms) for at_ms in (99, 100)]
    assert [one.backroom for one in found if one is not None] == [False, True]


def test_a_gram_weighs_a_gram() -> None:
    """An article counted in grams needs no weight of a unit."""
    entry = applied(Sku(sku="APPLES", base_unit="g")).sku("APPLES")
    assert entry is not None
    assert (entry.unit_weight_mg, entry.base_unit) == (1_000, "g")


def test_a_gtin_follows_its_article() -> None:
    """A GTIN is known in 14 digits, goes with its article, and may move to another."""
    catalog = applied(BOLT)
    assert catalog.article("04006381333931") == Article("BOLT", 12)
    nut = Sku(sku="NUT", gtins=BOLT.gtins)
    catalog.apply(entity_key(nut), nut.model_dump_json().encode())
    catalog.apply(entity_key(BOLT), None)
    assert catalog.article("04006381333931") == Article("NUT", 12)
    assert catalog.sku("BOLT") is None
    catalog.apply(entity_key(nut), nut.model_copy(update={"gtins": ()}).model_dump_json().encode())
    assert catalog.article("04006381333931") is None


def test_sites_version_and_installation() -> None:
    """The version, the installation and the set of sites follow their records."""
    installation = Installation(
        installation_id="i", partition_count=4, time="driven", created_at_ms=0
    )
    catalog = applied(Site(site="S"), CatalogVersion(version=3, loaded_at_ms=0), installation)
    assert (catalog.version, catalog.sites()) == (3, frozenset({"S"}))
    assert catalog.installation == installation
    catalog.apply(entity_key(Site(site="T")), Site(site="T").model_dump_json().encode())
    assert catalog.sites() == {"S", "T"}
    catalog.apply("installation", None)
    assert catalog.installation is None


def test_a_newer_writer_is_understood() -> None:
    """Unknown kinds and unknown fields, nested ones too, are ignored."""
    catalog = Catalog()
    catalog.apply("planet\x1fEarth", b"{}")
    catalog.apply("sku\x1fX", b'{"sku":"X","new":1,"gtins":[{"gtin":"4006381333931","new":2}]}')
    entry = catalog.sku("X")
    assert entry is not None
    assert entry.quantity_units_max == QUANTITY_UNITS_MAX


def test_a_broken_record_is_named() -> None:
    """A record that is no entity of its kind stops the reader and names its key."""
    with pytest.raises(CatalogError, match="site"):
        Catalog().apply("site\x1fS", b"{}")


def test_codes_may_hold_any_sign_but_control_characters() -> None:
    """Keys of odd SKUs stay apart, and read well."""
    keys = {entity_key(Sku(sku=name)) for name in ("a|b", "a", "a b", "é/+#")}
    assert len(keys) == 4
    assert entity_name("lane\x1fA\x1fB") == "lane A > B"
    assert entity_name("network") == "network"
