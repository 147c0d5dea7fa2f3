"""What a load changes; the past of a channel is changed on purpose only."""

import pytest

from ingest.catalog_changes import VERSIONS_KEPT_MAX, Change, changes
from ingest.contracts.reference import CatalogFile, ChannelAssignment, Device, Entity, Site, Sku
from tests.unit.ingest.catalog_samples import NETWORK, catalog_of, entities_of

NOW_MS = 1_000


def device_file(*channels: ChannelAssignment) -> CatalogFile:
    """Return a catalogue of one device."""
    return CatalogFile(devices=(Device(device="d", site="S", channels=channels),))


def at(start_ms: int, sku: str, channel: str = "a") -> ChannelAssignment:
    """Return a dated version of a channel."""
    return ChannelAssignment(channel=channel, sku=sku, valid_from_ms=start_ms)


def undated(sku: str, channel: str = "a") -> ChannelAssignment:
    """Return a version that does not say from when on."""
    return ChannelAssignment(channel=channel, sku=sku)


def merged(found: list[Change], known: CatalogFile) -> list[tuple[str, int, str]]:
    """Return channel, start and SKU of the device after the changes."""
    entities: dict[str, Entity] = entities_of(known)
    entities |= {change.key: change.entity for change in found}
    (device,) = (entity for entity in entities.values() if isinstance(entity, Device))
    return [(a.channel, a.valid_from_ms, a.sku) for a in device.channels]


def test_only_what_differs_is_a_change() -> None:
    """Added, changed and removed entities by key, with the fields that differ."""
    known = CatalogFile(sites=(Site(site="A"), Site(site="B")), skus=(Sku(sku="X"),))
    wanted = CatalogFile(sites=(Site(site="A", name="Alpha"),), skus=(Sku(sku="X"), Sku(sku="Y")))
    found, faults = changes(entities_of(known), wanted, now_ms=NOW_MS)
    assert [(change.kind, change.key) for change in found] == [
        ("changed", "site\x1fA"),
        ("removed", "site\x1fB"),
        ("added", "sku\x1fY"),
    ]
    assert found[0].fields == ("name",)
    assert not faults


def test_the_same_file_changes_nothing() -> None:
    """A second load of a file finds nothing to do, whatever the time."""
    catalog = catalog_of(NETWORK)
    for now_ms in (0, NOW_MS, 10**12):
        assert changes(entities_of(catalog), catalog, now_ms=now_ms) == ([], [])


def test_an_undated_change_holds_from_now_on() -> None:
    """The old version stays for what was observed before; loading again changes nothing."""
    known = device_file(at(0, "X"))
    found, faults = changes(entities_of(known), device_file(undated("Y")), now_ms=NOW_MS)
    assert not faults
    assert merged(found, known) == [("a", 0, "X"), ("a", NOW_MS, "Y")]
    after = {change.key: change.entity for change in found} | {
        key: entity for key, entity in entities_of(known).items() if "device" not in key
    }
    assert changes(after, device_file(undated("Y")), now_ms=NOW_MS + 5) == ([], [])


def test_a_new_channel_holds_from_the_beginning() -> None:
    """Nothing was known of it, so nothing past is changed."""
    known = device_file(undated("X"))
    wanted = device_file(undated("X"), undated("Y", "b"), at(5, "Z", "c"))
    found, faults = changes(entities_of(known), wanted, now_ms=NOW_MS)
    assert not faults
    assert merged(found, known) == [("a", 0, "X"), ("b", 0, "Y"), ("c", 5, "Z")]


@pytest.mark.parametrize("wanted", [at(0, "Y"), at(500, "Y")])
def test_the_past_is_changed_on_purpose_only(wanted: ChannelAssignment) -> None:
    """A version that began before now is refused, and taken when it is restated."""
    known = device_file(at(0, "X"))
    _, faults = changes(entities_of(known), device_file(wanted), now_ms=NOW_MS)
    assert [fault.place for fault in faults] == [("devices", 0, "channels", 0)]
    assert "past" in faults[0].text
    found, faults = changes(entities_of(known), device_file(wanted), now_ms=NOW_MS, restated=True)
    assert not faults
    assert ("a", wanted.valid_from_ms, "Y") in merged(found, known)


def test_an_undated_restatement_corrects_the_newest_version() -> None:
    """Only the version that holds is corrected; older ones stay."""
    known = device_file(at(0, "X"), at(500, "Y"))
    found, faults = changes(
        entities_of(known), device_file(undated("Z")), now_ms=NOW_MS, restated=True
    )
    assert not faults
    assert merged(found, known) == [("a", 0, "X"), ("a", 500, "Z")]


def test_planned_changes_come_and_go() -> None:
    """A version of the future is taken, and taken back by a file without it."""
    known = device_file(at(0, "X"))
    planned = device_file(at(0, "X"), at(2_000, "Y"))
    found, faults = changes(entities_of(known), planned, now_ms=NOW_MS)
    assert not faults
    assert merged(found, known) == [("a", 0, "X"), ("a", 2_000, "Y")]
    back, faults = changes(entities_of(planned), known, now_ms=NOW_MS)
    assert not faults
    assert merged(back, planned) == [("a", 0, "X")]


def test_a_channel_left_out_ends_now() -> None:
    """Its past stays, and it watches nothing from now on; once."""
    known = device_file(at(0, "X"), at(0, "Y", "b"))
    wanted = device_file(at(0, "X"))
    found, faults = changes(entities_of(known), wanted, now_ms=NOW_MS)
    assert not faults
    assert merged(found, known) == [("a", 0, "X"), ("b", 0, "Y"), ("b", NOW_MS, "")]
    after = entities_of(known) | {change.key: change.entity for change in found}
    assert changes(after, wanted, now_ms=2 * NOW_MS) == ([], [])


def test_driven_time_wants_a_date() -> None:
    """Where the load knows no now, a change says from when on, later than what is known."""
    known = device_file(at(0, "X"), at(500, "Y"))
    for bad in (undated("Z"), at(400, "Z"), at(500, "Z")):
        _, faults = changes(entities_of(known), device_file(bad), now_ms=0)
        assert faults
    found, faults = changes(entities_of(known), device_file(at(501, "Z")), now_ms=0)
    assert not faults
    assert merged(found, known) == [("a", 0, "X"), ("a", 500, "Y"), ("a", 501, "Z")]


def test_versions_are_kept_up_to_a_limit() -> None:
    """The oldest versions of a channel fall away."""
    known = device_file(*(at(start, f"X{start}") for start in range(VERSIONS_KEPT_MAX)))
    found, _ = changes(entities_of(known), device_file(undated("Y")), now_ms=NOW_MS)
    kept = merged(found, known)
    assert len(kept) == VERSIONS_KEPT_MAX
    assert kept[0][1] == 1
    assert kept[-1] == ("a", NOW_MS, "Y")
