"""Who serves which site."""

import pytest

from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import load
from ingest.settings import BridgeSettings
from ingest.slices import SliceRouter

SITES = [f"site-{number}" for number in range(50)]


def test_one_slice_hears_every_site() -> None:
    """Three wildcard filters, and the time where it is driven."""
    wall = SliceRouter(0, 1, driven=False).filters(SITES)
    assert wall == {f"stock/v1/+/+/{leaf}" for leaf in ("readings", "scans", "status")}
    assert SliceRouter(0, 1, driven=True).filters([]) == wall | {"stock/v1/_time"}


def test_slices_part_the_sites() -> None:
    """Each site belongs to one slice and every slice has some."""
    routers = [SliceRouter(index, 3, driven=False) for index in range(3)]
    owned = [router.own(SITES) for router in routers]
    assert sorted(site for sites in owned for site in sites) == sorted(SITES)
    assert all(owned)
    assert "stock/v1/+/+/scans" in routers[0].filters(SITES)
    assert f"stock/v1/{owned[1][0]}/+/scans" in routers[1].filters(SITES)
    assert len(routers[1].filters(SITES)) == 3 * len(owned[1])


def test_slice_0_passes_over_announced_sites_only() -> None:
    """Before the owner says that its session holds the site, slice 0 serves it."""
    first, second = (SliceRouter(index, 2, driven=False) for index in range(2))
    site = second.own(SITES)[0]
    assert not first.foreign(site)
    filters = second.filters([site])
    assert second.announcement([site], frozenset()) == b"[]"
    told = second.announcement([site], filters)
    assert told is not None
    assert first.is_announcement(second.sites_topic)
    assert first.announced(second.sites_topic, told)
    assert first.foreign(site)
    assert not first.foreign(first.own(SITES)[0])
    assert not second.foreign(first.own(SITES)[0])
    assert first.announced(second.sites_topic, b"")
    assert not first.foreign(site)


def test_a_bad_announcement_changes_nothing() -> None:
    """Neither unreadable bytes nor a stranger's word move a site."""
    first = SliceRouter(0, 2, driven=False)
    assert not first.announced("stock/v1/_bridge/bridge-1-of-2/sites", b"{")
    assert not first.announced("stock/v1/_bridge/bridge-9-of-2/sites", b"[]")
    assert not first.announced("stock/v1/_bridge/bridge-0-of-2/sites", b"[]")
    assert first.announcement(SITES, frozenset()) is None


@pytest.mark.parametrize("value", ["1/1", "0/0", "0", "0/65", "-1/2", "a/b"])
def test_an_impossible_slice_is_refused(value: str) -> None:
    """Settings name a slice i/n with i < n."""
    with pytest.raises(SettingsError, match="SHELFSTREAM_BRIDGE_SLICE"):
        load(BridgeSettings, {"SHELFSTREAM_BRIDGE_SLICE": value, "SHELFSTREAM_HOME": "/nowhere"})


def test_a_slice_is_read() -> None:
    """`1/3` is the second of three."""
    settings = BridgeSettings(slice="1/3")
    assert (settings.slice_index, settings.slice_count) == (1, 3)
