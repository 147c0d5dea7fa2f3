"""Requests of a parent, whatever becomes of them and of what was to serve them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import CommandVerb, ScanAction, SiteRecord, SkuRecord
from streams.contracts.state import TRANSFER_OPEN
from streams.domain.transfers import on_the_way_units, planned_units
from tests.unit.streams.builders import SKU, Story, command, lane, opening, policy, reference, scan

HALL = "hall"
SHOPS = ("shop-1", "shop-2")
_GAINS: tuple[ScanAction, ...] = ("receive", "return", "adjust", "count")
STEPS_MAX = 40
_OF_TRANSFERS: tuple[CommandVerb, ...] = (
    "approve_transfer",
    "reject_transfer",
    "cancel_transfer",
    "edit_transfer",
    "lose_transfer",
    "reopen_transfer",
    "hold_transfer",
)


def _network(draw: Random) -> Story:
    story = Story().tell(
        policy(
            autonomy=draw.choice(("auto", "suggest")),
            cross_dock=draw.random() < 0.3,
            multiple_units=draw.choice((1, 4)),
        ),
        reference(SkuRecord(SKU, supplier=draw.choice(("", "mill")))),
    )
    for shop in SHOPS:
        story.tell(reference(SiteRecord(shop, parent_site=HALL)), opening(24, site=shop))
        if draw.random() < 0.7:
            story.tell(lane(HALL, shop))
    return story.tell(opening(draw.choice((0, 12, 40)), site=HALL))


def _step(story: Story, draw: Random, seq: int) -> None:
    shop, units, name = draw.choice(SHOPS), draw.randint(1, 20), f"c{seq}"
    one = draw.choice(story.transfers()[-5:]) if story.transfers() else None
    kind = draw.choice(("sale", "gain", "carry", "carry", "decide", "order", "need", "wait"))
    if kind == "sale":
        story.tell(scan("sale", units, seq=seq, site=draw.choice((HALL, *SHOPS))))
    elif kind == "gain":
        site = draw.choice((HALL, HALL, shop))
        story.tell(scan(draw.choice(_GAINS), 2 * units, seq=seq, site=site))
    elif kind == "carry" and one is not None:
        out = draw.random() < 0.5
        site = one.from_site if out else one.to_site
        action: ScanAction = "dispatch" if out else "arrive"
        story.tell(scan(action, units, seq=seq, site=site, transfer_id=one.transfer_id))
    elif kind == "decide" and one is not None:
        verb = draw.choice(_OF_TRANSFERS)
        story.tell(command(verb, one.transfer_id, name=name, quantity_units=units))
    elif kind == "order":
        story.tell(
            command("order_transfer", name=name, site=HALL, to_site=shop, quantity_units=units)
        )
    elif kind == "need" and story.needs():
        story.tell(command("close_need", draw.choice(story.needs()).need_id, name=name))
    elif kind == "wait":
        story.wait(draw.choice((HOUR_MS, DAY_MS, 3 * DAY_MS)))


def _check(story: Story) -> None:
    transfers, needs = story.transfers(), story.needs()
    for need in needs:
        served = sum(
            one.served.get(need.need_id, 0) for one in transfers if one.state in TRANSFER_OPEN
        )
        missing = need.quantity_units - need.received_units if need.state == "open" else 0
        assert served + missing <= need.quantity_units
    for one in transfers:
        coming = on_the_way_units(one) + planned_units(one)
        assert sum(one.served.values()) <= one.received_units + coming
        assert min(one.served.values(), default=0) >= 0
    owed = sum(
        need.quantity_units - need.received_units
        for need in needs
        if need.state == "open" and need.from_site == HALL
    )
    assert story.level(HALL).backordered_units == owed


@given(st.integers(0, 2**32), st.integers(0, STEPS_MAX))
def test_a_request_is_for_no_more_than_it_was(seed: int, length: int) -> None:
    """What serves it and what it still misses are never more; at the end nothing is held for it."""
    draw = Random(seed)
    story = _network(draw)
    for seq in range(1, length + 1):
        _step(story, draw, seq)
        _check(story)
    story.tell(reference(PolicyRecord(scope="network", min_units=0, autonomy="observe")))
    for number, one in enumerate(story.transfers()):
        story.tell(command("cancel_transfer", one.transfer_id, name=f"e{number}"))
        story.tell(command("reject_transfer", one.transfer_id, name=f"r{number}"))
        story.tell(command("lose_transfer", one.transfer_id, name=f"l{number}"))
    for number, need in enumerate(story.needs()):
        story.tell(command("close_need", need.need_id, name=f"n{number}"))
    _check(story)
    for level in story.levels():
        assert (level.on_order_units, level.need_id, level.backordered_units) == (0, "", 0)
        assert (level.in_transit_in_units, level.in_transit_out_units) == (0, 0)
