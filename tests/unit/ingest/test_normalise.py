"""Messages to inputs and refusals."""

import pytest

from ingest.clocks import SourceClocks
from ingest.contracts.events import BATCH_EVENTS_MAX, PAYLOAD_BYTES_MAX
from ingest.frames import ReadingInput, ScanInput, StatusInput
from ingest.normalise import Normalised, Normaliser
from ingest.partitions import partition_of
from tests.unit.ingest.doubles import (
    CASE_GTIN14,
    MILK_GTIN14,
    FakeCatalog,
    Watched,
    as_json,
    reading,
    scan,
)

READINGS = "stock/v1/oslo/scale-1/readings"
SCANS = "stock/v1/oslo/scale-1/scans"
STATUS = "stock/v1/oslo/scale-1/status"
NOW_MS = 1_700_000_001_000


def _normalised(topic: str, payload: object, catalog: FakeCatalog | None = None) -> Normalised:
    normaliser = Normaliser(catalog or FakeCatalog(), SourceClocks(), partition_count=4)
    raw = payload if isinstance(payload, bytes) else as_json(payload)
    return normaliser.normalise(topic, raw, NOW_MS)


def _scanned(**changes: object) -> ScanInput:
    made = _normalised(SCANS, scan(**changes))
    assert made.rejected == []
    (item,) = [item for _, item in made.items]
    assert isinstance(item, ScanInput)
    return item


def test_a_reading_is_resolved_to_its_sku() -> None:
    """Channel, location and weight come from the catalogue, the partition from the SKU."""
    made = _normalised(READINGS, reading(seq=7))
    (partition, item), *rest = made.items
    assert not rest
    assert partition == partition_of("milk", 4)
    assert isinstance(item, ReadingInput)
    assert (item.sku, item.site, item.location) == ("milk", "oslo", "shelf-1")
    assert (item.kind, item.value, item.unit_weight_mg) == ("weight_g", 2_060, 1_030_000)
    assert made.ranges == [("b1", 7, 7)]


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        ({"units": 3}, "units", 3),
        ({"distance_mm": 120}, "distance_mm", 120),
        ({"tags": ["a", "b", "a"]}, "tags", 2),
        ({"weight_g": 0}, "weight_g", 0),
    ],
)
def test_each_payload_has_its_kind(given: dict[str, object], kind: str, value: int) -> None:
    """Tags count once however often they are read."""
    made = _normalised(READINGS, reading(**({"weight_g": None} | given)))
    item = made.items[0][1]
    assert isinstance(item, ReadingInput)
    assert (item.kind, item.value) == (kind, value)


def test_a_channel_is_resolved_by_observation_time() -> None:
    """What was seen before the planogram changed lands on the SKU of that time."""
    catalog = FakeCatalog(
        channels={"scale-1": [Watched("milk"), Watched("rice", valid_from_ms=1_699_999_999_000)]}
    )
    late = reading(observed_at_ms=1_699_999_998_999, historical=True)
    made = _normalised(READINGS, [late, reading(seq=1)], catalog)
    assert [item.sku for _, item in made.items if isinstance(item, ReadingInput)] == [
        "milk",
        "rice",
    ]


@pytest.mark.parametrize(
    ("changes", "quantity_units"),
    [
        ({}, 1),
        ({"quantity": 5}, 5),
        ({"sku": None, "gtin": CASE_GTIN14, "quantity": 2}, 24),
        ({"sku": None, "gtin": MILK_GTIN14[1:]}, 1),
        ({"sku": None, "barcode": "]C10107032069804988\x1d3705"}, 5),
        ({"sku": None, "barcode": "]E496385074", "quantity": 7}, 7),
        ({"action": "adjust", "quantity": -3}, -3),
    ],
)
def test_a_scan_is_base_units_of_a_sku(changes: dict[str, object], quantity_units: int) -> None:
    """Packs and counts multiply what was scanned."""
    assert _scanned(**changes).quantity_units == quantity_units


def test_a_weighed_article_is_grams() -> None:
    """The net weight in a barcode counts where the SKU's base unit is the gram."""
    item = _scanned(sku=None, barcode="]C101000000963850743103000195\x1d10L1", quantity=2)
    assert (item.sku, item.quantity_units, item.lot) == ("rice", 390, "L1")


def test_the_scanners_lot_wins() -> None:
    """A lot typed in by hand is preferred to the barcode's."""
    assert _scanned(sku=None, barcode="]C1010703206980498810L1", lot="hand").lot == "hand"


