"""The flap limit: a breach that opens too often is held open until it has stayed clear.

With `flap_opens_max` and `flap_window_ms`, a breach whose kind has opened that often at its level
within the window before is flapping: opened once more, said so once, and cleared once it has
stayed clear for a whole window. A crossing ends the calm, however short; so does a blind witness.
"""

from typing import Final

from streams.contracts.state import Breach, Level, RecentBreaches
from streams.domain.catalogue import Rules
from streams.domain.store import Store

FLAPPING: Final = "flapping: held open until it has stayed clear"
"""What the alert of a flapping breach says."""
KINDS: Final = frozenset({"stockout", "predicted_stockout", "low_stock", "overstock"})
"""What swings with stock. A shortage for a promotion ends with it, however often it was moved."""


def note_opened(level: Level, rules: Rules, breach: Breach) -> None:
    """Remember that a breach opens, and mark it as flapping where that was too often."""
    window_ms = _window_ms(rules)
    if not window_ms or breach.kind not in KINDS:
        return
    now_ms = breach.opened_at_ms
    known = {entry.kind: entry for entry in level.recent_breaches}
    recent: tuple[int, ...] = ()
    if breach.kind in known:
        recent = _within(known[breach.kind].opened_at_ms, now_ms, window_ms)
    breach.flapping = len(recent) >= rules.flap_opens_max
    newest = (*recent, now_ms)[-rules.flap_opens_max :]
    known[breach.kind] = RecentBreaches(breach.kind, newest)
    level.recent_breaches = tuple(known[kind] for kind in sorted(known))


def settles(
    store: Store, level: Level, rules: Rules, breach: Breach, *, crossed: bool, recovered: bool
) -> bool:
    """Return whether a flapping breach has stayed clear for the window, and note since when.

    Between the threshold and its hysteresis nothing changes, as with a breach that has cleared.
    """
    since_ms = breach.calm_since_ms
    if crossed:
        since_ms = 0
    elif recovered and not since_ms:
        since_ms = store.now_ms
    if since_ms != breach.calm_since_ms:
        breach.calm_since_ms = since_ms
        store.levels.touch((level.sku, level.site))
    return since_ms > 0 and settled_at_ms(breach, rules) <= store.now_ms


def settled_at_ms(breach: Breach, rules: Rules) -> int:
    """Return when a flapping breach clears if it stays clear; 0 while it isn't clear."""
    return breach.calm_since_ms + _window_ms(rules) if breach.calm_since_ms else 0


def lose_sight(store: Store, level: Level) -> None:
    """Begin the calm of flapping breaches anew: nobody knows what a blind witness misses."""
    for breach in level.breaches:
        if breach.calm_since_ms:
            breach.calm_since_ms = 0
            store.levels.touch((level.sku, level.site))


def forget_old(level: Level, rules: Rules, now_ms: int) -> None:
    """Forget the openings that no longer count: after a window, or by a change of the policy."""
    if not level.recent_breaches:
        return
    window_ms = _window_ms(rules)
    kept = (
        RecentBreaches(entry.kind, _within(entry.opened_at_ms, now_ms, window_ms))
        for entry in level.recent_breaches
    )
    level.recent_breaches = tuple(entry for entry in kept if entry.opened_at_ms)


def limits(rules: Rules, breach: Breach) -> dict[str, int]:
    """Return the numbers by which a breach was found to flap; none where it wasn't."""
    if not breach.flapping:
        return {}
    return {"flap_opens_max": rules.flap_opens_max, "flap_window_ms": rules.flap_window_ms}


def _within(times_ms: tuple[int, ...], now_ms: int, window_ms: int) -> tuple[int, ...]:
    return tuple(at_ms for at_ms in times_ms if at_ms > now_ms - window_ms)


def _window_ms(rules: Rules) -> int:
    """Return the window of the limit; 0 where there is none."""
    return rules.flap_window_ms if rules.flap_opens_max else 0
