"""Lots: who goes first, what is held back, what is told of it."""

import pytest
from msgspec.structs import replace

from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import ScanAction
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import BreachCleared, BreachOpened, CommandRefused
from streams.contracts.lots import LOTS_MAX, RECALLS_MAX, LotHeld
from streams.domain.lots import EXPIRY_DIFFERS, HELD_LOT, LOT_SHORT, LOTS_FULL
from streams.domain.shelf_life import spoiling_units
from streams.domain.store import Store
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    command,
    lane,
    opening,
    policy,
    reference,
    scan,
)

SOON_MS = T0 + 2 * DAY_MS
LATER_MS = T0 + 5 * DAY_MS


@pytest.fixture
def story() -> Story:
    """Return a shop that tracks lots: 5 of no known lot, 4 of A (soon), 6 of B (later)."""
    story = Story().tell(
        policy(min_units=None, max_units=None, lot_tracking="lots", near_expiry_ms=DAY_MS)
    )
    story.tell(lane(DONOR), lane(SHOP, DONOR))
    story.tell(opening(5))
    story.tell(scan("receive", 6, seq=1, lot="B", expires_at_ms=LATER_MS))
    return story.tell(scan("receive", 4, seq=2, lot="A", expires_at_ms=SOON_MS))


def _available(story: Story) -> int:
    level = story.level()
    return level.on_hand_units - level.quarantined_units


def test_what_was_there_before_is_of_no_known_lot(story: Story) -> None:
    """Opening stock stands in the unknown rest, receipts in their lots."""
    assert story.lots() == {"A": 4, "B": 6, "": 5}
    assert story.movements()[-1].lot_units == {"A": 4}


@pytest.mark.parametrize(
    ("action", "units", "lots"),
    [
        ("sale", 5, {"B": 5, "": 5}),
        ("pick", 12, {"": 3}),
        ("waste", 5, {"B": 5, "": 5}),
        ("adjust", -6, {"A": 3, "B": 6}),
        ("count", 9, {"A": 3, "B": 6}),
        ("sale", 17, {"": -2}),
    ],
)
def test_the_first_to_expire_goes_first(
    story: Story, action: ScanAction, units: int, lots: dict[str, int]
) -> None:
    """Sold by expiry, then of no known lot; what a count misses is of no known lot first."""
    story.tell(scan(action, units, seq=3))
    assert story.lots() == lots
    assert sum(lots.values()) == story.level().on_hand_units


def test_a_named_lot_is_believed(story: Story) -> None:
    """It gives what it has; the rest comes from the others, and is flagged."""
    story.tell(scan("sale", 8, seq=3, lot="B"))
    assert story.lots() == {"A": 2, "": 5}
    assert story.movements()[-1].flags == [LOT_SHORT]
    assert story.movements()[-1].lot_units == {"B": -6, "A": -2}


def test_a_count_of_a_lot_is_of_that_lot_alone(story: Story) -> None:
    """The others stay as they are."""
    story.tell(scan("count", 2, seq=3, lot="B"))
    assert story.lots() == {"A": 4, "B": 2, "": 5}
    assert story.level().on_hand_units == 11


def test_a_receipt_makes_good_what_left_unseen(story: Story) -> None:
    """Below zero no lot has units: the next receipt fills the hole, its lot has what is left."""
    story.tell(scan("sale", 18, seq=3), scan("receive", 10, seq=4, lot="C"))
    assert story.lots() == {"C": 7}
    assert story.movements()[-1].lot_units == {"": 3, "C": 7}


def test_two_expiries_of_one_lot(story: Story) -> None:
    """The earlier one holds, and it is flagged; a date alone names a lot of its own."""
    story.tell(scan("receive", 1, seq=3, lot="B", expires_at_ms=SOON_MS))
    assert [lot.expires_at_ms for lot in story.lot_books()[0].lots] == [SOON_MS, SOON_MS]
    assert story.movements()[-1].flags == [EXPIRY_DIFFERS]
    story.tell(scan("receive", 1, seq=4, expires_at_ms=DAY_MS), scan("sale", 1, seq=5))
    assert story.movements()[-2].lot_units == {"exp:1970-01-01": 1}


def test_more_lots_than_are_told_apart_stay_in_the_book(story: Story) -> None:
    """Above the limit units stand in the unknown rest, flagged; none is lost."""
    story.tell(*(scan("receive", 1, seq=10 + n, lot=f"L{n}") for n in range(LOTS_MAX)))
    [book] = story.lot_books()
    assert (len(book.lots), book.unknown_units) == (LOTS_MAX, 5 + 2)
    assert story.movements()[-1].flags == [LOTS_FULL]
    assert story.movements()[-1].lot_units == {"": 1}


