"""Messages to inputs and refusals."""

import pytest

from ingest import normalise
from ingest.clocks import SourceClocks
from ingest.contracts.events import BATCH_EVENTS_MAX, PAYLOAD_BYTES_MAX
from ingest.frames import TAG_DIGEST_BYTES, ReadingInput, ScanInput, StatusInput
from ingest.normalise import Normalised, Normaliser
from ingest.partitions import partition_of
from tests.unit.ingest.doubles import (
    CASE_GTIN14,
    MILK_GTIN14,
    FakeCatalog,
    Watched,
    as_json,
    inputs_of,
    reading,
    scan,
)

READINGS = "stock/v1/oslo/scale-1/readings"
SCANS = "stock/v1/oslo/scale-1/scans"
STATUS = "stock/v1/oslo/scale-1/status"
SSCC = "376104250021234569"
NOW_MS = 1_700_000_001_000


def _normalised(topic: str, payload: object, catalog: FakeCatalog | None = None) -> Normalised:
    normaliser = Normaliser(catalog or FakeCatalog(), SourceClocks(), partition_count=4)
    raw = payload if isinstance(payload, bytes) else as_json(payload)
    return normaliser.normalise(topic, raw, NOW_MS)


def _scanned(**changes: object) -> ScanInput:
    made = _normalised(SCANS, scan(**changes))
    assert made.rejected == []
    (item,) = [item for _, item in inputs_of(made)]
    assert isinstance(item, ScanInput)
    return item


def _reading(**changes: object) -> ReadingInput:
    ((_, item),) = inputs_of(_normalised(READINGS, reading(**changes)))
    assert isinstance(item, ReadingInput)
    return item


def test_a_reading_is_resolved_to_its_sku() -> None:
    """Channel, location and weight come from the catalogue, the partition from the SKU."""
    made = _normalised(READINGS, reading(seq=7))
    (partition, item), *rest = inputs_of(made)
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
        ({"beam": 1}, "beam", 1),
    ],
)
def test_each_payload_has_its_kind(given: dict[str, object], kind: str, value: int) -> None:
    """Tags count once however often they are read."""
    made = _normalised(READINGS, reading(**({"weight_g": None} | given)))
    item = inputs_of(made)[0][1]
    assert isinstance(item, ReadingInput)
    assert (item.kind, item.value) == (kind, value)


def test_a_reading_carries_what_its_channel_says() -> None:
    """The fold turns grams and millimetres into units by these, as they were at that time."""
    watched = Watched(
        "milk",
        location="a1",
        unit_weight_mg=7,
        tare_g=-3,
        span_mm=400,
        unit_depth_mm=80,
        settle_ms=5_000,
        report_interval_ms=60_000,
        backroom=True,
    )
    made = _normalised(READINGS, reading(), FakeCatalog(channels={"scale-1": [watched]}))
    item = inputs_of(made)[0][1]
    assert isinstance(item, ReadingInput)
    assert (item.location, item.unit_weight_mg, item.tare_g) == ("a1", 7, -3)
    assert (item.span_mm, item.unit_depth_mm, item.channel) == (400, 80, "a")
    assert (item.settle_ms, item.report_interval_ms, item.tag_digests) == (5_000, 60_000, b"")
    assert item.backroom


def test_tags_reach_the_fold_by_their_digests() -> None:
    """8 bytes each, sorted, so that the order and the repeats of a round make no difference."""
    once = _reading(weight_g=None, tags=["t1", "t2"])
    again = _reading(weight_g=None, tags=["t2", "t1", "t2"])
    assert isinstance(once, ReadingInput)
    assert isinstance(again, ReadingInput)
    assert once.tag_digests == again.tag_digests
    assert len(once.tag_digests) == 2 * TAG_DIGEST_BYTES


def test_a_scan_carries_what_it_says() -> None:
    """Every optional field reaches the fold under its own name."""
    given = {
        "lot": "L9",
        "location": "back",
        "transfer_id": "transfer-milk-1",
        "counterpart_site": "rome",
        "order_id": "o-1",
        "unit_cost_minor": 0,
        "historical": True,
    }
    known = FakeCatalog(devices={("oslo", "scale-1"), ("rome", "scale-2")})
    ((_, item),) = inputs_of(_normalised(SCANS, scan(action="arrive", **given), known))
    assert isinstance(item, ScanInput)
    assert {name: getattr(item, name) for name in given} == given
    assert (item.action, item.source, item.boot) == ("arrive", "scale-1", "b1")


