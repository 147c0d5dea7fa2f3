"""What may go out without a person's approval: by units, by value, by day."""

from streams.domain.catalogue import Rules
from streams.domain.days import day_of
from streams.domain.store import Store


def is_automatic(store: Store, sku: str, site: str, rules: Rules, quantity_units: int) -> bool:
    """Tell whether a policy lets a transfer or an order of so many units go out by itself."""
    if rules.autonomy != "auto_within_limits":
        return rules.autonomy == "auto"
    value_minor = _value_minor(store, sku, quantity_units)
    day_units, day_value_minor = _used(store, sku, site)
    return (
        quantity_units <= rules.auto_units_max
        and _within(value_minor, rules.auto_value_minor_max)
        and _within(day_units + quantity_units, rules.auto_units_day_max)
        and _within(day_value_minor + value_minor, rules.auto_value_minor_day_max)
    )


def take_automatic(
    store: Store, sku: str, site: str, rules: Rules, quantity_units: int
) -> tuple[bool, dict[str, int]]:
    """Tell the same of a transfer that is being made, and count it where its day has a limit.

    Beside it stand the numbers that its limits were judged by; none without limits.
    """
    automatic = is_automatic(store, sku, site, rules, quantity_units)
    if rules.autonomy != "auto_within_limits":
        return automatic, {}
    value_minor = _value_minor(store, sku, quantity_units)
    day_units, day_value_minor = _used(store, sku, site)
    limited = rules.auto_units_day_max is not None or rules.auto_value_minor_day_max is not None
    if automatic and limited:
        used = [day_of(store.now_ms), day_units + quantity_units, day_value_minor + value_minor]
        store.book(sku).automatic[site] = used
        store.books.touch(sku)
    return automatic, {
        "value_minor": value_minor,
        "day_units": day_units,
        "day_value_minor": day_value_minor,
    }


def _used(store: Store, sku: str, site: str) -> tuple[int, int]:
    day, units, value_minor = store.book(sku).automatic.get(site, (0, 0, 0))
    return (units, value_minor) if day == day_of(store.now_ms) else (0, 0)


def _value_minor(store: Store, sku: str, quantity_units: int) -> int:
    record = store.book(sku).record
    return quantity_units * record.unit_cost_minor if record is not None else 0


def _within(amount: int, most: int | None) -> bool:
    return most is None or amount <= most