def test_a_lot_is_told_near_its_expiry_and_past_it(story: Story) -> None:
    """A breach opens a day ahead, grows graver when it expires, and clears when it is sold."""
    story.wait(SOON_MS - DAY_MS - T0 - 1)
    assert not story.events(BreachOpened)
    story.wait(1)
    [opened] = story.events(BreachOpened)
    assert (opened.kind, opened.decided_from["near_units"]) == ("near_expiry", 4)
    assert opened.decided_from["expires_in_minutes"] == 24 * 60
    assert _available(story) == 15
    story.wait(DAY_MS)
    assert _available(story) == 11
    raised = [alert for alert in story.alerts(AlertRaised) if alert.kind == "near_expiry"]
    assert [alert.severity for alert in raised] == ["warning", "critical"]
    assert {alert.alert_key for alert in raised} == {opened.breach_id}
    story.tell(scan("waste", 4, seq=3))
    assert story.lots() == {"B": 6, "": 5}
    assert [event.breach_id for event in story.events(BreachCleared)] == [opened.breach_id]
    assert (_available(story), story.level().quarantined_units) == (11, 0)


def test_expired_stock_makes_a_shortage() -> None:
    """What has expired is on hand and not available: the shortage is told at that moment."""
    story = Story().tell(policy(lot_tracking="lots", max_units=None))
    story.tell(scan("receive", 20, seq=1, lot="A", expires_at_ms=T0 + 1_000))
    assert not story.events(BreachOpened)
    story.wait(1_000)
    kinds = {event.kind: event.available_units for event in story.events(BreachOpened)}
    assert kinds == {"near_expiry": 0, "low_stock": 0, "stockout": 0}
    assert story.level().on_hand_units == 20


def test_selling_held_units_is_flagged(story: Story) -> None:
    """Stock moves as it did, and the movement says that it should not have."""
    story.tell(command("quarantine", site=SHOP, lot="A"), scan("sale", 2, seq=3, lot="A"))
    assert story.movements()[-2].flags == [HELD_LOT]
    assert story.level().quarantined_units == 2


def test_quarantine_and_release(story: Story) -> None:
    """Units of a lot, or of any, are kept out of available until they are let go."""
    story.tell(command("quarantine", site=SHOP, lot="A", quantity_units=3, name="q1"))
    story.tell(command("quarantine", site=SHOP, quantity_units=2, name="q2"))
    assert _available(story) == 10
    story.tell(command("release_quarantine", site=SHOP, lot="A", name="q3"))
    assert _available(story) == 13
    story.tell(scan("waste", 1, seq=3))  # what was put aside is what is thrown away
    assert (_available(story), story.level().quarantined_units) == (13, 1)
    told = [(event.cause, event.lot, event.quantity_units) for event in story.events(LotHeld)]
    assert told == [("quarantine", "A", 3), ("quarantine", "", 2), ("release", "A", -3)]


@pytest.mark.parametrize(
    ("verb", "fields", "reason"),
    [
        ("quarantine", {"site": "nowhere"}, "nothing is known of milk at nowhere"),
        ("quarantine", {"site": SHOP, "lot": "Z"}, "there is no lot Z of milk at shop-1"),
        (
            "quarantine",
            {"site": SHOP, "lot": "A", "quantity_units": 9},
            "only 4 units of lot A are not quarantined",
        ),
        (
            "quarantine",
            {"site": SHOP, "quantity_units": 99},
            "only 15 units are not quarantined",
        ),
        ("release_quarantine", {"site": SHOP}, "only 0 units of no named lot are quarantined"),
        ("lift_recall", {"lot": "A"}, "lot A of milk is not recalled"),
        ("recall_lot", {"lot": "A", "sku": "tea"}, "lots of tea are not tracked at any site"),
    ],
)
def test_what_cannot_be_held_is_refused(
    story: Story, verb: str, fields: dict[str, object], reason: str
) -> None:
    """With the reason, and nothing changes."""
    before = story.level()
    story.tell(command(verb, **fields))  # type: ignore[arg-type] # verbs by name
    assert [event.reason for event in story.events(CommandRefused)] == [reason]
    assert story.level() == before


def test_a_recall_holds_the_lot_everywhere_and_later(story: Story) -> None:
    """Every site's units, and what arrives afterwards; lifted, it may be sold again."""
    story.tell(scan("receive", 7, seq=1, site=DONOR, lot="A", expires_at_ms=SOON_MS))
    story.tell(command("recall_lot", lot="A", name="r1", reason="glass"))
    assert [story.level(site).quarantined_units for site in (SHOP, DONOR)] == [4, 7]
    story.tell(scan("receive", 2, seq=3, lot="A"))
    assert story.level().quarantined_units == 6
    told = [(event.cause, event.site, event.quantity_units) for event in story.events(LotHeld)]
    assert told == [("recall", SHOP, 4), ("recall", DONOR, 7), ("arrival", SHOP, 2)]
    raised = [alert for alert in story.alerts(AlertRaised) if alert.kind == "lot_recalled"]
    assert [(alert.site, alert.severity) for alert in raised][:2] == [
        (SHOP, "critical"),
        (DONOR, "critical"),
    ]
    assert raised[0].facts == {"quarantined_units": 4, "unknown_units": 5}
    story.tell(command("release_quarantine", site=SHOP, lot="A", name="r2"))
    assert "lift the recall first" in story.events(CommandRefused)[-1].reason
    story.tell(command("lift_recall", lot="A", name="r3"))
    assert [story.level(site).quarantined_units for site in (SHOP, DONOR)] == [0, 0]
    ended = {alert.alert_key for alert in story.alerts(AlertEnded)}
    assert {alert.alert_key for alert in raised} <= ended


