"""Verification counts what is wrong: each seeded error is found, and only that."""

import msgspec
import pytest

from ingest.contracts.errors import FrameError
from simulators.checking import OracleMismatchError, check_oracle
from simulators.oracle import Oracle
from simulators.verification import (
    DIFFERENCES_SHOWN_MAX,
    Agreement,
    LedgerTally,
    LiveTable,
    agreement,
    ledger_agreement,
)
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
        level.sensed = (SensedChannel("shelf/cell", sensed, 0, 0),)
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


def test_nothing_to_compare_is_not_exact() -> None:
    """An empty table and an empty truth agree on nothing at all."""
    found = agreement(Oracle(), LiveTable(), LedgerTally(Oracle()))
    assert (found.exact, found.keys, found.differences) == (
        False,
        0,
        ["there is no key to compare"],
    )


def test_a_key_that_vanished_differs() -> None:
    """A tombstone in the table where the truth has stock: book and ledger are both wrong."""
    oracle, movements = the_story()
    table, tally = LiveTable(), LedgerTally(oracle)
    level = Level(sku=SKU, site=SITE, on_hand_units=7)
    table.take(key(LEVEL, SKU, SITE), msgspec.msgpack.encode(level))
    table.take(key(LEVEL, SKU, SITE), None)
    table.take(key(LEVEL, "JAM", SITE), None)
    tally.take(MOVEMENT_FRAMES.encode(movements, received_at_ms=0))
    found = agreement(oracle, table, tally)
    assert (found.exact, found.keys, found.differ) == (False, 1, 1)
    assert (found.differ_book, found.differ_ledger) == (1, 1)


def test_a_ledger_that_is_off_differs_though_the_book_is_right() -> None:
    """A movement nobody scanned, put right by nothing: only the ledger's sum tells."""
    oracle, movements = the_story()
    found = compared(oracle, [*movements, a_movement(1, "command-1", kind="adjust")])
    assert (found.exact, found.differ_book, found.differ_ledger, found.unexpected) == (
        False,
        0,
        1,
        0,
    )


def test_a_swap_of_two_keys_is_found() -> None:
    """Totals are equal, yet each key is wrong."""
    oracle = Oracle()
    oracle.open(SITE, "TEA", 3)
    oracle.open(SITE, "JAM", 5)
    table, tally = LiveTable(), LedgerTally(oracle)
    for sku, units in (("TEA", 5), ("JAM", 3)):
        level = Level(sku=sku, site=SITE, on_hand_units=units)
        table.take(key(LEVEL, sku, SITE), msgspec.msgpack.encode(level))
    found = agreement(oracle, table, tally)
    assert (found.exact, found.differ, found.differ_book) == (False, 2, 2)


def test_a_movement_at_the_wrong_site_is_a_lost_scan() -> None:
    """The scan's own site has none, and the other one has stock that nobody put there."""
    oracle, movements = the_story()
    strayed = a_movement(-1, scan_cause(SOURCE, BOOT, 2), site="shop-02")
    found = compared(oracle, [*movements[:-1], strayed], on_hand=8)
    assert (found.exact, found.lost, found.extra, found.differ_book) == (False, 1, 1, 1)


def test_movements_of_other_buckets_do_not_count() -> None:
    """What is reserved or in transit is no second movement of the scan on the shelf."""
    oracle, movements = the_story()
    other = msgspec.structs.replace(movements[1], bucket="reserved", quantity_units=1)
    assert compared(oracle, [*movements, other]).exact


def test_scans_of_an_unknown_boot_are_unexpected() -> None:
    """A device of ours in a boot it never had; somebody else's device is not ours to judge."""
    oracle, movements = the_story()
    strange = a_movement(0, scan_cause(SOURCE, "b9", 0))
    foreign = a_movement(0, scan_cause("gateway-elsewhere", "b1", 0))
    odd = a_movement(0, f"{SOURCE}/{BOOT}/x")
    found = compared(oracle, [*movements, strange, foreign, odd])
    assert (found.exact, found.unexpected) == (False, 2)
    assert f"scan {SOURCE}/b9/0: never emitted" in found.differences