def test_a_status_goes_to_the_device_and_to_what_it_watches() -> None:
    """One for hash(device)'s partition, one for each channel; it has no number to receipt."""
    catalog = FakeCatalog(channels={"scale-1": [Watched("milk"), Watched("rice", channel="b")]})
    status = {"source": "scale-1", "boot": "b1", "state": "offline"}
    made = _normalised(STATUS, status, catalog)
    assert made.ranges == []
    assert [
        (p, i.sku, i.channel, i.online) for p, i in made.items if isinstance(i, StatusInput)
    ] == [
        (partition_of("scale-1", 4), "", "", False),
        (partition_of("milk", 4), "milk", "a", False),
        (partition_of("rice", 4), "rice", "b", False),
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("stock/v1/oslo/scale-1/other", reading(), "unknown_topic"),
        ("stock/v1/oslo/readings", reading(), "unknown_topic"),
        ("stock/v2/oslo/scale-1/readings", reading(), "unknown_topic"),
        ("stock/v1/oslo/nobody/readings", reading(), "unknown_device"),
        ("stock/v1/rome/scale-1/readings", reading(), "unknown_device"),
        (READINGS, reading(source="scale-2"), "wrong_identity"),
        (READINGS, reading(channel="z"), "unknown_channel"),
        (READINGS, b"", "bad_json"),
        (READINGS, b"{", "bad_json"),
        (READINGS, b"[" * 50_000, "bad_json"),
        (READINGS, b'{"source":' + b"[" * 50_000, "bad_json"),
        (READINGS, b'{"source":"\xff"}', "bad_json"),
        (READINGS, [], "bad_schema"),
        (READINGS, b"7", "bad_schema"),
        (READINGS, reading(weight_g=1.0), "bad_schema"),
        (READINGS, reading(weight_g=None), "bad_schema"),
        (READINGS, reading(units=1), "bad_schema"),
        (READINGS, reading(more=1), "bad_schema"),
        (READINGS, reading(boot="a/b"), "bad_schema"),
        (READINGS, reading(weight_g=10**9), "absurd_value"),
        (READINGS, reading(observed_at_ms=10**15), "absurd_value"),
        (READINGS, [reading()] * (BATCH_EVENTS_MAX + 1), "oversize"),
        (READINGS, b" " * (PAYLOAD_BYTES_MAX + 1), "oversize"),
        (SCANS, scan(sku="nothing"), "unknown_article"),
        (
            SCANS,
            scan(sku=None, gtin="12345670"),
            "unknown_article",
        ),
        (SCANS, scan(sku=None, gtin="96385075"), "bad_barcode"),
        (SCANS, scan(sku=None, barcode="]E07032069804985"), "bad_barcode"),
        (SCANS, scan(quantity=1_001), "absurd_value"),
        (SCANS, scan(sku=None, gtin=CASE_GTIN14, quantity=100), "absurd_value"),
        (SCANS, scan(quantity=-1), "bad_schema"),
        (STATUS, {"source": "scale-1", "boot": "b", "state": "asleep"}, "bad_schema"),
    ],
)
def test_refusals_have_their_reason(topic: str, payload: object, reason: str) -> None:
    """Each refusal keeps the raw bytes and says why."""
    made = _normalised(topic, payload)
    assert made.items == []
    (rejected,) = made.rejected
    assert rejected.reason == reason
    assert rejected.detail
    assert rejected.raw == (payload if isinstance(payload, bytes) else as_json(payload))


def test_in_a_batch_only_the_bad_are_refused() -> None:
    """Good events of a batch with bad ones are taken, in order; the bad keep their own bytes."""
    batch = [
        reading(seq=1),
        reading(seq=2, weight_g="much"),
        reading(seq=3),
        reading(seq=4, channel="z"),
        {"seq": 5},
        [reading(seq=6)],
    ]
    made = _normalised(READINGS, batch)
    assert [item.seq for _, item in made.items if isinstance(item, ReadingInput)] == [1, 3]
    assert [one.reason for one in made.rejected] == ["bad_schema", "unknown_channel"] + [
        "bad_schema"
    ] * 2
    assert [one.raw for one in made.rejected] == [as_json(batch[place]) for place in (1, 3, 4, 5)]
    numbers = {number for _, first, last in made.ranges for number in range(first, last + 1)}
    assert numbers == {1, 2, 3, 4, 6}


def test_a_good_batch_with_an_unknown_article_is_cut() -> None:
    """A refusal that only the catalogue makes is cut out as well."""
    batch = [scan(seq=1), scan(seq=2, sku="nothing"), scan(seq=3)]
    made = _normalised(SCANS, batch)
    assert [item.seq for _, item in made.items if isinstance(item, ScanInput)] == [1, 3]
    assert [one.raw for one in made.rejected] == [as_json(batch[1])]
    assert made.ranges == [("b1", 1, 3)]


def test_refused_events_are_receipted_as_far_as_they_have_numbers() -> None:
    """Their sender stops resending them, for they are in the dead letters."""
    made = _normalised("stock/v1/oslo/nobody/readings", [reading(seq=3), reading(seq=4)])
    assert made.ranges == [("b1", 3, 3), ("b1", 4, 4)]
    assert _normalised(READINGS, b"{").ranges == []


def test_a_route_follows_the_catalogue() -> None:
    """A device that appears is known from the next version on."""
    catalog = FakeCatalog()
    normaliser = Normaliser(catalog, SourceClocks(), partition_count=4)
    topic = "stock/v1/oslo/scale-2/readings"
    route = normaliser.route(topic)
    assert route is not None
    assert not route.known
    catalog.apply("device:oslo:scale-2", b"x")
    route = normaliser.route(topic)
    assert route is not None
    assert route.known
