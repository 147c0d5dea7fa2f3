"""What of a donor's lots would not be sold before it spoils, were it sent."""

from ingest.contracts.durations import DAY_MS
from streams.contracts.lots import EXPIRED
from streams.contracts.state import Level
from streams.domain.arithmetic import MILLI
from streams.domain.lots import lots_name
from streams.domain.sensing import available_units
from streams.domain.store import Store


def spoiling_units(store: Store, donor: Level, recipient: Level, arrival_ms: int) -> int:
    """Return the donor's sellable units that expire too soon for the recipient.

    Too soon is less than the recipient's `transfer_life_ms_min` after arrival; where its demand is
    known, also more than it sells by then beside what it has. Earlier lots sell first.
    """
    book = store.lot_books.get(lots_name(donor.sku, donor.site))
    if book is None:
        return 0
    rules = store.rules(recipient.sku, recipient.site)
    own_units = max(0, available_units(recipient, rules)) + recipient.in_transit_in_units
    sent = spoiling = 0
    for lot in book.lots:
        free_units = lot.units - lot.quarantined_units
        if not lot.expires_at_ms or lot.stage == EXPIRED:
            continue
        life_ms = lot.expires_at_ms - arrival_ms
        sellable = 0
        if life_ms > 0 and life_ms >= rules.transfer_life_ms_min:
            sellable = free_units
            if rules.demand_milli_day > 0:
                sold_units = rules.demand_milli_day * life_ms // (DAY_MS * MILLI)
                sellable = min(free_units, max(0, sold_units - own_units - sent))
        sent += sellable
        spoiling += free_units - sellable
    return spoiling