def test_a_blind_sensor_says_nothing() -> None:
    """The right number of a sensor that is blind is no proof."""
    oracle, movements = the_story()
    oracle.watched = [(SITE, SKU)]
    table, tally = LiveTable(), LedgerTally(oracle)
    level = Level(sku=SKU, site=SITE, on_hand_units=7)
    level.sensed = (SensedChannel("shelf/cell", 7, 0, 0, blind=True),)
    table.take(key(LEVEL, SKU, SITE), msgspec.msgpack.encode(level))
    tally.take(MOVEMENT_FRAMES.encode(movements, received_at_ms=0))
    found = agreement(oracle, table, tally)
    assert (found.exact, found.differ_sensed) == (False, 1)
    assert found.differences == ["'TEA' at shop-01: the sensors say nothing, truly 7"]


def test_two_sensors_of_one_key_are_added() -> None:
    """Two shelves with the same article: their sum is what must be true."""
    oracle, movements = the_story()
    oracle.watched = [(SITE, SKU)]
    table, tally = LiveTable(), LedgerTally(oracle)
    level = Level(sku=SKU, site=SITE, on_hand_units=7)
    level.sensed = (SensedChannel("shelf/a", 3, 0, 0), SensedChannel("shelf/b", 4, 0, 0))
    table.take(key(LEVEL, SKU, SITE), msgspec.msgpack.encode(level))
    tally.take(MOVEMENT_FRAMES.encode(movements, received_at_ms=0))
    assert agreement(oracle, table, tally).exact


def test_only_the_first_differences_are_told() -> None:
    """All are counted; the list stays readable, and says lost and never emitted ones too."""
    oracle = Oracle()
    for seq in range(50):
        oracle.scanned(SOURCE, SITE, BOOT, seq)
    oracle.open(SITE, SKU, 1)
    found = compared(oracle, [a_movement(1, "opening-1", kind="opening")], on_hand=1)
    assert (found.exact, found.lost) == (False, 50)
    assert len(found.differences) == DIFFERENCES_SHOWN_MAX
    assert found.differences[0] == f"scan {SOURCE}/{BOOT}/0: lost"


def test_a_scan_found_very_often_is_still_one_doubled_scan() -> None:
    """Its count saturates and does not come round to one."""
    oracle, movements = the_story()
    again = [msgspec.structs.replace(movements[1], quantity_units=0)] * 256
    found = compared(oracle, [*movements, *again])
    assert (found.exact, found.doubled, found.lost) == (False, 1, 0)


def test_a_broken_record_of_the_ledger_ends_the_verification() -> None:
    """What can't be read is never passed over."""
    with pytest.raises(FrameError):
        LedgerTally(Oracle()).take(b"\x07nonsense")
    with pytest.raises(FrameError):
        LedgerTally(Oracle()).take(None)


def test_the_object_says_everything_that_was_counted() -> None:
    """Each figure of the table is in the JSON, with the verdict."""
    told = compared(*the_story()).to_json()
    assert told["exact"] is True
    assert {"keys", "agree", "differ", "lost", "doubled", "unexpected", "extra"} <= told.keys()


def test_an_oracle_is_compared_with_its_own_installation_only() -> None:
    """The sentence names both; an oracle of nobody is nobody's."""
    oracle = Oracle()
    oracle.installation_id = "here"
    check_oracle(oracle, "here")
    with pytest.raises(
        OracleMismatchError,
        match="the oracle is the truth of installation here, and this is there: name the right",
    ):
        check_oracle(oracle, "there")
    with pytest.raises(OracleMismatchError, match="installation unknown"):
        check_oracle(Oracle(), "there")


@pytest.mark.parametrize(("on_hand", "exact"), [(7, True), (6, False), (0, False)])
def test_without_an_oracle_table_and_ledger_are_compared(on_hand: int, exact: bool) -> None:
    """Scans are nobody's then, yet a book that is not the sum of its movements is found."""
    _, movements = the_story()
    table, tally = LiveTable(), LedgerTally(Oracle())
    level = Level(sku=SKU, site=SITE, on_hand_units=on_hand)
    table.take(key(LEVEL, SKU, SITE), msgspec.msgpack.encode(level))
    tally.take(MOVEMENT_FRAMES.encode(movements, received_at_ms=0))
    found = ledger_agreement(table, tally)
    assert (found.exact, found.keys, found.differ_ledger) == (exact, 1, int(not exact))
    assert (found.scans, found.unexpected, found.extra) == (0, 0, 0)
