"""A load as records: who is told what, in which order, in one transaction."""

import io

import pytest
from pydantic import ValidationError
from rich.console import Console

from deploy.catalog_records import alert_items, load_records, stock_items
from deploy.catalog_tables import kind_table, kinds_table, one_table
from deploy.command_send import answer_in
from ingest.catalog import Catalog
from ingest.catalog_changes import Change, changes
from ingest.contracts.demand_reference import Promotion
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    CatalogFile,
    CatalogVersion,
    Installation,
    Network,
    Site,
    Sku,
    entity_key,
)
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.contracts.supply_reference import Lane, Supplier
from ingest.contracts.topics import ALERT_INPUTS, CATALOG, INPUTS, PLANS
from ingest.frames import (
    FRAME_ITEMS_MAX,
    INPUT_FRAMES,
    InstallationInput,
    NetworkRecord,
    ReferenceInput,
    SiteRecord,
    SkuRecord,
)
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertRuleInput, ChannelInput
from streams.contracts.events import EVENT_FRAMES, CommandAccepted, CommandRefused
from streams.contracts.plans import PLAN_FRAMES
from streams.engine.adapters.reader import TopicRecord, TopicWrite
from tests.unit.ingest.catalog_samples import catalog_of, loaded

INSTALLATION = Installation(installation_id="i", partition_count=4, time="wall", created_at_ms=1)
NOW_MS = 1_700_000_000_000


def first_load(catalog: CatalogFile, version: int = 1) -> list[TopicWrite]:
    """Return the records of a load into nothing."""
    found, faults = changes({}, catalog, now_ms=NOW_MS)
    assert not faults
    return load_records(
        found,
        version=version,
        installation=INSTALLATION,
        network=catalog.network,
        now_ms=NOW_MS,
    )


def inputs(records: list[TopicWrite]) -> dict[int, list[object]]:
    """Return the items of the inputs by partition."""
    items: dict[int, list[object]] = {}
    for record in records:
        if record.topic == INPUTS.name and record.value is not None:
            frame = INPUT_FRAMES.decode(record.value)
            assert (frame.received_at_ms, len(frame.items) <= FRAME_ITEMS_MAX) == (NOW_MS, True)
            items.setdefault(record.partition, []).extend(frame.items)
    return items


def test_the_first_load_begins_each_partition_with_the_installation() -> None:
    """The installation is the first input; a later load does not repeat it."""
    expected = InstallationInput("i", 4, "wall")
    told = inputs(first_load(catalog_of()))
    assert sorted(told) == [0, 1, 2, 3]
    assert all(items[0] == expected for items in told.values())
    later = inputs(first_load(catalog_of(), version=2))
    assert all(expected not in items for items in later.values())


def test_articles_go_to_their_own_partition_only() -> None:
    """Sites, lanes and wide policies are for all; an article is for its own partition."""
    for partition, items in inputs(first_load(catalog_of())).items():
        references = [item for item in items if isinstance(item, ReferenceInput)]
        kinds = [type(item.entity) for item in references]
        assert kinds[0] is NetworkRecord
        assert kinds.count(SiteRecord) == 3
        assert kinds.count(PolicyRecord) == 1
        skus = {item.entity.sku for item in references if isinstance(item.entity, SkuRecord)}
        assert skus == {sku for sku in ("0042", "NAIL") if partition_of(sku, 4) == partition}
        assert {item.version for item in references} == {1}


def test_every_partition_hears_the_number_of_a_load() -> None:
    """A load that concerns one article still carries its number to all."""
    change = Change("changed", "sku\x1fX", Sku(sku="X"), Sku(sku="X", name="old"))
    items = stock_items([change], version=7, network=Network(), partition_count=4)
    for told in items.values():
        assert isinstance(told[0], ReferenceInput)
        assert told[0].version == 7
    assert sum(len(told) for told in items.values()) == 5


def test_sku_policies_follow_the_sku_and_removals_say_so() -> None:
    """A policy of an article goes where the article lives; a removed one is marked."""
    policy = Policy(scope="sku", sku="X", min_units=3)
    change = Change("removed", entity_key(policy), policy)
    items = stock_items([change], version=2, network=Network(), partition_count=4)
    own = items[partition_of("X", 4)]
    expected = PolicyRecord(scope="sku", sku="X", min_units=3)
    assert own[1:] == [ReferenceInput(2, expected, removed=True)]


def test_the_catalog_topic_gets_changed_entities_and_then_the_version() -> None:
    """Removed entities are tombstones; the version record is the last of the topic."""
    change = Change("removed", "site\x1fA", Site(site="A"))
    records = load_records(
        [change], version=3, installation=INSTALLATION, network=Network(), now_ms=0
    )
    catalog = [record for record in records if record.topic == CATALOG.name]
    assert catalog[0] == (CATALOG.name, 0, b"site\x1fA", None)
    assert catalog[-1].key == b"version"
    version = CatalogVersion.model_validate_json(catalog[-1].value or b"")
    assert version == CatalogVersion(version=3, loaded_at_ms=0, changed=1)


def test_a_reader_of_the_records_has_the_catalogue() -> None:
    """Records written by a load read back as the same entities."""
    catalog = Catalog()
    for record in first_load(catalog_of()):
        if record.topic == CATALOG.name:
            catalog.apply((record.key or b"").decode(), record.value)
    assert catalog.version == 1
    assert changes(catalog.entities, catalog_of(), now_ms=NOW_MS) == ([], [])