@pytest.mark.parametrize(("given", "told"), [({}, -1), ({"battery_pct": 0}, 0)])
def test_an_empty_battery_is_not_an_unknown_one(given: dict[str, int], told: int) -> None:
    """0 per cent is what it says."""
    status = {"source": "scale-1", "boot": "b1", "state": "online"} | given
    statuses = [item for _, item in inputs_of(_normalised(STATUS, status))]
    assert [one.battery_pct for one in statuses if isinstance(one, StatusInput)] == [told] * 2


def test_a_channel_is_resolved_by_observation_time() -> None:
    """What was seen before the planogram changed lands on the SKU of that time."""
    catalog = FakeCatalog(
        channels={"scale-1": [Watched("milk"), Watched("rice", valid_from_ms=1_699_999_999_000)]}
    )
    late = reading(observed_at_ms=1_699_999_998_999, historical=True)
    made = _normalised(READINGS, [late, reading(seq=1)], catalog)
    assert [item.sku for _, item in inputs_of(made) if isinstance(item, ReadingInput)] == [
        "milk",
        "rice",
    ]


def test_what_a_channel_watches_is_kept_no_longer_than_it_holds() -> None:
    """Looked up once for a span of time and a version of the catalogue, whatever the order."""
    change_ms = NOW_MS - 1_000
    catalog = FakeCatalog(
        channels={"scale-1": [Watched("milk"), Watched("rice", valid_from_ms=change_ms)]}
    )
    normaliser = Normaliser(catalog, SourceClocks(), partition_count=4)

    def skus(*observed_at_ms: int) -> list[str]:
        events = [
            reading(seq=seq, observed_at_ms=at_ms, historical=True)
            for seq, at_ms in enumerate(observed_at_ms)
        ]
        made = normaliser.normalise(READINGS, as_json(events), NOW_MS)
        read = [item for _, item in inputs_of(made) if isinstance(item, ReadingInput)]
        return [item.sku for item in sorted(read, key=lambda item: item.seq)]

    told = skus(change_ms, change_ms - 1, change_ms - 1, change_ms, change_ms + 1)
    assert told == ["rice", "milk", "milk", "rice", "rice"]
    catalog.channels["scale-1"] = [Watched("bread")]
    catalog.apply("device:oslo:scale-9", b"x")
    assert skus(change_ms, change_ms - 1) == ["bread", "bread"]


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


def test_a_serial_number_is_of_one_item() -> None:
    """From the barcode or typed in, with the expiry; two items of one number are absurd."""
    item = _scanned(sku=None, barcode="]C1010703206980498821S-1", expires_at_ms=7)
    assert (item.serial, item.expires_at_ms) == ("S-1", 7)
    assert _scanned(serial="S-2").serial == "S-2"
    many = _normalised(SCANS, scan(serial="S-2", quantity=2))
    assert [refused.reason for refused in many.rejected] == ["absurd_value"]


def test_a_status_goes_to_the_device_and_to_what_it_watches() -> None:
    """One for hash(device)'s partition, one for each channel; it has no number to receipt."""
    catalog = FakeCatalog(channels={"scale-1": [Watched("milk"), Watched("rice", channel="b")]})
    status = {"source": "scale-1", "boot": "b1", "state": "offline"}
    made = _normalised(STATUS, status, catalog)
    assert made.ranges == []
    assert sorted(
        (i.sku, i.channel, i.online, p) for p, i in inputs_of(made) if isinstance(i, StatusInput)
    ) == [
        ("", "", False, partition_of("scale-1", 4)),
        ("milk", "a", False, partition_of("milk", 4)),
        ("rice", "b", False, partition_of("rice", 4)),
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
        (SCANS, scan(sscc="376104250021234560"), "bad_barcode"),
        (SCANS, scan(sku=None, barcode=f"]C100{SSCC}"), "bad_barcode"),
        (SCANS, scan(sku=None, sscc=SSCC), "bad_schema"),
        (SCANS, scan(sku=None, action="arrive"), "bad_schema"),
        (SCANS, scan(sku=None, action="arrive", sscc=SSCC[1:]), "bad_barcode"),
        (SCANS, scan(sku=None, action="arrive", sscc=SSCC, quantity=2), "absurd_value"),
        (SCANS, scan(action="dispatch", counterpart_site="rmoe"), "unknown_site"),
        (SCANS, scan(action="arrive", counterpart_site="rmoe", sscc=SSCC), "unknown_site"),
        (SCANS, scan(quantity=1_001), "absurd_value"),
        (SCANS, scan(sku=None, gtin=CASE_GTIN14, quantity=100), "absurd_value"),
        (SCANS, scan(quantity=-1), "bad_schema"),
        (STATUS, {"source": "scale-1", "boot": "b", "state": "asleep"}, "bad_schema"),
    ],
)
def test_refusals_have_their_reason(topic: str, payload: object, reason: str) -> None:
    """Each refusal keeps the raw bytes and says why."""
    made = _normalised(topic, payload)
    assert made.placed == {}
    (rejected,) = made.rejected
    assert rejected.reason == reason
    assert rejected.detail
    assert rejected.raw == (payload if isinstance(payload, bytes) else as_json(payload))


