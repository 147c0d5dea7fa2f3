"""Verification counts what is wrong: each seeded error is found, and only that."""

import msgspec

from simulators.oracle import Oracle
from simulators.verification import Agreement, LedgerTally, LiveTable, agreement
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement, MovementKind, scan_cause
from streams.contracts.state import LEVEL, Level, SensedChannel, key

SOURCE, BOOT, SITE, SKU = "gateway-shop-01", "b1", "shop-01", "TEA"


def a_movement(
    quantity: int, cause: str, *, site: str = SITE, kind: MovementKind = "sale"
) -> Movement:
    """Return one change of the book."""
    return Movement(
        movement_id=f"movement-{SKU}-{cause}",
        sku=SKU,
        site=site,
        kind=kind,
        bucket="on_hand",
        quantity_units=quantity,
        before_units=0,
        after_units=0,
        cause=cause,
        effective_at_ms=0,
        recorded_at_ms=0,
    )


def the_story() -> tuple[Oracle, list[Movement]]:
    """Return ten units opened, three scans of one sold each, and the ledger that says so."""
    oracle = Oracle()
    oracle.open(SITE, SKU, 10)
    movements = [a_movement(10, "opening-1", kind="opening")]
    for seq in range(3):
        oracle.leave(SITE, SKU, 1)
        oracle.scanned(SOURCE, SITE, BOOT, seq)
        movements.append(a_movement(-1, scan_cause(SOURCE, BOOT, seq)))
    return oracle, movements


def compared(
    oracle: Oracle, movements: list[Movement], on_hand: int = 7, sensed: int | None = None
) -> Agreement:
    """Return the agreement for a table of one key."""
    table, tally = LiveTable(), LedgerTally(oracle)
    level = Level(sku=SKU, site=SITE, on_hand_units=on_hand)
    if sensed is not None:
        level.sensed = [SensedChannel("shelf/cell", sensed, 0, 0)]
    table.take(key("source", SOURCE), b"passed over")
    table.take(key(LEVEL, SKU, SITE), msgspec.msgpack.encode(Level(sku=SKU, site=SITE)))
    table.take(key(LEVEL, SKU, SITE), msgspec.msgpack.encode(level))
    tally.take(MOVEMENT_FRAMES.encode(movements, received_at_ms=0))
    return agreement(oracle, table, tally)


def test_a_true_story_agrees() -> None:
    """Nothing is lost, doubled or different, and everything was counted."""
    found = compared(*the_story())
    assert found.exact
    assert (found.keys, found.agree, found.scans, found.movements) == (1, 1, 3, 4)


def test_a_dropped_movement_is_lost() -> None:
    """A scan with no movement at its site is lost, and the ledger no longer sums up."""
    oracle, movements = the_story()
    found = compared(oracle, movements[:-1])
    assert (found.exact, found.lost, found.doubled, found.differ_ledger) == (False, 1, 0, 1)
    assert "scan gateway-shop-01/b1/2: lost" in found.differences


def test_a_repeated_movement_is_doubled() -> None:
    """A scan that counted twice is found, even where the table hides it."""
    oracle, movements = the_story()
    found = compared(oracle, [*movements, movements[1]])
    assert (found.exact, found.lost, found.doubled) == (False, 0, 1)


def test_a_wrong_book_differs() -> None:
    """A table that is off by one differs from oracle and ledger."""
    found = compared(*the_story(), on_hand=8)
    assert (found.exact, found.agree, found.differ, found.differ_book) == (False, 0, 1, 1)


def test_stock_nobody_put_there_is_extra() -> None:
    """Units at a key of which the oracle knows nothing."""
    oracle, movements = the_story()
    found = compared(oracle, [*movements, a_movement(2, "count-1", site="shop-09", kind="count")])
    assert (found.exact, found.extra, found.keys) == (False, 1, 2)


def test_a_scan_never_emitted_is_unexpected() -> None:
    """A movement of our device with a number it never gave."""
    oracle, movements = the_story()
    found = compared(oracle, [*movements, a_movement(0, scan_cause(SOURCE, BOOT, 3))])
    assert (found.exact, found.unexpected) == (False, 1)


def test_the_other_end_of_a_transfer_is_no_double() -> None:
    """An inferred dispatch has the arrival's cause, at the other site."""
    oracle, movements = the_story()
    other = a_movement(0, scan_cause(SOURCE, BOOT, 1), site="shop-02", kind="dispatch_inferred")
    assert compared(oracle, [*movements, other]).doubled == 0


def test_sensed_units_must_be_true_where_a_sensor_watches() -> None:
    """Wrong differs, unknown differs, right agrees."""
    oracle, movements = the_story()
    oracle.watched = [(SITE, SKU)]
    assert [compared(oracle, movements, sensed=units).differ_sensed for units in (7, 6, None)] == [
        0,
        1,
        1,
    ]