def test_rules_and_channels_go_to_every_alert_partition() -> None:
    """Channels come before the rules that name them."""
    records = [r for r in first_load(catalog_of()) if r.topic == ALERT_INPUTS.name]
    assert [record.partition for record in records] == [0, 1, 2, 3]
    items = ALERT_INPUT_FRAMES.decode(records[0].value or b"").items
    assert [type(item) for item in items] == [ChannelInput, AlertRuleInput]
    assert isinstance(items[0], ChannelInput)
    assert items[0].url_variable == "DUTY_URL"
    assert alert_items([Change("added", "site\x1fA", Site(site="A"))], version=1) == []


def test_large_loads_are_cut_into_frames() -> None:
    """No frame holds more than the limit, and no article is lost."""
    skus = tuple(Sku(sku=f"X{number}") for number in range(5 * FRAME_ITEMS_MAX))
    told = inputs(first_load(CatalogFile(sites=(Site(site="A"),), skus=skus)))
    found = [
        item.entity.sku
        for items in told.values()
        for item in items
        if isinstance(item, ReferenceInput) and isinstance(item.entity, SkuRecord)
    ]
    assert sorted(found) == sorted(sku.sku for sku in skus)


@pytest.mark.parametrize(
    "kind", ["site", "lane", "sku", "device", "policy", "promotion", "channel", "rule"]
)
def test_tables_show_what_is_there(kind: str) -> None:
    """Each kind has a table with a row an entity, and one entity all its fields."""
    catalog = loaded(catalog_of())
    rows = sum(key.startswith(kind) for key in catalog.entities)
    assert kind_table(catalog, kind).row_count == rows
    assert kinds_table(catalog).row_count == 10


def test_one_entity_is_shown_whole() -> None:
    """An article with its GTINs, in plain words."""
    catalog = loaded(catalog_of())
    console = Console(record=True, width=100, file=io.StringIO())
    (table,) = one_table(catalog, "sku", "0042")
    console.print(table)
    text = console.export_text()
    assert "4006381333931" in text
    assert "14006381333938 units=12" in text
    assert one_table(catalog, "sku", "none") == []


def test_an_answer_is_found_by_its_command() -> None:
    """Only the events of the command itself answer it."""
    accepted = CommandAccepted(command_id="c1", actor="a", entity_id="transfer-X-1", at_ms=1)
    refused = CommandRefused(
        command_id="c2", actor="a", entity_id="transfer-X-1", at_ms=1, reason="no"
    )
    value = EVENT_FRAMES.encode([accepted, refused], received_at_ms=1)
    records = [TopicRecord(0, 0, None, value, 0)]
    assert answer_in(records, "c1") == accepted
    assert answer_in(records, "c2") == refused
    assert answer_in(records, "c3") is None


def test_terms_go_to_the_planning_fold_s_own_partitions() -> None:
    """A supplier's to the partition of its orders, a lane's to that of its leaving site."""
    catalog = CatalogFile(
        sites=(Site(site="hall"), Site(site="shop")),
        lanes=(Lane(from_site="hall", to_site="shop", lead_time_ms=1, capacity_units=9),),
        suppliers=(Supplier(supplier="mill", order_weekdays="mon"),),
    )
    found: dict[int, list[object]] = {}
    for record in first_load(catalog):
        if record.topic == PLANS.name:
            items = PLAN_FRAMES.decode(record.value or b"").items
            found.setdefault(record.partition, []).extend(items)
    told = {(p, item.entity) for p, items in found.items() for item in items}  # type: ignore[attr-defined] # each is reference data
    assert told == {
        (partition_of("hall", 4), LaneRecord("hall", "shop", 1, capacity_units=9)),
        (partition_of("mill", 4), SupplierRecord("mill", order_weekdays="mon")),
    }


def test_terms_that_no_calendar_has_are_refused() -> None:
    """A date that is none, and hours that end before they begin."""
    with pytest.raises(ValidationError, match="2026-02-30 is no date"):
        Supplier(supplier="mill", closed_dates="2026-02-30")
    with pytest.raises(ValidationError, match="depart_until is not after"):
        Lane(from_site="a", to_site="b", lead_time_ms=1, depart_from_ms=9, depart_until_ms=9)


def test_a_promotion_that_moves_to_another_article_leaves_the_old_one_s_partition() -> None:
    """Who is told the new one hears no removal; who had the old one only hears that it is gone."""
    place = {sku: partition_of(sku, 4) for sku in ("A", "B", "C", "D")}
    old, new = next((a, b) for a in place for b in place if place[a] != place[b])

    def told(before: str, after: str) -> dict[int, list[bool]]:
        sale = Promotion(promotion="sale", valid_from_ms=1, valid_until_ms=2, uplift_permille=1)
        moved = sale.model_copy(update={"sku": after})
        was = sale.model_copy(update={"sku": before})
        change = Change("changed", entity_key(moved), moved, was)
        items = stock_items([change], version=2, network=Network(), partition_count=4)
        return {
            partition: [one.removed for one in heard[1:] if isinstance(one, ReferenceInput)]
            for partition, heard in items.items()
            if len(heard) > 1
        }

    assert told(old, new) == {place[old]: [True], place[new]: [False]}
    assert told("", new) == {one: [one != place[new]] for one in range(4)}
    assert told(old, "") == {one: [False] for one in range(4)}
