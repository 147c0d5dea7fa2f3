"""Opening stock: the first quantity and cost of a level, once an import."""

from typing import Final

from ingest.frames import OpeningInput
from streams.domain import book
from streams.domain.store import Store

IMPORTS_KEPT_MAX: Final = 32
"""Import ids remembered a level, the newest ones."""


def apply_opening(store: Store, opening: OpeningInput) -> None:
    """Book an opening; a repeat of the same import changes nothing."""
    level = store.level(opening.sku, opening.site)
    if opening.import_id in level.imports:
        return
    level.imports = (*level.imports, opening.import_id)[-IMPORTS_KEPT_MAX:]
    quantity_units = opening.quantity_units
    if quantity_units < 0:
        value_minor = -book.issue_value_minor(level, -quantity_units, opening.unit_cost_minor)
    else:
        value_minor = book.receipt_value_minor(
            level, quantity_units, quantity_units * opening.unit_cost_minor
        )
    book.post(
        store,
        level,
        "opening",
        quantity_units,
        value_minor,
        cause=opening.import_id,
        effective_at_ms=opening.effective_at_ms or store.now_ms,
    )