def test_recalls_have_a_limit(story: Story) -> None:
    """One more is refused, not forgotten."""
    story.tell(*(command("recall_lot", lot=f"L{n}", name=f"r{n}") for n in range(RECALLS_MAX + 1)))
    [refused] = story.events(CommandRefused)
    assert refused.reason == f"{RECALLS_MAX} lots of milk are recalled: lift a recall first"


def test_lots_travel_with_a_transfer(story: Story) -> None:
    """What left by expiry arrives as those lots, though no scan named them; lost ones stay."""
    story.tell(scan("dispatch", 6, seq=3, counterpart_site=DONOR))
    assert story.lots() == {"B": 4, "": 5}
    story.tell(scan("arrive", 5, seq=1, site=DONOR))
    assert story.lots(DONOR) == {"A": 4, "B": 1}
    [carried] = story.carried_lots()
    assert [(one.lot, one.units) for one in carried.lots] == [("B", 1)]
    story.tell(scan("arrive", 1, seq=2, site=DONOR, lot="B"))
    assert story.lots(DONOR) == {"A": 4, "B": 2}
    assert story.carried_lots() == []


def test_without_tracking_nothing_is_kept(story: Story) -> None:
    """A level that doesn't track lots has no record; one that stops lets go what it held."""
    story.tell(command("quarantine", site=SHOP, lot="A"))
    story.tell(scan("receive", 3, seq=1, site=DONOR, sku="tea", lot="A"))
    story.tell(reference(PolicyRecord(scope="sku", sku=SKU, lot_tracking="none")))
    assert [book.sku for book in story.lot_books()] == ["tea"]
    assert (story.level().quarantined_units, story.level().on_hand_units) == (0, 15)
    story.tell(scan("sale", 1, seq=3, lot="A"))
    assert story.movements()[-1].lot_units is None


@pytest.mark.parametrize(
    ("life_ms", "sent", "spoiling"), [(None, 20, 0), (2 * DAY_MS, 12, 8), (4 * DAY_MS, 0, 0)]
)
def test_what_would_spoil_is_not_sent(life_ms: int | None, sent: int, spoiling: int) -> None:
    """A donor gives no lot that has less life left after arrival than the recipient asks for."""
    story = Story().tell(policy(lot_tracking="lots", min_units=0, max_units=None, autonomy="auto"))
    story.tell(lane(DONOR, lead_time_ms=DAY_MS // 2))
    story.tell(
        reference(
            PolicyRecord(
                scope="site",
                site=SHOP,
                min_units=20,
                max_units=20,
                transfer_life_ms_min=life_ms,
            )
        )
    )
    story.tell(scan("receive", 8, seq=1, site=DONOR, lot="A", expires_at_ms=SOON_MS))
    story.tell(scan("receive", 12, seq=2, site=DONOR, lot="B", expires_at_ms=T0 + 4 * DAY_MS))
    story.tell(opening(0))
    assert sum(transfer.quantity_units for transfer in story.transfers()) == sent
    numbers = story.transfers()[0].decided_from if sent else {}
    assert numbers.get("donor_spoiling_units", 0) == spoiling


def test_no_more_is_sent_than_sells_before_it_spoils() -> None:
    """Where the recipient's demand is known, it and what it has decide; earlier lots sell first."""
    story = Story().tell(policy(lot_tracking="lots"))
    story.tell(scan("receive", 8, seq=1, site=DONOR, lot="A", expires_at_ms=T0 + DAY_MS))
    story.tell(scan("receive", 12, seq=2, site=DONOR, lot="B", expires_at_ms=T0 + 3 * DAY_MS))
    story.tell(opening(2))
    store = Store(0, 1)
    store.load(story.state)
    store.catalogue.load(story.state)
    rules = replace(store.rules(SKU, SHOP), demand_milli_day=6_000)
    store.catalogue.cached_rules[SKU, SHOP] = rules
    donor, recipient = store.level(SKU, DONOR), store.level(SKU, SHOP)
    # By A's end 6 are sold, 2 of them its own: 4 of 8; by B's end 18, so 12 of 12 after those 6.
    assert spoiling_units(store, donor, recipient, T0) == 4
    # A day later A has expired on arrival; by B's end 12 are sold, 2 of them its own.
    assert spoiling_units(store, donor, recipient, T0 + DAY_MS) == 8 + 2