@pytest.mark.parametrize(
    "named",
    [{"sscc": SSCC}, {"barcode": f"]C100{SSCC}"}, {"barcode": f"]C100{SSCC}02{MILK_GTIN14}3712"}],
)
def test_a_logistic_unit_may_arrive_by_its_code_alone(named: dict[str, str]) -> None:
    """It has no article, so it goes to the partition of its code."""
    made = _normalised(SCANS, scan(sku=None, action="arrive", **named))
    [(partition, item)] = inputs_of(made)
    assert isinstance(item, ScanInput)
    assert (item.sku, item.sscc, item.quantity_units) == ("", SSCC, 1)
    assert partition == partition_of(SSCC, 4)


class _Siteless(FakeCatalog):
    """A catalogue that knows devices, and no site."""

    def sites(self) -> list[str]:
        """Return none."""
        return []


def test_another_site_is_judged_only_where_it_would_become_a_level() -> None:
    """Any other action reads no other site; a catalogue without sites knows no misspelt one."""
    assert _scanned(action="sale", counterpart_site="rmoe").counterpart_site == "rmoe"
    made = _normalised(SCANS, scan(action="dispatch", counterpart_site="rmoe"), _Siteless())
    assert (len(inputs_of(made)), made.rejected) == (1, [])


def test_a_unit_stands_beside_its_article() -> None:
    """In the barcode or typed in, for what is packed into it or taken out."""
    assert _scanned(sku=None, barcode=f"]C100{SSCC}01{MILK_GTIN14}", action="dispatch").sscc == SSCC
    assert _scanned(sscc=SSCC, action="dispatch").sscc == SSCC


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
    assert [item.seq for _, item in inputs_of(made) if isinstance(item, ReadingInput)] == [1, 3]
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
    assert [item.seq for _, item in inputs_of(made) if isinstance(item, ScanInput)] == [1, 3]
    assert [one.raw for one in made.rejected] == [as_json(batch[1])]
    assert made.ranges == [("b1", 1, 3)]


@pytest.mark.parametrize(
    ("payload", "numbers"),
    [
        (as_json([reading(seq=3), reading(seq=4)]), [3, 4]),
        (as_json(reading(seq=3)), [3]),
        (b" \n" + as_json([reading(seq=3)]), [3]),
        (as_json([1, reading(seq=3), {"seq": 4}, reading(seq=-1), reading(seq=5)]), [3, 5]),
        (as_json([reading(seq=number) for number in range(1_200)]), list(range(1_200))),
        (b"{", []),
        (b"", []),
    ],
)
def test_refused_events_are_receipted_as_far_as_they_have_numbers(
    payload: bytes, numbers: list[int]
) -> None:
    """Their sender stops resending them, for they are in the dead letters."""
    made = _normalised("stock/v1/oslo/nobody/readings", payload)
    assert made.ranges == [("b1", number, number) for number in numbers]
    assert [one.raw for one in made.rejected] == [payload]


def test_a_batch_too_long_and_bad_is_one_letter() -> None:
    """It is not cut, whatever else is wrong with it, and what has a number is receipted."""
    batch = [reading(seq=number) for number in range(BATCH_EVENTS_MAX)] + [{"seq": 1}]
    made = _normalised(READINGS, batch)
    assert [(one.reason, one.raw) for one in made.rejected] == [("oversize", as_json(batch))]
    assert made.rejected[0].detail == "a batch of 1001 events, at most 1000 are allowed"
    assert len(made.ranges) == BATCH_EVENTS_MAX


@pytest.mark.parametrize(
    ("events", "ranges"),
    [
        ([("b1", 1), ("b1", 2), ("b1", 3)], [("b1", 1, 3)]),
        ([("b1", 1), ("b1", 3)], [("b1", 1, 1), ("b1", 3, 3)]),
        ([("b1", 5), ("b1", 4)], [("b1", 5, 5), ("b1", 4, 4)]),
        ([("b1", 5), ("b2", 6)], [("b1", 5, 5), ("b2", 6, 6)]),
        ([("b1", 0), ("b1", 0)], [("b1", 0, 0), ("b1", 0, 0)]),
    ],
)
def test_numbers_in_a_row_are_one_range(
    events: list[tuple[str, int]], ranges: list[tuple[str, int, int]]
) -> None:
    """Only within a session and only upwards."""
    made = _normalised(READINGS, [reading(seq, boot=boot) for boot, seq in events])
    assert made.ranges == ranges


