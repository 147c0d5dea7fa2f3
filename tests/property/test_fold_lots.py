"""What holds for lots whatever happens to a partition."""

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.lots import EXPIRED, LOTS_MAX
from tests.property.fold_scripts import Step, long_scripts, run, scripts

SERIALS_MAX_HERE = 3


@given(st.one_of(scripts(), long_scripts()))
def test_the_sum_of_lots_is_what_is_on_hand(script: list[Step]) -> None:
    """Lots and the unknown rest are the book, wherever lots are kept, and none is below zero."""
    story = run(script)
    for book in story.lot_books():
        level = story.level(book.site, book.sku)
        assert sum(lot.units for lot in book.lots) + book.unknown_units == level.on_hand_units
        assert all(lot.units > 0 for lot in book.lots)
        assert book.unknown_units >= 0 or not book.lots
        assert len(book.lots) <= LOTS_MAX
        order = [(lot.expires_at_ms or 1 << 62, lot.lot) for lot in book.lots]
        assert order == sorted(order)
        assert len({lot.lot for lot in book.lots}) == len(book.lots)


@given(st.one_of(scripts(), long_scripts()))
def test_what_is_held_of_lots_is_kept_out_of_available(script: list[Step]) -> None:
    """Quarantined and expired units stand in the level's quarantined units, and never exceed it."""
    story = run(script)
    for book in story.lot_books():
        level = story.level(book.site, book.sku)
        held = 0
        for lot in book.lots:
            assert 0 <= lot.quarantined_units <= lot.units
            assert not lot.expires_at_ms or (lot.stage == EXPIRED) == (
                lot.expires_at_ms <= story.now_ms
            )
            held += lot.units if lot.stage == EXPIRED else lot.quarantined_units
        assert book.held_units == held <= level.quarantined_units
    for level in story.levels():
        assert 0 <= level.quarantined_units <= max(0, level.on_hand_units)


@given(st.one_of(scripts(), long_scripts()))
def test_a_movement_says_which_lots_moved(script: list[Step]) -> None:
    """Where lots are tracked the signed units by lot are the movement's quantity, all one way."""
    for movement in run(script).movements():
        if movement.lot_units is not None:
            assert sum(movement.lot_units.values()) == movement.quantity_units
            signs = {units > 0 for units in movement.lot_units.values()}
            assert signs == {movement.quantity_units > 0}


@given(scripts())
def test_a_transfer_carries_no_more_lots_than_units(script: list[Step]) -> None:
    """What is known of the lots on their way never exceeds what is on its way or was lost."""
    story = run(script)
    transfers = {transfer.transfer_id: transfer for transfer in story.transfers()}
    for carried in story.carried_lots():
        transfer = transfers[carried.transfer_id]
        away = transfer.dispatched_units - transfer.received_units
        assert 0 < sum(lot.units for lot in carried.lots) <= away


@given(st.one_of(scripts(), long_scripts()))
def test_a_serial_number_is_in_one_place(script: list[Step]) -> None:
    """It is at one site at the most, not both there and gone, and the lists are bounded."""
    story = run(script)
    places: set[tuple[str, str]] = set()
    for book in story.serial_books():
        assert len(set(book.present)) == len(book.present) <= SERIALS_MAX_HERE
        assert len(set(book.gone)) == len(book.gone) <= SERIALS_MAX_HERE
        assert not set(book.present) & set(book.gone)
        for serial in book.present:
            assert (book.sku, serial) not in places
            places.add((book.sku, serial))
