"""Catalogue loads are taken whole."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.loads import LoadGatherer, Record

VERSION: Record = ("version", b"{}")
SITE: Record = ("site\x1foslo", b"{}")
GONE: Record = ("site\x1frome", None)
INSTALLATION: Record = ("installation", b"{}")


@pytest.mark.parametrize(
    ("arrivals", "taken"),
    [
        ([[SITE, VERSION]], [[SITE, VERSION]]),
        ([[SITE], [GONE], [VERSION]], [[], [], [SITE, GONE, VERSION]]),
        ([[SITE, VERSION, GONE], [VERSION]], [[SITE, VERSION], [GONE, VERSION]]),
        ([[INSTALLATION]], [[INSTALLATION]]),
        ([[], [SITE]], [[], []]),
    ],
)
def test_records_wait_for_the_end_of_their_load(
    arrivals: list[list[Record]], taken: list[list[Record]]
) -> None:
    """A load's last record is its version; the installation stands alone."""
    gatherer = LoadGatherer()
    assert [gatherer.taken(records) for records in arrivals] == taken


@given(
    records=st.lists(st.sampled_from([VERSION, SITE, GONE, INSTALLATION]), max_size=20),
    cuts=st.lists(st.integers(min_value=0, max_value=20), max_size=5),
)
def test_nothing_is_lost_or_moved_however_records_arrive(
    records: list[Record], cuts: list[int]
) -> None:
    """The order stays, and only an unfinished load waits."""
    places = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    gatherer = LoadGatherer()
    taken: list[Record] = []
    for start, stop in itertools.pairwise(places):
        taken += gatherer.taken(records[start:stop])
    assert taken == records[: len(taken)]
    assert not {VERSION, INSTALLATION} & set(records[len(taken) :])