def test_a_status_goes_where_the_device_watches_now() -> None:
    """A change of the planogram that is loaded and not valid yet moves no blind interval."""
    channels = [Watched("milk"), Watched("rice", valid_from_ms=NOW_MS + 1)]
    catalog = FakeCatalog(channels={"scale-1": channels})
    status = {"source": "scale-1", "boot": "b1", "state": "offline"}
    for at_ms, sku in ((NOW_MS, "milk"), (NOW_MS + 1, "rice")):
        normaliser = Normaliser(catalog, SourceClocks(), partition_count=4)
        made = normaliser.normalise(STATUS, as_json(status), at_ms)
        told = [item.sku for _, item in inputs_of(made) if isinstance(item, StatusInput)]
        assert told == ["", sku]


@pytest.mark.parametrize(("at_ms", "sku"), [(NOW_MS - 1, "milk"), (NOW_MS, "rice")])
def test_a_channel_changes_at_a_millisecond(at_ms: int, sku: str) -> None:
    """The first reading of the new time is of the new SKU, wherever it stands in a batch."""
    channels = [Watched("milk"), Watched("rice", valid_from_ms=NOW_MS)]
    catalog = FakeCatalog(channels={"scale-1": channels})
    ((_, item),) = inputs_of(_normalised(READINGS, reading(observed_at_ms=at_ms), catalog))
    assert isinstance(item, ReadingInput)
    assert item.sku == sku


@pytest.mark.parametrize(
    ("quantity", "refused"), [(1_000, False), (1_001, True), (-1_000, False), (-1_001, True)]
)
def test_a_skus_limit_is_in_base_units(quantity: int, refused: bool) -> None:
    """Exactly the limit is allowed, of either sign."""
    made = _normalised(SCANS, scan(action="adjust", quantity=quantity))
    assert bool(made.rejected) == refused
    assert bool(made.placed) != refused
    if refused:
        sentence = f"{quantity} base units of milk, at most 1000 are allowed"
        assert (made.rejected[0].reason, made.rejected[0].detail) == ("absurd_value", sentence)


def test_a_case_may_be_too_much_where_a_piece_is_not() -> None:
    """The limit is of what the scan claims, not of how often it was made."""
    (refused,) = _normalised(SCANS, scan(sku=None, gtin=CASE_GTIN14, quantity=84)).rejected
    assert refused.detail == "1008 base units of milk, at most 1000 are allowed"


@pytest.mark.parametrize(
    ("topic", "event", "detail"),
    [
        (
            "stock/v1/oslo/nobody/scans",
            scan(),
            "the catalogue has no device nobody at site oslo",
        ),
        (READINGS, reading(channel="z"), "channel z of scale-1 watches nothing at 1700000000000"),
        (READINGS, reading(source="x"), "source x differs from the topic's device scale-1"),
        (STATUS, {"source": "x", "boot": "b", "state": "online"}, "source x differs from"),
        (SCANS, scan(sku="nix"), "the catalogue has no SKU nix"),
        (SCANS, scan(sku=None, gtin="00000018"), "wrong check digit in 00000018"),
        (SCANS, scan(sku=None, gtin="4006381333931"), "the catalogue has no GTIN 04006381333931"),
        ("stock/v1/oslo/scale-1/nix", scan(), "stock/v1/oslo/scale-1/nix is no topic of ours"),
        (SCANS, [], "an empty batch"),
    ],
)
def test_a_refusal_says_what_is_wrong(topic: str, event: object, detail: str) -> None:
    """One sentence with the names in it, as `shelfstream dlq` prints it."""
    (refused,) = _normalised(topic, event).rejected
    assert refused.detail.startswith(detail)


def test_the_largest_payload_is_read() -> None:
    """Exactly the limit of bytes is allowed; one more is a letter."""
    event = as_json(reading())
    padded = event + b" " * (PAYLOAD_BYTES_MAX - len(event))
    assert len(inputs_of(_normalised(READINGS, padded))) == 1
    (refused,) = _normalised(READINGS, padded + b" ").rejected
    assert (
        refused.detail == f"{PAYLOAD_BYTES_MAX + 1} bytes, at most {PAYLOAD_BYTES_MAX} are allowed"
    )


def test_the_cache_of_routes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that invents topics fills no memory."""
    monkeypatch.setattr(normalise, "ROUTES_CACHED_MAX", 3)
    normaliser = Normaliser(FakeCatalog(), SourceClocks(), partition_count=4)
    for number in range(10):
        normaliser.route(f"stock/v1/oslo/device-{number}/scans")
    assert len(normaliser._routes) <= 3


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
