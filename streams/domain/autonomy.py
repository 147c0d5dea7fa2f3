"""What may go out without a person's approval."""

from streams.domain.catalogue import Rules


def is_automatic(rules: Rules, quantity_units: int) -> bool:
    """Tell whether a policy lets a transfer or an order of so many units go out by itself."""
    within = rules.autonomy == "auto_within_limits" and quantity_units <= rules.auto_units_max
    return rules.autonomy == "auto" or within
